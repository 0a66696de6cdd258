"""States of an experiment and what leads from one to another.

A managed experiment is created PAUSED. Ending it takes two steps: a STOPPING state while its trials go away, then the
terminal state that belongs to it. An unmanaged experiment has no lifecycle of its own: its state follows its trials.
"""

import enum
from collections.abc import Iterable

from undeterred.base.errors import Refused
from undeterred.core.lifecycle.machine import step
from undeterred.core.lifecycle.trial import TrialState


class ExperimentState(enum.StrEnum):
    """Stored states; `shown.py` tells what clients see of ACTIVE. RUNNING is stored for unmanaged experiments only."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    STOPPING_CANCELED = "STOPPING_CANCELED"
    STOPPING_KILLED = "STOPPING_KILLED"
    STOPPING_COMPLETED = "STOPPING_COMPLETED"
    STOPPING_ERROR = "STOPPING_ERROR"
    CANCELED = "CANCELED"
    COMPLETED = "COMPLETED"
    ERROR = "ERROR"
    DELETING = "DELETING"
    DELETE_FAILED = "DELETE_FAILED"
    DELETED = "DELETED"
    RUNNING = "RUNNING"


_S = ExperimentState

END_OF: dict[ExperimentState, ExperimentState] = {
    _S.STOPPING_CANCELED: _S.CANCELED,
    _S.STOPPING_KILLED: _S.CANCELED,
    _S.STOPPING_COMPLETED: _S.COMPLETED,
    _S.STOPPING_ERROR: _S.ERROR,
}
"""Stopping state -> the state it ends in once the last trial is gone."""

STOPPING: frozenset[ExperimentState] = frozenset(END_OF)
TERMINAL: frozenset[ExperimentState] = frozenset({_S.CANCELED, _S.COMPLETED, _S.ERROR})
"""Ended: nothing runs, `end_time` is set; archive, delete and continue are possible."""
DELETABLE: frozenset[ExperimentState] = TERMINAL | {_S.DELETE_FAILED}

_ENDINGS = STOPPING | {_S.ERROR}

TRANSITIONS: dict[ExperimentState, frozenset[ExperimentState]] = {
    _S.ACTIVE: _ENDINGS | {_S.PAUSED},
    _S.PAUSED: _ENDINGS | {_S.ACTIVE},
    _S.STOPPING_CANCELED: frozenset({_S.CANCELED, _S.STOPPING_KILLED, _S.STOPPING_ERROR, _S.ERROR}),
    _S.STOPPING_KILLED: frozenset({_S.CANCELED, _S.STOPPING_ERROR, _S.ERROR}),
    _S.STOPPING_COMPLETED: frozenset({_S.COMPLETED, _S.STOPPING_ERROR, _S.ERROR}),
    _S.STOPPING_ERROR: frozenset({_S.ERROR}),
    _S.CANCELED: frozenset({_S.DELETING}),
    _S.COMPLETED: frozenset({_S.DELETING}),
    _S.ERROR: frozenset({_S.DELETING}),
    _S.DELETING: frozenset({_S.DELETED, _S.DELETE_FAILED}),
    _S.DELETE_FAILED: frozenset({_S.DELETING}),
    _S.DELETED: frozenset(),
    _S.RUNNING: frozenset(),
}
"""The whole lifecycle; continuing an ended experiment is `reopen`."""


def advance(state: ExperimentState, wanted: ExperimentState) -> ExperimentState:
    """The next state; asking for the present one changes nothing. Raises Refused when the table has no such step."""
    return step("an experiment", TRANSITIONS, state, wanted)


def stop(state: ExperimentState, wanted: ExperimentState) -> ExperimentState:
    """The state after a request to stop (`wanted` is a STOPPING state), which is never an error while the experiment exists.

    What has ended stays as it is, and a request weaker than the one under way changes nothing. Raises Refused while the
    experiment is being deleted.
    """
    if state in (_S.DELETING, _S.DELETE_FAILED, _S.DELETED):
        raise Refused(f"an experiment that is {state} cannot be stopped")
    return wanted if wanted in TRANSITIONS[state] else state


def finish(state: ExperimentState) -> ExperimentState:
    """The terminal state that a stopping experiment reaches when its last trial is gone. Raises Refused for other states."""
    if state not in END_OF:
        raise Refused(f"an experiment that is {state} is not stopping")
    return END_OF[state]


def reopen(state: ExperimentState) -> ExperimentState:
    """ACTIVE, for an ended experiment that is continued. Raises Refused while it has not ended."""
    if state not in TERMINAL:
        raise Refused(f"only an experiment that has ended can be continued; this one is {state}")
    return _S.ACTIVE


_RANK: dict[TrialState, int] = {
    TrialState.PAUSED: 0,
    TrialState.CANCELED: 1,
    TrialState.ERROR: 2,
    TrialState.COMPLETED: 3,
    TrialState.RUNNING: 4,
}


def of_trials(states: Iterable[TrialState]) -> ExperimentState:
    """State of an unmanaged experiment: that of its most advanced trial (PAUSED < CANCELED < ERROR < COMPLETED < RUNNING)."""
    furthest = max((_RANK.get(state, 0) for state in states), default=0)
    return _S(next(state for state, rank in _RANK.items() if rank == furthest).value)
