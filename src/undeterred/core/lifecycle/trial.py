"""States of a trial and what leads from one to another.

The names are those of experiments, with two differences: a trial may finish its work by itself (ACTIVE or PAUSED to COMPLETED),
and a request to stop that is weaker than the one under way is ignored.
"""

import enum

from undeterred.base.errors import Invalid, Refused
from undeterred.core.lifecycle.machine import step


class TrialState(enum.StrEnum):
    """Stored states; `shown.py` tells what clients see of ACTIVE. RUNNING is stored for unmanaged trials only."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    STOPPING_CANCELED = "STOPPING_CANCELED"
    STOPPING_KILLED = "STOPPING_KILLED"
    STOPPING_COMPLETED = "STOPPING_COMPLETED"
    STOPPING_ERROR = "STOPPING_ERROR"
    CANCELED = "CANCELED"
    COMPLETED = "COMPLETED"
    ERROR = "ERROR"
    RUNNING = "RUNNING"


_S = TrialState

END_OF: dict[TrialState, TrialState] = {
    _S.STOPPING_CANCELED: _S.CANCELED,
    _S.STOPPING_KILLED: _S.CANCELED,
    _S.STOPPING_COMPLETED: _S.COMPLETED,
    _S.STOPPING_ERROR: _S.ERROR,
}
"""Stopping state -> the state it ends in once its allocation is gone."""

STOPPING: frozenset[TrialState] = frozenset(END_OF)
TERMINAL: frozenset[TrialState] = frozenset({_S.CANCELED, _S.COMPLETED, _S.ERROR})
GRACEFUL: frozenset[TrialState] = frozenset({_S.STOPPING_CANCELED, _S.STOPPING_COMPLETED})
"""Stopping states in which the allocation is told to preempt, so that the trial can save its work; the others kill."""

_ENDINGS = STOPPING | {_S.COMPLETED, _S.ERROR}

TRANSITIONS: dict[TrialState, frozenset[TrialState]] = {
    _S.ACTIVE: _ENDINGS | {_S.PAUSED},
    _S.PAUSED: _ENDINGS | {_S.ACTIVE},
    _S.STOPPING_CANCELED: frozenset({_S.CANCELED, _S.STOPPING_KILLED, _S.STOPPING_ERROR, _S.ERROR}),
    _S.STOPPING_KILLED: frozenset({_S.CANCELED, _S.STOPPING_ERROR, _S.ERROR}),
    # A search that stops a trial only asks it to leave: a person may still kill one that does not.
    _S.STOPPING_COMPLETED: frozenset({_S.COMPLETED, _S.STOPPING_KILLED, _S.STOPPING_ERROR, _S.ERROR}),
    _S.STOPPING_ERROR: frozenset({_S.ERROR}),
    _S.CANCELED: frozenset(),
    _S.COMPLETED: frozenset(),
    _S.ERROR: frozenset(),
    _S.RUNNING: frozenset(),
}
"""The whole lifecycle of a managed trial; running an ended one again is `reopen`."""

UNMANAGED: frozenset[TrialState] = frozenset({_S.RUNNING, _S.COMPLETED, _S.ERROR, _S.PAUSED, _S.CANCELED})
"""What the reporter of an unmanaged trial may call it, in any order."""


def advance(state: TrialState, wanted: TrialState) -> TrialState:
    """The next state; asking for the present one changes nothing. Raises Refused when the table has no such step."""
    return step("a trial", TRANSITIONS, state, wanted)


def stop(state: TrialState, wanted: TrialState) -> TrialState:
    """The state after a request to stop; an ended trial and a stronger request under way stay as they are."""
    return wanted if wanted in TRANSITIONS[state] else state


def reopen(state: TrialState) -> TrialState:
    """ACTIVE, for an ended trial whose experiment is continued. Raises Refused while it has not ended."""
    if state not in TERMINAL:
        raise Refused(f"only a trial that has ended can run again; this one is {state}")
    return _S.ACTIVE


def reported(name: str) -> TrialState:
    """The state an unmanaged trial's reporter names. Raises Invalid for a name that is none of theirs."""
    if name not in UNMANAGED:
        raise Invalid(
            f"an unmanaged trial cannot be set to {name[:40] or 'no state'}; allowed are {', '.join(sorted(UNMANAGED))}"
        )
    return _S(name)
