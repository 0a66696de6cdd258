"""What a search is told. Events are plain frozen data; the order in which they are applied is the order of the event log.

An engine sends, per trial: `TrialCreated` (optional), any number of `ValidationCompleted` and `TrialProgress`, at most one
`TrialExitedEarly` (only when the trial did not end by finishing its work), and `TrialExited` once it is gone for good.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from undeterred.base.struct import Struct, field

RequestId = str
"""The uuid by which a search names a trial before the trial has a number."""


class ExitReason(StrEnum):
    """Why a trial ended before its work was done."""

    ERRORED = "errored"
    USER_CANCELED = "user_canceled"
    USER_REQUESTED_STOP = "user_requested_stop"
    INVALID_HP = "invalid_hp"


class TrialCreated(Struct, frozen=True):
    """The trial of a `Create` exists now. Built-in methods count it from the `Create` on, so this decides nothing."""

    request_id: RequestId


class ValidationCompleted(Struct, frozen=True):
    """A trial reported validation metrics; values as reported (numbers, or the texts "NaN", "Infinity", "-Infinity")."""

    request_id: RequestId
    metrics: Mapping[str, Any]


class TrialProgress(Struct, frozen=True):
    """A trial says which part of its work is done, 0 to 1. Changes the progress of the search and no decision."""

    request_id: RequestId
    progress: float


class TrialExitedEarly(Struct, frozen=True):
    """A trial ends, or is about to end, before its work is done. A second one for the same trial has no effect."""

    request_id: RequestId
    reason: ExitReason


class TrialExited(Struct, frozen=True):
    """A trial is gone for good: no restart follows."""

    request_id: RequestId


class TrialContinued(Struct, frozen=True):
    """A trial that had ended runs again because its experiment was continued; the search is open again."""

    request_id: RequestId


class NewTrial(Struct, frozen=True):
    """An outside program wants a trial. Without `hparams` they are sampled from the experiment's own space."""

    hparams: Mapping[str, Any] | None = None
    request_id: RequestId | None = None


class Tell(Struct, frozen=True):
    """What an outside program decided. `tell_id` names this decision: sent again after a lost answer it has no second effect."""

    tell_id: str
    create: tuple[NewTrial, ...] = ()
    stop: tuple[RequestId, ...] = ()
    progress: float | None = None
    shutdown: bool = False
    cancel: bool = False
    failure: bool = False
    note: str = field(default="")


Event = TrialCreated | ValidationCompleted | TrialProgress | TrialExitedEarly | TrialExited | TrialContinued | Tell
