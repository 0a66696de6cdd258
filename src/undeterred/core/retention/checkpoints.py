"""Which checkpoints of an experiment a policy deletes.

Kept are the best N of the experiment and the best M of each trial by the searcher's metric, the newest K of each trial whether
they were validated or not, what a model version names and what another trial was started from. Everything else goes.
A checkpoint's value is that of the validation at its own step. NaN is no value: such a checkpoint is never among the best.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from undeterred.base.errors import Invalid
from undeterred.base.struct import Struct
from undeterred.core.metrics.best import signed


class Policy(Struct, frozen=True):
    """How many to keep."""

    experiment_best: int = 0
    trial_best: int = 1
    trial_latest: int = 1


class Checkpoint(Struct, frozen=True):
    """What the decision needs to know of one."""

    uuid: str
    trial_id: int
    steps: int
    """Steps completed when it was made; decides what is newest."""
    value: float | None = None
    """The searcher's metric at that step; None when there was no validation with it."""
    validation_id: int = 0
    """Number of that validation: of equal values the earlier one is better."""
    reported_at: int = 0
    complete: bool = True
    """Whether all its files are there; one of which files were deleted can no longer be resumed from."""
    deleted: bool = False
    registered: bool = False
    warm_start_source: bool = False


class Plan(Struct, frozen=True):
    """Uuids to delete and, for those that stay, why; both in the order given."""

    delete: tuple[str, ...]
    keep: dict[str, str]


def plan(checkpoints: Sequence[Checkpoint], policy: Policy, *, smaller_is_better: bool) -> Plan:
    """Decide for all checkpoints of one experiment. Those already deleted are left out of everything.

    A checkpoint of which only some files are left takes no place among the best or newest from a complete one, but is kept
    when it would have been among them.
    """
    present = [one for one in checkpoints if not one.deleted]
    complete = [one for one in present if one.complete]
    keep: dict[str, str] = {}
    for ranked in (complete, present) if len(complete) < len(present) else (complete,):
        _keep(keep, _best(ranked, policy.experiment_best, smaller_is_better), "among the best of the experiment")
        for mine in _by_trial(ranked):
            _keep(keep, _best(mine, policy.trial_best, smaller_is_better), "among the best of its trial")
            _keep(keep, _latest(mine, policy.trial_latest), "among the newest of its trial")
    _keep(keep, (one for one in present if one.registered), "registered as a model version")
    _keep(keep, (one for one in present if one.warm_start_source), "another trial was started from it")
    ordered = {one.uuid: keep[one.uuid] for one in present if one.uuid in keep}
    return Plan(tuple(one.uuid for one in present if one.uuid not in keep), ordered)


def policy_of(storage: dict[str, Any]) -> Policy:
    """The policy in a `checkpoint_storage` configuration. Raises Invalid for a number that is none, or below 0."""
    numbers = {}
    for key, name, default in (
        ("save_experiment_best", "experiment_best", 0),
        ("save_trial_best", "trial_best", 1),
        ("save_trial_latest", "trial_latest", 1),
    ):
        value = storage.get(key)
        if value is None:
            value = default
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise Invalid(f"checkpoint_storage.{key}: must be a whole number of at least 0, not {value!r}")
        numbers[name] = value
    return Policy(**numbers)


def _keep(keep: dict[str, str], found: Iterable[Checkpoint], why: str) -> None:
    for one in found:
        keep.setdefault(one.uuid, why)


def _by_trial(checkpoints: Iterable[Checkpoint]) -> Iterable[list[Checkpoint]]:
    trials: dict[int, list[Checkpoint]] = {}
    for one in checkpoints:
        trials.setdefault(one.trial_id, []).append(one)
    return trials.values()


def _best(checkpoints: Iterable[Checkpoint], count: int, smaller_is_better: bool) -> list[Checkpoint]:
    valued = [(one.value, one) for one in checkpoints if one.value is not None and not math.isnan(one.value)]
    ranked = sorted(
        valued, key=lambda pair: (signed(pair[0], smaller_is_better=smaller_is_better), pair[1].validation_id, pair[1].uuid)
    )
    return [one for _, one in ranked[:count]]


def _latest(checkpoints: Iterable[Checkpoint], count: int) -> list[Checkpoint]:
    return sorted(checkpoints, key=lambda one: (-one.steps, -one.reported_at, one.uuid))[:count]
