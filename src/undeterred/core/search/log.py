"""The event log of a search as JSON data, and replay from the seed.

An entry is one event with the actions it led to. Replaying the events on a fresh search of the same configuration gives the same
actions, bit for bit; `replay` also tells what was decided to be left alone, for people.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from undeterred.base.errors import Invalid
from undeterred.base.struct import Struct, asdict
from undeterred.core.search.actions import Action, Create, Fail, Note, Shutdown, Stop
from undeterred.core.search.events import (
    Event,
    ExitReason,
    NewTrial,
    Tell,
    TrialContinued,
    TrialCreated,
    TrialExited,
    TrialExitedEarly,
    TrialProgress,
    ValidationCompleted,
)
from undeterred.core.search.method import SearchMethod

_T = TypeVar("_T")

_EVENTS: dict[str, type[Event]] = {
    "trial_created": TrialCreated,
    "validation_completed": ValidationCompleted,
    "trial_progress": TrialProgress,
    "trial_exited_early": TrialExitedEarly,
    "trial_exited": TrialExited,
    "trial_continued": TrialContinued,
    "tell": Tell,
}
_ACTIONS: dict[str, type[Action]] = {"create": Create, "stop": Stop, "fail": Fail, "shutdown": Shutdown}


class Step(Struct, frozen=True):
    """One step of a replay: the event (None for the start), what it led to, what was left alone, and progress afterwards."""

    event: Event | None
    actions: list[Action]
    notes: list[Note]
    progress: float


def event_to_json(event: Event) -> dict[str, Any]:
    """An event as JSON data; its kind is under `type`."""
    data = _to_json(event, _EVENTS)
    if isinstance(event, Tell):
        data["create"] = [{"hparams": new.hparams, "request_id": new.request_id} for new in event.create]
        data["stop"] = list(event.stop)
    return data


def event_from_json(data: Mapping[str, Any]) -> Event:
    """The event that `event_to_json` gave; raises Invalid for an unknown kind or wrong fields."""
    values = dict(data)
    if values.get("type") == "tell":
        values["create"] = tuple(NewTrial(**new) for new in values.get("create", ()))
        values["stop"] = tuple(values.get("stop", ()))
    elif values.get("type") == "trial_exited_early":
        values["reason"] = ExitReason(values["reason"])
    return _from_json(values, _EVENTS)


def action_to_json(action: Action) -> dict[str, Any]:
    """An action as JSON data; its kind is under `type`."""
    return _to_json(action, _ACTIONS)


def action_from_json(data: Mapping[str, Any]) -> Action:
    """The action that `action_to_json` gave; raises Invalid for an unknown kind or wrong fields."""
    return _from_json(data, _ACTIONS)


def replay(method: SearchMethod, events: Iterable[Event], *, start: bool = True) -> Iterator[Step]:
    """Play events on a search; with `start` it is a fresh one whose first step gives the initial actions."""
    if start:
        yield Step(None, method.initial(), list(method.notes), method.progress())
    for event in events:
        actions = method.apply(event)
        yield Step(event, actions, list(method.notes), method.progress())


def recover(method: SearchMethod, snapshot: Mapping[str, Any] | None, events: Iterable[Event]) -> None:
    """Bring a fresh search to where it was: from a snapshot (None: from the start) and the events logged after it."""
    if snapshot is None:
        method.initial()
    else:
        method.restore(snapshot)
    for event in events:
        method.apply(event)


def _to_json(item: Any, kinds: Mapping[str, type[Any]]) -> dict[str, Any]:
    kind = next(name for name, cls in kinds.items() if type(item) is cls)
    return {"type": kind} | {name: _plain(value) for name, value in asdict(item).items()}


def _plain(value: Any) -> Any:
    """Mappings as dicts, so that any encoder takes them."""
    return dict(value) if isinstance(value, Mapping) else value


def _from_json(data: Mapping[str, Any], kinds: Mapping[str, type[_T]]) -> _T:
    values = dict(data)
    cls = kinds.get(values.pop("type", ""))
    if cls is None:
        raise Invalid(f"an entry of a search log has a type of {', '.join(kinds)}, not {data.get('type')!r}")
    try:
        return cls(**values)
    except TypeError as error:
        raise Invalid(f"an entry of a search log has wrong fields: {error}") from None
