"""Entries of a search's log as clients see them."""

from collections.abc import Mapping, Sequence
from typing import Any

from undeterred.api.views.common import UNSET
from undeterred.base import json
from undeterred.core.search import Action, Create, Fail, Shutdown, Stop, action_from_json, event_from_json
from undeterred.core.search.explain import Explained, Replay
from undeterred.core.search.feed import Message, feed
from undeterred.store import runs, searches
from undeterred.store.database import Tx
from undeterred.wire import messages as m
from undeterred.wire.leaves import Double, Timestamp

AT_ONCE = 500
"""Entries that are replayed in one go."""

_KINDS: dict[type[Action], m.SearchDecisionKind] = {
    Create: m.SearchDecisionKind.SEARCH_DECISION_KIND_CREATE,
    Stop: m.SearchDecisionKind.SEARCH_DECISION_KIND_STOP,
    Fail: m.SearchDecisionKind.SEARCH_DECISION_KIND_FAIL,
    Shutdown: m.SearchDecisionKind.SEARCH_DECISION_KIND_SHUTDOWN,
}


def told(row: Any) -> list[Message]:
    """What a program that decides a search hears of one entry (a row of `store.searches.after`)."""
    return feed(event_from_json(json.loads(row.event)), [action_from_json(action) for action in json.loads(row.actions)])


def event_message(row: Any, message: Message, numbers: Mapping[str, int]) -> m.SearchEvent:
    """One message of an entry; `numbers` are the ids of trials by request id."""
    return m.SearchEvent(
        seq=row.seq,
        time=Timestamp(row.at),
        type=m.SearchEventType(f"SEARCH_EVENT_TYPE_{message.kind.upper()}"),
        request_id=message.request_id,
        trial_id=numbers.get(message.request_id, 0),
        hparams=UNSET if message.hparams is None else dict(message.hparams),
        metrics=UNSET if message.metrics is None else dict(message.metrics),
        reason=message.reason,
        tell_id=message.tell_id,
    )


def explained(tx: Tx, experiment_id: int, replay: Replay, after: int, first: int = 0) -> list[m.ReplaySearchResponse]:
    """The next entries after entry `after`, decided again; those before `first` only in name. None are left when it is empty."""
    rows = searches.after(tx, experiment_id, after, AT_ONCE)
    steps = [replay.step(row.seq, row.event, row.actions) for row in rows]
    named = [request_id for step in steps if step.seq >= first for request_id in request_ids(step)]
    numbers = runs.ids_by_request(tx, experiment_id, named)
    return [
        step_message(row.at, step, numbers) if step.seq >= first else m.ReplaySearchResponse(seq=step.seq)
        for row, step in zip(rows, steps, strict=True)
    ]


def request_ids(step: Explained) -> list[str]:
    """The trials that an explained entry names."""
    named = [str(step.event.get("request_id") or ""), *(note.request_id for note in step.notes)]
    return named + [action.request_id for action in step.actions if not isinstance(action, Shutdown)]


def step_message(at: int, step: Explained, numbers: Mapping[str, int]) -> m.ReplaySearchResponse:
    """One explained entry: first what was decided, then what was left alone."""
    notes: Sequence[m.SearchDecision] = [
        m.SearchDecision(
            kind=m.SearchDecisionKind.SEARCH_DECISION_KIND_NOTE,
            request_id=note.request_id,
            trial_id=numbers.get(note.request_id, 0),
            reason=note.reason,
            facts=dict(note.facts),
        )
        for note in step.notes
    ]
    return m.ReplaySearchResponse(
        seq=step.seq,
        time=Timestamp(at),
        event=dict(step.event),
        trial_id=numbers.get(str(step.event.get("request_id")), 0),
        decisions=[*(_decision(action, numbers) for action in step.actions), *notes],
        progress=Double(step.progress),
        same=not step.difference,
        difference=step.difference,
    )


def _decision(action: Action, numbers: Mapping[str, int]) -> m.SearchDecision:
    request_id = "" if isinstance(action, Shutdown) else action.request_id
    facts = dict(action.facts)
    if isinstance(action, Shutdown):
        facts |= {"cancel": action.cancel, "failure": action.failure}
    return m.SearchDecision(
        kind=_KINDS[type(action)],
        request_id=request_id,
        trial_id=numbers.get(request_id, 0),
        reason=f"{action.reason}: {action.message}" if isinstance(action, Fail) else action.reason,
        facts=facts,
        hparams=dict(action.hparams) if isinstance(action, Create) else UNSET,
    )
