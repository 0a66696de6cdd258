"""Reports of metrics from many requests at once."""

import asyncio
from typing import Any

import pytest

from tests.engine.helpers import World, config
from undeterred.base.errors import Busy, Exists, Failure, Forbidden, NotFound
from undeterred.engine import experiments
from undeterred.engine import reports as engine_reports
from undeterred.engine.reports import Reports
from undeterred.store import runs
from undeterred.store.database import Database, Tx
from undeterred.store.reports import Report
from undeterred.store.schema.metrics import reports as report_table


@pytest.fixture
async def world(db: Database) -> World:
    """One experiment with one trial that runs."""
    world = World(db)
    await db.write(world._seed)
    return world


async def trial(world: World) -> int:
    """A trial in its first run; its id."""
    new = experiments.NewExperiment(
        project_id=world.project_id,
        workspace_id=world.workspace_id,
        user_id=world.user_id,
        config=config(),
        original_config="",
        context_digest=None,
        activate=True,
    )
    experiment = await world.db.write(lambda tx: experiments.create(tx, new))
    (run,) = await world.db.read(lambda tx: runs.of_experiment(tx, experiment))
    return int(run.id)


def report(run: int, step: int, **more: Any) -> Report:
    """A training report."""
    return Report(run, more.pop("number", 1), "training", step, None, more or {"loss": step})


async def test_one_bad_report_does_not_fail_the_others(world: World) -> None:
    """Of four sent together the unknown trial, the wrong run and the forbidden one are refused, each in its own way."""
    run, reports = await trial(world), Reports(world.db)

    def forbid(_tx: Tx) -> None:
        raise Forbidden("not yours")

    outcomes = await asyncio.gather(
        reports.submit(report(run, 1)),
        reports.submit(report(99_999, 1)),
        reports.submit(report(run, 2, number=7)),
        reports.submit(report(run, 3), forbid),
        return_exceptions=True,
    )
    assert outcomes[0] is None
    assert [type(one) for one in outcomes[1:2] + outcomes[3:]] == [NotFound, Forbidden]
    assert isinstance(outcomes[2], Failure)


async def test_a_resent_report_is_stored_once_and_a_changed_one_conflicts(world: World) -> None:
    """Also inside one batch."""
    run, reports = await trial(world), Reports(world.db)
    same = [reports.submit(report(run, 1, loss=0.5)) for _ in range(5)]
    assert await asyncio.gather(*same) == [None] * 5
    with pytest.raises(Exists):
        await reports.submit(report(run, 1, loss=0.6))
    assert len(await world.db.read(lambda tx: tx.rows(report_table.select()))) == 1


async def test_many_reports_are_few_transactions(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand at once are stored in order, in a handful of writes."""
    run, reports, writes = await trial(world), Reports(world.db), 0
    whole = world.db.write

    async def write(work: Any, *, quick: bool = False) -> Any:
        nonlocal writes
        writes += 1
        return await whole(work, quick=quick)

    monkeypatch.setattr(world.db, "write", write)
    await asyncio.gather(*(reports.submit(report(run, step)) for step in range(1000)))
    assert writes <= 1 + 1000 // engine_reports.BATCH
    stored = await world.db.read(lambda tx: tx.values(report_table.select().with_only_columns(report_table.c.steps)))
    assert stored == list(range(1000))


async def test_a_full_queue_makes_callers_come_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is dropped: who is refused knows it."""
    run, reports = await trial(world), Reports(world.db)
    monkeypatch.setattr(engine_reports, "MOST_WAITING", 2)
    outcomes = await asyncio.gather(*(reports.submit(report(run, step)) for step in range(5)), return_exceptions=True)
    refused = [type(one) for one in outcomes if one is not None]
    assert refused == [Busy] * len(refused) != []
    assert len(await world.db.read(lambda tx: tx.rows(report_table.select()))) == 5 - len(refused)
