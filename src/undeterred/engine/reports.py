"""Reports of metrics: those of many requests are merged into one transaction, and each gets its own answer.

A report that is refused does not touch the others. The search of an experiment hears of its validations in the order in which
they are stored.
"""

import asyncio
import functools
from collections.abc import Callable, Sequence
from typing import Any

from undeterred.base.errors import Busy, Failure
from undeterred.base.struct import Struct
from undeterred.engine import search
from undeterred.store import experiments, reports
from undeterred.store.database import Database, Tx
from undeterred.store.reports import Report

Allowed = Callable[[Tx], None]
"""Raises when the caller may not report for this trial."""
Stored = Callable[[Tx, Sequence[Report]], None]

MOST_WAITING = 20_000
"""Reports that may wait; further callers are told to come back, so that none is lost."""
BATCH = 200
QUICK = 32
"""Reports that are stored in less time than a thread needs to be woken and to answer under load."""
TURNS = 3
"""Turns of the event loop in which a request that is at a socket becomes a report that waits."""


class _Waiting(Struct):
    report: Report
    allowed: Allowed | None
    done: "asyncio.Future[None]"


class Reports:
    """`await submit(...)` returns when the report is stored. For the event loop's thread."""

    def __init__(self, db: Database, stored: Stored | None = None) -> None:
        """`stored` is told, in the same transaction, of the reports that were taken."""
        self._db = db
        self._stored = stored
        self._known = reports.Known()
        self._waiting: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None

    async def submit(self, report: Report, allowed: Allowed | None = None) -> None:
        """Store a report; raises what `allowed` raises, NotFound, Invalid, Exists (conflicting values) or Busy."""
        if len(self._waiting) >= MOST_WAITING:
            raise Busy("too many reports wait to be stored; send this one again")
        waiting = _Waiting(report, allowed, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())
        await waiting.done

    async def _work(self) -> None:
        while self._waiting:
            await self._gather()
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            for waiting, outcome in zip(batch, await self._outcomes(batch), strict=True):
                if waiting.done.done():
                    continue
                if outcome is None:
                    waiting.done.set_result(None)
                else:
                    waiting.done.set_exception(outcome)

    async def _gather(self) -> None:
        """Let the reports come that are on their way: a commit costs as much as working in some reports.

        The loop waits for nothing meanwhile, so that a report that comes alone is hardly kept.
        """
        came = 0
        while came < len(self._waiting) < QUICK:
            came = len(self._waiting)
            for _ in range(TURNS):
                await asyncio.sleep(0)

    async def _outcomes(self, batch: list[_Waiting]) -> list[Exception | None]:
        """Store a batch; when it fails as a whole, each of its reports alone, so that one does not fail the others."""
        work = functools.partial(_store, batch=batch, told=self._stored, known=self._known)
        try:
            return list(await self._db.write(work, quick=len(batch) <= QUICK))
        except Exception as error:
            if len(batch) == 1:
                return [error]
            return [(await self._outcomes([one]))[0] for one in batch]


def store_batch(tx: Tx, batch: Sequence[Report], known: reports.Known | None = None) -> list[Failure | None]:
    """Store reports and tell the searches; for each None, or why it was refused. `known` as in `store.reports.store`."""
    experiments.lock_of_runs(tx, {report.run_id for report in batch})
    return reports.store(tx, batch, _tell, known)


def _store(tx: Tx, batch: Sequence[_Waiting], told: Stored | None, known: reports.Known) -> list[Failure | None]:
    outcomes: list[Failure | None] = []
    for waiting in batch:
        try:
            if waiting.allowed is not None:
                waiting.allowed(tx)
            outcomes.append(None)
        except Failure as failure:
            outcomes.append(failure)
    admitted = [number for number, failure in enumerate(outcomes) if failure is None]
    stored = store_batch(tx, [batch[number].report for number in admitted], known) if admitted else []
    for number, outcome in zip(admitted, stored, strict=True):
        outcomes[number] = outcome
    if told is not None:
        told(tx, [waiting.report for waiting, outcome in zip(batch, outcomes, strict=True) if outcome is None])
    return outcomes


def _tell(tx: Tx, run: Any, metrics: Any) -> None:
    search.validation(tx, run, metrics)
