"""Search methods that other packages bring."""

from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tests.engine.helpers import World, config
from undeterred.base import json
from undeterred.base.errors import Invalid
from undeterred.core.search import ENTRY_POINT_GROUP
from undeterred.engine.reports import store_batch
from undeterred.engine.search import Searches
from undeterred.engine.searchers import Searchers
from undeterred.store import searches
from undeterred.store.database import Database
from undeterred.store.reports import Report

EXAMPLE = Path(__file__).parents[2] / "examples" / "search_plugin"
SEARCHER = {"name": "neighbours", "max_trials": 8, "max_concurrent_trials": 1, "first": 3, "reach": 0.1}


def entry(name: str, value: str = "neighbours:neighbours") -> metadata.EntryPoint:
    """An entry point of our group."""
    return metadata.EntryPoint(name, value, ENTRY_POINT_GROUP)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Searchers:
    """The example, installed as pip would: on the path, with its entry point in a dist-info folder."""
    folder = tmp_path / "neighbours_search-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: neighbours-search\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[undeterred.search]\nneighbours = neighbours:neighbours\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(EXAMPLE))
    return Searchers()


def test_an_installed_method_is_found(installed: Searchers) -> None:
    """By its entry point, beside custom; one that nobody brings is not found."""
    assert {"custom", "neighbours"} <= installed.names
    assert installed.find("neighbours") is not None
    assert installed.find("other") is None


def test_what_is_always_there_cannot_be_replaced() -> None:
    """An entry point named as a built-in method is passed over."""
    searchers = Searchers(lambda: [entry("random"), entry("optuna"), entry("other")])
    assert searchers.find("random") is None
    assert searchers.find("optuna") is None
    assert "random" not in searchers.names
    assert "other" in searchers.names


def test_a_method_that_cannot_be_loaded() -> None:
    """Its name, its place and what is wrong are told."""
    searchers = Searchers(lambda: [entry("gone", "no_such_module:x")])
    with pytest.raises(Invalid, match=r"gone \(no_such_module:x\) cannot be loaded: No module named"):
        searchers.find("gone")


def test_a_factory_that_breaks_is_a_wrong_configuration() -> None:
    """Whatever it raises, the submission is refused with its words."""
    searches_here = Searches(Searchers(lambda: [entry("sum", "builtins:sum")]).find)
    with pytest.raises(Invalid, match="the search sum cannot be made: 'Setup' object is not iterable"):
        searches_here.check(config({"name": "sum"}))


def test_the_example_searches_near_the_best(installed: Searchers, db: Database) -> None:
    """Over crashes of the server too; and its log replays bit for bit."""
    world = World.make(db, searchers=installed)
    experiment = world.create(config(SEARCHER))
    for number in range(8):
        (allocation,) = world.open()
        world.start(allocation.id)
        run = world.runs(experiment)[-1]
        hparams = json.loads(run.hparams)
        _validate(world, run, (hparams["x"] - 0.3) ** 2)
        world.exit(allocation.id, 0)
        if number % 2:
            world.engine.search.forget(experiment)
    assert world.experiment(experiment).state == "COMPLETED"
    losses = [abs(json.loads(run.hparams)["x"] - 0.3) for run in world.runs(experiment)]
    assert all(loss < 0.1 + min(losses[:3]) for loss in losses[3:])
    rows = world.db.read_now(lambda tx: searches.after(tx, experiment, -1))
    replay = world.engine.search.replay(json.loads(rows[0].event))
    assert [replay.step(row.seq, row.event, row.actions).difference for row in rows] == [""] * len(rows)


def test_an_optuna_search_over_crashes_of_the_server(db: Database) -> None:
    """With a new engine after every exit it draws the same trials, and stops the same, as without; its log replays the same."""
    pytest.importorskip("optuna")
    searcher = {
        "name": "optuna",
        "max_trials": 8,
        "max_concurrent_trials": 1,
        "sampler": {"name": "TPESampler", "n_startup_trials": 2},
        "pruner": {"name": "MedianPruner", "n_startup_trials": 1},
    }
    world = World.make(db)
    lives = [world.create(config(searcher)), world.create(config(searcher))]
    for experiment in lives:
        for _ in range(8):
            run = world.runs(experiment)[-1]
            (allocation,) = [row for row in world.open() if row.task_id.startswith(f"{experiment}.")]
            world.start(allocation.id)
            for step in (1, 2):
                if world.runs(experiment)[-1].state == "ACTIVE":
                    _validate(world, run, json.loads(run.hparams)["x"] / step, step)
            world.exit(allocation.id, 0)
            world = world.again() if experiment == lives[1] else world
    one, two = (world.runs(experiment) for experiment in lives)
    assert [(run.request_id, run.hparams, run.stopped_by_searcher) for run in one] == [
        (run.request_id, run.hparams, run.stopped_by_searcher) for run in two
    ]
    assert any(run.stopped_by_searcher for run in one)
    rows = world.db.read_now(lambda tx: searches.after(tx, lives[1], -1))
    replay = world.engine.search.replay(json.loads(rows[0].event))
    assert {replay.step(row.seq, row.event, row.actions).difference for row in rows} == {""}


def _validate(world: World, run: Any, loss: float, step: int = 1) -> None:
    assert world.do(store_batch, [Report(run.id, run.run_number, "validation", step, None, {"loss": loss})]) == [None]
