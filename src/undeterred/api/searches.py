"""Searches from outside: a program of the user's own asks what happened and tells what to do; and every decision explained."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

from undeterred.api import targets
from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.api.views import searches as views
from undeterred.api.views.common import few, given
from undeterred.base import json
from undeterred.base.errors import Invalid
from undeterred.core.names import storable
from undeterred.core.rights import Right
from undeterred.core.search import NewTrial, Tell
from undeterred.core.search.explain import Replay
from undeterred.engine import keys
from undeterred.engine.search import DECIDING
from undeterred.engine.waiters import wait
from undeterred.store import experiments, runs, searches
from undeterred.store.database import Tx
from undeterred.wire import messages as m

PAGE = 1000
"""Entries of a log in one answer."""
LONGEST_POLL = 600
LONGEST_ID = 200
LONGEST_REASON = 10_000


@operation("AskSearch", needs=Right.UPDATE_EXPERIMENT, waits=True)
async def ask_search(call: Call, req: m.AskSearchRequest) -> m.AskSearchResponse:
    """What happened in a custom search after entry `after` of its log; waits up to `timeoutSeconds` for something."""
    if req.after < 0 or req.limit < 0:
        raise Invalid("after and limit must not be negative")
    clock = call.engine.clock
    end = clock.monotonic() + min(max(req.timeout_seconds, 0), LONGEST_POLL)
    with call.engine.waiters.on(keys.search(req.experiment_id), keys.experiment(req.experiment_id)) as event:
        while True:
            event.clear()
            answer = await call.read(lambda tx: _heard(call, tx, req))
            left = end - clock.monotonic()
            if answer.events or answer.over or left <= 0 or not await wait(event, left):
                return answer


@operation("TellSearch", needs=Right.UPDATE_EXPERIMENT)
async def tell_search(call: Call, req: m.TellSearchRequest) -> m.TellSearchResponse:
    """Do what the program of a custom search decided; an instruction sent again is answered as before and does nothing."""
    tell = _tell(req)

    def work(tx: Tx) -> m.TellSearchResponse:
        _custom(targets.experiment(call, tx, Right.UPDATE_EXPERIMENT, req.experiment_id))
        row = experiments.locked(tx, req.experiment_id)
        told = call.engine.search.tell(tx, row, tell)
        call.engine.flow.apply(tx)  # the answer names the new trials
        made = [runs.by_request(tx, row.id, request_id) for request_id in told.made]
        created = [
            m.CreatedSearchTrial(request_id=run.request_id, trial_id=run.id, hparams=json.loads(run.hparams))
            for run in made
            if run is not None
        ]
        return m.TellSearchResponse(created=created, repeated=told.repeated, last=searches.last_seq(tx, row.id))

    return await call.write(work)


@operation("ReplaySearch", needs=Right.VIEW_EXPERIMENT_METADATA)
async def replay_search(call: Call, req: m.ReplaySearchRequest) -> AsyncIterator[m.ReplaySearchResponse]:
    """Every entry of a search's log after entry `after`, decided again from the seed, with what was decided and why."""
    if req.after < 0 or req.limit < 0:
        raise Invalid("after and limit must not be negative")
    replay = await call.read(lambda tx: _begin(call, tx, req.experiment_id))
    first, seq, shown = req.after + 1 if req.after else 0, -1, 0
    while replay is not None:
        steps = await call.read(lambda tx, seq=seq, replay=replay: views.explained(tx, req.experiment_id, replay, seq, first))  # type: ignore[misc]
        if not steps:
            return
        for step in steps:
            seq = step.seq
            if seq >= first:
                yield step
                shown += 1
                if shown == req.limit:
                    return


def _heard(call: Call, tx: Tx, req: m.AskSearchRequest) -> m.AskSearchResponse:
    row = targets.experiment(call, tx, Right.UPDATE_EXPERIMENT, req.experiment_id)
    _custom(row)
    entries = searches.after(tx, row.id, req.after, min(req.limit or PAGE, PAGE))
    heard = [(entry, message) for entry in entries for message in views.told(entry)]
    numbers = runs.ids_by_request(tx, row.id, [message.request_id for _, message in heard])
    last = entries[-1].seq if entries else req.after
    return m.AskSearchResponse(
        events=[views.event_message(entry, message, numbers) for entry, message in heard],
        last=last,
        state=m.ExperimentState(f"STATE_{row.state}"),
        over=row.state not in DECIDING and searches.last_seq(tx, row.id) <= last,
    )


def _begin(call: Call, tx: Tx, experiment_id: int) -> Replay | None:
    """A replay of the experiment's search; None for an experiment without one."""
    targets.experiment(call, tx, Right.VIEW_EXPERIMENT_METADATA, experiment_id)
    if searches.last_seq(tx, experiment_id) < 0:
        return None
    return call.engine.search.replay(json.loads(searches.start(tx, experiment_id)))


def _custom(row: Any) -> None:
    if row.searcher_name != "custom":
        name = row.searcher_name or "no"
        raise Invalid(f"experiment {row.id} has {name} search: only a custom search is asked and told")


def _tell(req: m.TellSearchRequest) -> Tell:
    """The instruction of a request; raises Invalid for what is out of its limits."""
    tell_id, progress = storable(req.tell_id), given(req.progress)
    if not 1 <= len(tell_id) <= LONGEST_ID:
        raise Invalid(f"tellId must be a text of 1 to {LONGEST_ID} characters that names this instruction")
    if len(req.reason) > LONGEST_REASON:
        raise Invalid(f"reason: {len(req.reason)} characters are too many; at most {LONGEST_REASON} are allowed")
    if progress is not None and not 0 <= progress <= 1:
        raise Invalid(f"progress must be a number from 0 to 1, not {progress}")
    shutdown = req.shutdown
    if shutdown is not None and shutdown.cancel and shutdown.failure:
        raise Invalid("shutdown: set cancel or failure, not both")
    return Tell(
        tell_id,
        tuple(_new(one, place) for place, one in enumerate(few(req.create, "create"))),
        tuple(few(req.stop, "stop")),
        None if progress is None else float(progress),
        shutdown is not None,
        shutdown is not None and shutdown.cancel,
        shutdown is not None and shutdown.failure,
        storable(req.reason),
    )


def _new(one: m.NewSearchTrial, place: int) -> NewTrial:
    hparams: Any = given(one.hparams)
    if not one.request_id:
        return NewTrial(hparams)
    try:
        return NewTrial(hparams, str(uuid.UUID(one.request_id)))
    except ValueError:
        raise Invalid(f"create[{place}].requestId must be a UUID, not {one.request_id[:100]!r}") from None
