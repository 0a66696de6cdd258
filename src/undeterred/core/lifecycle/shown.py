"""The states that clients see, which say more than the stored ones: an ACTIVE thing is queued, pulling, starting or running."""

import enum
from collections.abc import Iterable

from undeterred.core.lifecycle.allocation import AllocationState
from undeterred.core.lifecycle.experiment import ExperimentState
from undeterred.core.lifecycle.trial import TrialState


class ShownState(enum.StrEnum):
    """What an ACTIVE experiment or trial, or a task, is shown as."""

    QUEUED = "QUEUED"
    PULLING = "PULLING"
    STARTING = "STARTING"
    RUNNING = "RUNNING"


_A = AllocationState

_PROGRESS: dict[AllocationState, ShownState] = {
    _A.PENDING: ShownState.QUEUED,
    _A.ASSIGNED: ShownState.QUEUED,
    _A.PULLING: ShownState.PULLING,
    _A.STARTING: ShownState.STARTING,
    _A.RUNNING: ShownState.RUNNING,
    _A.WAITING: ShownState.RUNNING,
    _A.TERMINATING: ShownState.RUNNING,
    _A.TERMINATED: ShownState.QUEUED,
}
_FURTHER: tuple[ShownState, ...] = tuple(ShownState)


def progress(allocations: Iterable[AllocationState]) -> ShownState:
    """How far the allocations of something ACTIVE are: the most advanced one counts; none, or only ended ones, is QUEUED."""
    return max((_PROGRESS[state] for state in allocations), key=_FURTHER.index, default=ShownState.QUEUED)


def experiment(state: ExperimentState, allocations: Iterable[AllocationState] = (), *, unmanaged: bool = False) -> str:
    """The word shown for an experiment, given the states of its trials' allocations."""
    return str(progress(allocations)) if state is ExperimentState.ACTIVE and not unmanaged else str(state)


def trial(state: TrialState, allocations: Iterable[AllocationState] = (), *, unmanaged: bool = False) -> str:
    """The word shown for a trial, given the states of its allocations. Lists of runs show the stored state instead."""
    return str(progress(allocations)) if state is TrialState.ACTIVE and not unmanaged else str(state)


def task(state: AllocationState | None) -> str:
    """The word shown for a notebook, shell, command or TensorBoard: its allocation's state, QUEUED until it has slots."""
    return "QUEUED" if state is None or state in (_A.PENDING, _A.ASSIGNED) else str(state)


def allocation(state: AllocationState) -> str:
    """The word shown for an allocation itself: the API has none for those that wait for slots."""
    return "UNSPECIFIED" if state in (_A.PENDING, _A.ASSIGNED) else str(state)
