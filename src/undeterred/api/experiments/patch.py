"""Changing an experiment after it was made: its words, its labels, its place in the queue, how many checkpoints it keeps."""

from collections.abc import Mapping
from typing import Any

from undeterred.api.call import Call
from undeterred.api.experiments.actions import target
from undeterred.api.operation import operation
from undeterred.api.views.common import given
from undeterred.api.views.experiments import load_message
from undeterred.base import json
from undeterred.base.errors import NotFound
from undeterred.core.config import policy
from undeterred.core.config.patch import patch
from undeterred.core.lifecycle.experiment import TERMINAL
from undeterred.core.names import clean_labels, storable
from undeterred.core.rights import Right
from undeterred.engine import checkpoints
from undeterred.engine import jobs as queue
from undeterred.store import experiments, policies
from undeterred.store.database import Tx
from undeterred.wire import messages as m


@operation("PatchExperiment", needs=Right.UPDATE_EXPERIMENT_METADATA)
async def patch_experiment(call: Call, req: m.PatchExperimentRequest) -> m.PatchExperimentResponse:
    """Change what the request names; the answer carries the configuration as it was before.

    A changed number of checkpoints to keep is applied to an ended experiment at once.
    """
    wanted = req.experiment or m.PatchExperiment()
    texts, numbers = _texts(wanted), _numbers(wanted)
    resources = _resources(wanted)

    def change(tx: Tx) -> m.Experiment:
        row = target(call, tx, wanted.id, Right.UPDATE_EXPERIMENT_METADATA)
        before = load_message(tx, row.id).config
        if numbers or resources:
            target(call, tx, row.id, Right.UPDATE_EXPERIMENT)
        notes = {} if wanted.notes is None else {"notes": storable(wanted.notes)}
        config = patch(json.loads(row.config), notes_changed=bool(notes), **texts, **numbers, **resources)
        if resources:
            _requeue(tx, row, resources)
        if texts or notes or numbers or resources:
            experiments.update(tx, row.id, config=json.dumps(config), **_columns(texts), **notes)
        if numbers and row.state in TERMINAL:
            checkpoints.collect(tx, row.id)
        message = load_message(tx, row.id)
        message.config = before
        return message

    return m.PatchExperimentResponse(experiment=await call.write(change))


@operation("PutExperimentLabel", needs=Right.UPDATE_EXPERIMENT_METADATA)
async def put_experiment_label(call: Call, req: m.PutExperimentLabelRequest) -> m.PutExperimentLabelResponse:
    """Add a label; the answer lists all."""
    label = storable(req.label)

    def add(tx: Tx) -> list[str]:
        row = target(call, tx, req.experiment_id, Right.UPDATE_EXPERIMENT_METADATA)
        return _relabel(tx, row, [*json.loads(row.labels), label])

    return m.PutExperimentLabelResponse(labels=await call.write(add))


@operation("DeleteExperimentLabel", needs=Right.UPDATE_EXPERIMENT_METADATA)
async def delete_experiment_label(call: Call, req: m.DeleteExperimentLabelRequest) -> m.DeleteExperimentLabelResponse:
    """Take a label away, if it is there; the answer lists those left."""

    def remove(tx: Tx) -> list[str]:
        row = target(call, tx, req.experiment_id, Right.UPDATE_EXPERIMENT_METADATA)
        return _relabel(tx, row, [label for label in json.loads(row.labels) if label != req.label])

    return m.DeleteExperimentLabelResponse(labels=await call.write(remove))


def _texts(wanted: m.PatchExperiment) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if wanted.name is not None:
        found["name"] = storable(wanted.name)
    if wanted.description is not None:
        found["description"] = storable(wanted.description)
    if wanted.labels is not None:
        labels: Any = wanted.labels
        found["labels"] = clean_labels(storable(label) for label in labels if isinstance(label, str))
    return found


def _numbers(wanted: m.PatchExperiment) -> dict[str, Any]:
    """The numbers of checkpoints to keep: all three are set together."""
    storage = given(wanted.checkpoint_storage)
    if storage is None:
        return {}
    return {
        "save_experiment_best": storage.save_experiment_best,
        "save_trial_best": storage.save_trial_best,
        "save_trial_latest": storage.save_trial_latest,
    }


def _resources(wanted: m.PatchExperiment) -> dict[str, Any]:
    resources = given(wanted.resources)
    if resources is None:
        return {}
    weight = given(resources.weight)
    found = {
        "max_slots": given(resources.max_slots),
        "weight": None if weight is None else float(weight),
        "priority": given(resources.priority),
    }
    return {key: value for key, value in found.items() if value is not None}


def _requeue(tx: Tx, row: Any, resources: Mapping[str, Any]) -> None:
    """Let the queue follow; raises NotFound for an experiment that has nothing in it any more. A negative limit is none."""
    if row.unmanaged or row.state in TERMINAL:
        raise NotFound(f"experiment {row.id} is not in a queue: it is {'unmanaged' if row.unmanaged else row.state}")
    rules = policies.both(tx, row.workspace_id, "EXPERIMENT")
    policy.check_constraints(policy.constraints(*rules), max_slots=resources.get("max_slots"), priority=resources.get("priority"))
    for key, value in resources.items():
        policy.check_unfixed(rules, ("resources", key), value)
    if "max_slots" in resources:
        limit = resources["max_slots"]
        queue.set_max_slots(tx, row.job_id, limit if limit >= 0 else None)
    if "weight" in resources:
        queue.set_weight(tx, row.job_id, resources["weight"])
    if "priority" in resources:
        queue.set_priority(tx, row.job_id, resources["priority"])


def _columns(texts: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that repeat what the configuration says."""
    found = dict(texts)
    if "labels" in found:
        found["labels"] = json.dumps(sorted(found["labels"]))
    return found


def _relabel(tx: Tx, row: Any, labels: list[str]) -> list[str]:
    cleaned = sorted(clean_labels(labels))
    config = {**json.loads(row.config), "labels": cleaned}
    experiments.update(tx, row.id, labels=json.dumps(cleaned), config=json.dumps(config))
    return cleaned
