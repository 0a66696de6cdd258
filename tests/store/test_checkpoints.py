"""Checkpoints in the database: counts that are always right, lists, and what is found at their steps."""

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.rows import experiment, run, seeded
from undeterred.base import json
from undeterred.base.errors import NotFound
from undeterred.store import checkpoints
from undeterred.store.database import Database, Tx
from undeterred.store.schema.experiments import experiments, runs
from undeterred.store.schema.metrics import metric_groups, reports
from undeterred.store.schema.registry import checkpoints as table

HUGE = 2**63 - 1


def add(tx: Tx, run_id: int, uuid: str, files: dict[str, int], **columns: Any) -> int:
    """A complete checkpoint; its id."""
    values = {"report_time": 1, "state": "COMPLETED", "steps_completed": 0}
    size, text = checkpoints.total_size(files.values()), json.dumps(files)
    return checkpoints.create(tx, run_id=run_id, uuid=uuid, resources=text, size=size, **(values | columns))


_files = st.dictionaries(st.sampled_from("abc"), st.integers(-5, 1000), max_size=3)
_step = st.one_of(
    st.tuples(st.just("add"), st.integers(0, 2), _files),
    st.tuples(st.just("files"), st.integers(0, 9), _files),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_step, max_size=12))
def test_counts_follow_every_change(world: Database, steps: list[tuple[str, int, dict[str, int]]]) -> None:
    """Number and bytes of all that are not deleted, of each run and of the experiment, whatever happens in whichever order."""

    def act(tx: Tx) -> None:
        of = [experiment(tx), experiment(tx)]
        trials = [run(tx, of[0]), run(tx, of[0]), run(tx, of[1])]
        made: list[int] = []
        for kind, number, files in steps:
            if kind == "add":
                made.append(add(tx, trials[number], f"{trials[0]} {len(made)}", files))
            elif made:
                checkpoints.set_files(tx, {made[number % len(made)]: files})
        for shown, key in ((runs, table.c.run_id), (experiments, runs.c.experiment_id)):
            live = (
                sa.select(key.label("id"), sa.func.count().label("n"), sa.func.sum(table.c.size).label("bytes"))
                .select_from(table.join(runs, runs.c.id == table.c.run_id))
                .where(table.c.state != "DELETED")
                .group_by(key)
            )
            counted = {row.id: (row.n, row.bytes) for row in tx.rows(live)}
            for row in tx.rows(sa.select(shown)):
                assert (row.checkpoint_count, row.checkpoint_size) == counted.get(row.id, (0, 0))

    world.write_now(act)


@pytest.fixture
def world(db: Database) -> Database:
    """A database with the first user and project."""
    return seeded(db)


def test_sizes_that_no_number_holds_are_cut(world: Database) -> None:
    """A report of absurd sizes does no harm to others."""

    def act(tx: Tx) -> tuple[int, int]:
        trial = run(tx, experiment(tx))
        for number in range(3):
            add(tx, trial, f"u{number}", {"a": HUGE, "b": HUGE})
        row = tx.row(sa.select(runs.c.checkpoint_count, runs.c.checkpoint_size))
        assert row is not None
        return tuple(row)

    assert world.write_now(act) == (3, HUGE)


def test_many_are_found_or_none(world: Database) -> None:
    """In any case of letters; the first unknown one is told."""

    def act(tx: Tx) -> str:
        trial = run(tx, experiment(tx))
        some = [{"run_id": trial, "uuid": f"u{number}", "report_time": 1, "state": "COMPLETED"} for number in range(1500)]
        tx.conn.execute(sa.insert(table), some)
        found = checkpoints.several(tx, [f"U{number}" for number in range(1499, -1, -1)])
        assert [row.uuid for row in found] == [f"u{number}" for number in range(1500)]
        assert checkpoints.several(tx, []) == []
        try:
            checkpoints.several(tx, ["u1", "x", "u2"])
        except NotFound as error:
            return str(error)
        return ""

    assert world.write_now(act) == "checkpoint x not found"


def test_archived_reports_are_not_shown(world: Database) -> None:
    """What was measured before a restart that went back is no measurement of the checkpoint."""

    def act(tx: Tx) -> list[Any]:
        trial = run(tx, experiment(tx))
        group = tx.insert(metric_groups, name="validation")
        for number, archived in ((1, True), (2, False)):
            metrics = json.dumps({"loss": number})
            tx.insert(
                reports, run_id=trial, run_number=number, group_id=group, steps=5, time=1, metrics=metrics, archived=archived
            )
        tx.insert(reports, run_id=trial, run_number=1, group_id=group, steps=6, time=1, metrics='{"loss":0}', archived=True)
        ids = [add(tx, trial, "u5", {}, steps_completed=5), add(tx, trial, "u6", {}, steps_completed=6)]
        best = checkpoints.ordered_by_metric(tx, checkpoints.of_run(trial), (), "loss", descending=False, without_last=True)
        assert best == ids
        return [one.validation and json.loads(one.validation.metrics) for one in checkpoints.load(tx, ids[::-1])]

    assert world.write_now(act) == [None, {"loss": 2}]
