"""What a program that decides a search itself is told: the event log in its terms, one or more messages for an entry.

Every entry has its number and never changes, so a program that comes back without any memory reads from the first entry on.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from undeterred.base.struct import Struct, field
from undeterred.core.search.actions import Action, Create, Shutdown, Stop
from undeterred.core.search.events import Event, RequestId, Tell, TrialExited, TrialExitedEarly, ValidationCompleted


class Kind(StrEnum):
    """What a message is about."""

    TRIAL_CREATED = "trial_created"
    TRIAL_STOPPED = "trial_stopped"
    VALIDATION_COMPLETED = "validation_completed"
    TRIAL_EXITED_EARLY = "trial_exited_early"
    TRIAL_EXITED = "trial_exited"
    SHUTDOWN = "shutdown"


class Message(Struct, frozen=True):
    """One message; `reason` says why a trial was stopped or ended early, or why the search is over."""

    kind: Kind
    request_id: RequestId = ""
    hparams: Mapping[str, Any] | None = None
    metrics: Mapping[str, Any] | None = None
    reason: str = ""
    tell_id: str = field(default="")
    """The instruction that did it."""


def feed(event: Event, actions: Iterable[Action]) -> list[Message]:
    """The messages of one entry of the log: what happened, then what was done."""
    tell_id = event.tell_id if isinstance(event, Tell) else ""
    messages: list[Message] = []
    if isinstance(event, ValidationCompleted):
        messages.append(Message(Kind.VALIDATION_COMPLETED, event.request_id, metrics=event.metrics))
    elif isinstance(event, TrialExitedEarly):
        messages.append(Message(Kind.TRIAL_EXITED_EARLY, event.request_id, reason=event.reason.value))
    elif isinstance(event, TrialExited):
        messages.append(Message(Kind.TRIAL_EXITED, event.request_id))
    for action in actions:
        if isinstance(action, Create):
            messages.append(Message(Kind.TRIAL_CREATED, action.request_id, action.hparams, tell_id=tell_id))
        elif isinstance(action, Stop):
            messages.append(Message(Kind.TRIAL_STOPPED, action.request_id, reason=action.reason, tell_id=tell_id))
        elif isinstance(action, Shutdown):
            messages.append(Message(Kind.SHUTDOWN, reason=action.reason, tell_id=tell_id))
    return messages
