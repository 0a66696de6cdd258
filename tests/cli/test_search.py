"""`undeterred search replay` on a data folder."""

import json
from pathlib import Path

import pytest

from tests.engine.helpers import World, config
from undeterred.base.clock import SystemClock
from undeterred.cli.main import main
from undeterred.engine.reports import store_batch
from undeterred.store.database import Database
from undeterred.store.migrations import migrate
from undeterred.store.reports import Report
from undeterred.store.schema.experiments import search_events

HALVING = {
    "name": "async_halving",
    "max_trials": 3,
    "max_concurrent_trials": 2,
    "num_rungs": 2,
    "divisor": 2,
    "max_time": 4,
    "time_metric": "t",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with experiment 1, in whose search one trial was stopped."""
    db = Database(f"sqlite:///{tmp_path / 'undeterred.db'}", SystemClock())
    migrate.prepare(db.engine, None)
    world = World.make(db)
    experiment = world.create(config(HALVING))
    for loss in (0.5, 0.9):
        allocation = next(row for row in world.open() if row.state == "PENDING")
        world.start(allocation.id)
        run = world.runs(experiment)[0 if loss == 0.5 else 1]
        assert world.do(store_batch, [Report(run.id, 1, "validation", 2, None, {"loss": loss, "t": 2})]) == [None]
    db.close()
    return tmp_path


def test_every_event_is_told_with_its_reasons(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The start with its seed, validations, who was stopped at which rung and rank; and that all is the same: status 0."""
    assert main(["search", "replay", "1", "--data-dir", str(folder)]) == 0
    told = capsys.readouterr().out
    assert "start: async_halving with the seed 7" in told
    assert "+ create trial 1: sample 1 of 3" in told
    assert 'trial 2 validation_completed {"metrics": {"loss": 0.9, "t": 2}}' in told
    assert "x stop trial 2: rung 1 of 2 (2 units): rank 2 of 2, not among the best 1" in told
    assert ". trial 1: rung 1 of 2 (2 units): rank 1 of 1, among the best 1: goes on" in told
    assert told.endswith("3 entries: every decision is the same bit for bit\n")


def test_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One object a line, and a summary."""
    assert main(["search", "replay", "1", "--data-dir", str(folder), "--json"]) == 0
    *entries, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert [entry["seq"] for entry in entries] == [0, 1, 2]
    assert entries[2]["decisions"][0]["facts"]["rank"] == 2
    assert summary == {"entries": 3, "different": 0, "same": True}


def test_a_difference_is_status_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A log that was changed is decided otherwise, and the entry is named."""
    db = Database(f"sqlite:///{folder / 'undeterred.db'}", SystemClock())
    changed = search_events.update().where(search_events.c.seq == 2).values(actions="[]")
    db.write_now(lambda tx: tx.run(changed))
    db.close()
    assert main(["search", "replay", "1", "--data-dir", str(folder)]) == 1
    told = capsys.readouterr().out
    assert "DIFFERENT: 0 decisions were made, and 2 on replay" in told
    assert told.endswith("1 of 3 entries are decided otherwise on replay\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["9"], "experiment 9 has no search"),
        (["1", "--db", "sqlite:////nowhere/at/all.db"], "there is no database"),
        (["1", "--config", "/nowhere"], "--config /nowhere"),
        (["1", "--master", "localhost"], "--master must be an address"),
    ],
)
def test_mistakes_are_one_line(folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    """Status 1 and what is wrong."""
    assert main(["search", "replay", *arguments, "--data-dir", str(folder)]) == 1
    told = capsys.readouterr()
    assert (words in told.err, told.out, len(told.err.splitlines())) == (True, "", 1)


def test_a_server_that_does_not_answer(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its address is named."""
    monkeypatch.setenv("DET_PASS", "x")
    assert main(["search", "replay", "1", "--master", "http://127.0.0.1:1"]) == 1
    assert "http://127.0.0.1:1/api/v1/auth/login cannot be reached" in capsys.readouterr().err
