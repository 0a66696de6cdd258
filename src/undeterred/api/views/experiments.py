"""Experiments as clients see them."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from undeterred.api.views.common import UNSET, double, or_unset, when
from undeterred.base import json
from undeterred.base.clock import Micros
from undeterred.core.config.mask import STORAGE_SECRETS, mask_experiment
from undeterred.core.lifecycle import shown
from undeterred.core.lifecycle.allocation import AllocationState
from undeterred.core.lifecycle.experiment import ExperimentState
from undeterred.store import experiment_rows
from undeterred.store.database import Tx
from undeterred.wire import messages as m
from undeterred.wire.leaves import Int64


def shown_state(row: Any, allocations: Iterable[str]) -> m.ExperimentState:
    """The word shown: an ACTIVE experiment is as far as its most advanced allocation."""
    states = [AllocationState(state) for state in allocations]
    word = shown.experiment(ExperimentState(row.state), states, unmanaged=row.unmanaged)
    return m.ExperimentState("STATE_" + word)


def masked_config(text: str, parts: dict[str, msgspec.Raw] | None = None) -> msgspec.Raw:
    """The stored configuration without its secrets; what holds none is passed through unparsed.

    `parts` are those of `json.parts(text)`, if they are known already.
    """
    parts = json.parts(text) if parts is None else parts
    hiding = {
        name: json.loads(bytes(parts[name])) for name, hides in _HIDING.items() if name in parts and hides(bytes(parts[name]))
    }
    if not hiding:
        return msgspec.Raw(text.encode())
    return msgspec.Raw(json.dumps_finite(parts | mask_experiment(hiding)).encode())


_EMPTY = (b"null", b"{}")
_HIDING: dict[str, Callable[[bytes], bool]] = {
    "checkpoint_storage": lambda part: any(name.encode() in part for name in STORAGE_SECRETS),
    "environment": lambda part: b'"registry_auth":null' not in part,
    "integrations": lambda part: part not in _EMPTY,
    "data": lambda part: part not in _EMPTY,
}
"""The parts of a configuration that may hold secrets, and whether one does, by a look at its text (it may say yes too often)."""


def experiment_message(
    row: Any,
    allocations: Iterable[str],
    *,
    trial_ids: Sequence[int] = (),
    original_config: str = "",
    parts: dict[str, msgspec.Raw] | None = None,
) -> m.Experiment:
    """A row of `store.experiment_rows`; `parts` as in `masked_config`."""
    return m.Experiment(
        id=row.id,
        description=row.description,
        labels=json.loads(row.labels),
        start_time=when(row.start_time),
        end_time=when(row.end_time),
        state=shown_state(row, allocations),
        archived=row.archived,
        num_trials=row.num_trials,
        trial_ids=list(trial_ids),
        display_name=row.display_name,
        user_id=row.user_id,
        username=row.username,
        resource_pool=row.resource_pool,
        searcher_type=json.dumps(row.searcher_name),
        name=row.name,
        notes=row.notes,
        job_id=row.job_id or "",
        forked_from=row.parent_id,
        progress=double(row.progress),
        project_id=row.project_id,
        project_name=row.project_name,
        workspace_id=row.workspace_id,
        workspace_name=row.workspace_name,
        parent_archived=row.project_archived or row.workspace_archived,
        config=masked_config(row.config, parts),
        original_config=original_config,
        project_owner_id=row.project_owner_id,
        checkpoint_size=Int64(row.checkpoint_size),
        checkpoint_count=row.checkpoint_count,
        unmanaged=row.unmanaged,
        model_definition_size=row.context_size,
    )


def listed_experiment(row: Any, allocations: Iterable[str], now: Micros) -> m.Experiment:
    """A row of `store.experiment_lists` as lists show it.

    Lists name the searcher and the hyperparameters apart, tell how long the experiment has taken, always show a name for the
    owner, and leave out the trials and the configuration as submitted.
    """
    parts = json.parts(row.config)
    message = experiment_message(row, allocations, parts=parts)
    message.searcher_type, message.searcher_metric = row.searcher_name, row.searcher_metric
    message.hyperparameters = parts.get("hyperparameters")
    message.display_name = row.display_name or row.username
    message.duration = seconds(row.start_time, row.end_time, now)
    message.model_definition_size = UNSET
    message.external_experiment_id = or_unset(row.external_id)
    return message


def seconds(start: Micros, end: Micros | None, now: Micros) -> int:
    """Whole seconds that something took, or has taken so far."""
    return round(((now if end is None else end) - start) / 1_000_000)


def load_message(tx: Tx, experiment_id: int) -> m.Experiment:
    """One experiment with its trials, as `GetExperiment` and the calls that make or change one answer it."""
    row = experiment_rows.get(tx, experiment_id)
    allocations = experiment_rows.allocation_states(tx, [row.job_id]).get(row.job_id, []) if row.job_id else []
    return experiment_message(
        row, allocations, trial_ids=experiment_rows.trial_ids(tx, experiment_id), original_config=row.original_config
    )
