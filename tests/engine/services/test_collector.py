"""Removal of checkpoint and TensorBoard files: by a policy, on demand, in part; done again after failures; nothing else."""

import asyncio
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.clocks import Hands
from tests.rows import experiment, run, seeded
from undeterred.base import json
from undeterred.engine import checkpoints, keys
from undeterred.engine.services.collector import MOST_ATTEMPTS, PATIENCE, CollectorService
from undeterred.engine.storage.base import Entry, Unreachable
from undeterred.store import checkpoints as rows
from undeterred.store import resume
from undeterred.store.database import Database, Tx
from undeterred.store.migrations import migrate
from undeterred.store.schema.experiments import experiments, runs
from undeterred.store.schema.metrics import metric_groups, reports
from undeterred.store.schema.outbox import outbox
from undeterred.store.schema.registry import checkpoints as table
from undeterred.store.schema.registry import model_versions, models, storages

FILES = {"metadata.json": 2, "dir/": 0, "dir/w.bin": 3}


class World:
    """An ended experiment whose storage is a folder."""

    def __init__(self, db: Database, base: Path, clock: Hands) -> None:
        self.db, self.base, self.clock = db, base, clock
        self.woken: set[Any] = set()
        db.after_commit = self.woken.update
        self.service = CollectorService(db, "cluster")
        self.experiment = self.trial = 0

    def start(self, **policy: int) -> None:
        """Make the experiment, with one trial, and its storage."""
        self.base.mkdir()
        storage = {"type": "shared_fs", "host_path": str(self.base)} | policy
        config = json.dumps({"checkpoint_storage": storage})
        self.experiment = self.db.write_now(lambda tx: experiment(tx, state="COMPLETED", config=config))
        self.trial = self.add_trial()

    def add_trial(self) -> int:
        """One more trial."""
        return self.db.write_now(lambda tx: run(tx, self.experiment))

    def add(self, uuid: str, steps: int, loss: float | None = None, trial: int | None = None, **columns: Any) -> int:
        """A checkpoint with its files, validated when `loss` is given; its id."""
        folder = self.base / uuid
        (folder / "dir").mkdir(parents=True)
        (folder / "metadata.json").write_text("{}")
        (folder / "dir" / "w.bin").write_text("abc")
        run_id = trial or self.trial

        def store(tx: Tx) -> int:
            if loss is not None:
                group = tx.value(sa.select(metric_groups.c.id).where(metric_groups.c.name == "validation"))
                group = group or tx.insert(metric_groups, name="validation")
                metrics = json.dumps({"loss": loss})
                tx.insert(reports, run_id=run_id, run_number=1, group_id=group, steps=steps, time=steps, metrics=metrics)
            values = {
                "uuid": uuid,
                "run_id": run_id,
                "report_time": steps,
                "state": "COMPLETED",
                "resources": json.dumps(FILES),
                "size": 5,
                "steps_completed": steps,
            }
            return rows.create(tx, **(values | columns))

        return self.db.write_now(store)

    def register(self, checkpoint_id: int) -> None:
        """Make a checkpoint a version of a model."""

        def store(tx: Tx) -> None:
            times = {"created_at": 1, "updated_at": 1}
            model = tx.insert(models, name=f"m{checkpoint_id}", user_id=1, workspace_id=1, **times)
            tx.insert(model_versions, model_id=model, version=1, checkpoint_id=checkpoint_id, user_id=1, **times)

        self.db.write_now(store)

    def do(self, function: Any, *args: Any) -> Any:
        """Call a function in a transaction."""
        return self.db.write_now(lambda tx: function(tx, *args))

    def work(self) -> None:
        """Let the collector do what is due."""
        asyncio.run(self.service.run_once())

    def collect(self) -> None:
        """Apply the policy."""
        self.do(checkpoints.collect, self.experiment)
        self.work()

    def states(self) -> dict[str, str]:
        """Uuid -> state; nothing is left marked, and the counts are right."""
        found = self.db.read_now(lambda tx: tx.rows(sa.select(table).order_by(table.c.id)))
        assert not [row.uuid for row in found if row.doomed]
        live = [row for row in found if row.state != "DELETED"]
        for shown in (runs, experiments):
            counted = self.db.read_now(
                lambda tx, shown=shown: tx.row(
                    sa.select(sa.func.sum(shown.c.checkpoint_count), sa.func.sum(shown.c.checkpoint_size))
                )
            )
            assert tuple(counted) == (len(live), sum(row.size for row in live))
        return {row.uuid: row.state for row in found}

    def files(self, uuid: str) -> set[str]:
        """What is in its folder."""
        folder = self.base / uuid
        return {str(path.relative_to(folder)) for path in folder.rglob("*")}

    def waiting(self) -> list[Any]:
        """Work that is not done."""
        return self.db.read_now(lambda tx: tx.rows(sa.select(outbox).order_by(outbox.c.id)))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A world on a clock that is moved by hand."""
    clock = Hands(1_000_000_000)
    db = Database(f"sqlite:///{tmp_path / 'test.db'}", clock)
    migrate.prepare(db.engine, None)
    yield World(seeded(db), tmp_path / "base", clock)
    db.close()


def test_a_policy_keeps_what_it_says(world: World) -> None:
    """The best and the newest of each trial, validated or not; files and rows agree; DELETED ones keep their list of files."""
    world.start(save_experiment_best=0, save_trial_best=1, save_trial_latest=1)
    other = world.add_trial()
    for uuid, steps, loss in (("a1", 1, 0.1), ("a2", 2, 0.5), ("a3", 3, None)):
        world.add(uuid, steps, loss)
    for uuid, steps in (("b1", 1), ("b2", 2)):
        world.add(uuid, steps, trial=other)
    world.collect()
    assert world.states() == {"a1": "COMPLETED", "a2": "DELETED", "a3": "COMPLETED", "b1": "DELETED", "b2": "COMPLETED"}
    assert {path.name for path in world.base.iterdir()} == {"a1", "a3", "b2"}
    resources = world.db.read_now(lambda tx: tx.value(sa.select(table.c.resources).where(table.c.uuid == "a2")))
    assert json.loads(resources) == FILES
    assert world.waiting() == []


def test_registered_ones_and_sources_stay(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing else stays when a policy keeps nothing; a folder that was removed by hand is worth a warning, no more."""
    world.start(save_experiment_best=0, save_trial_best=0, save_trial_latest=0)
    world.register(world.add("registered", 1, 0.5))
    world.add("source", 2)
    world.add("plain", 3, 0.1)
    world.add("by-hand", 4, 0.2)
    (world.base / "by-hand" / "metadata.json").unlink()
    (world.base / "by-hand" / "dir" / "w.bin").unlink()
    (world.base / "by-hand" / "dir").rmdir()
    (world.base / "by-hand").rmdir()
    world.do(lambda tx: run(tx, world.experiment, warm_start_checkpoint="source"))
    world.collect()
    assert world.states() == {"registered": "COMPLETED", "source": "COMPLETED", "plain": "DELETED", "by-hand": "DELETED"}
    assert world.waiting() == []
    told = [(record.levelname, record.getMessage()) for record in caplog.records if record.levelname != "INFO"]
    assert told == [("WARNING", "checkpoint by-hand has no files in its storage any more")]


def test_links_lead_the_removal_nowhere(world: World, tmp_path: Path) -> None:
    """Neither in the place of a checkpoint's folder, nor inside it, nor in the place of TensorBoard's: nothing outside goes."""
    world.start()
    outside = tmp_path / "outside"
    (outside / "dir").mkdir(parents=True)
    (outside / "dir" / "w.bin").write_text("precious")
    (outside / "trial").mkdir()
    for uuid in ("whole", "inside", "part"):
        world.add(uuid, 1)
    (world.base / "whole").rename(tmp_path / "elsewhere")
    (world.base / "whole").symlink_to(outside)
    for uuid in ("inside", "part"):
        (world.base / uuid / "dir").rename(tmp_path / f"dir of {uuid}")
        (world.base / uuid / "dir").symlink_to(outside / "dir")
    (world.base / "cluster" / "tensorboard" / "experiment").mkdir(parents=True)
    (world.base / "cluster" / "tensorboard" / "experiment" / str(world.experiment)).symlink_to(outside)
    world.do(checkpoints.remove, ["whole", "inside"])
    world.do(checkpoints.remove, ["part"], ["dir/**", "dir/w.bin"])
    world.do(checkpoints.remove_tensorboard, world.experiment, [1])
    world.do(checkpoints.remove_tensorboard, world.experiment)
    world.work()
    assert world.states() == {"whole": "DELETED", "inside": "DELETED", "part": "PARTIALLY_DELETED"}
    assert {str(path.relative_to(outside)) for path in outside.rglob("*")} == {"dir", "dir/w.bin", "trial"}
    assert [path.name for path in (world.base / "cluster" / "tensorboard" / "experiment").iterdir()] == []


def test_one_registered_after_the_decision_stays(world: World) -> None:
    """The removal looks again; what it was about to remove is free again afterwards."""
    world.start()
    known = world.add("a", 1)
    world.do(checkpoints.remove, ["a"])
    world.do(lambda tx: tx.run(sa.update(table).values(doomed=False)))
    world.register(known)
    world.work()
    assert world.states() == {"a": "COMPLETED"}
    assert world.files("a")


def test_an_experiment_that_goes_on_keeps_all(world: World) -> None:
    """It was continued before its end was worked on."""
    world.start(save_trial_latest=0, save_trial_best=0)
    world.add("a", 1)
    world.do(lambda tx: tx.run(sa.update(experiments).values(state="ACTIVE")))
    world.collect()
    assert world.states() == {"a": "COMPLETED"}


def test_what_is_about_to_go_is_not_begun_from(world: World) -> None:
    """From the moment that the removal is asked for."""
    world.start()
    world.add("a", 1)
    world.add("b", 2)
    world.do(checkpoints.remove, ["b"])
    assert world.db.read_now(lambda tx: resume.latest(tx, world.trial).uuid) == "a"
    world.work()
    assert world.db.read_now(lambda tx: resume.latest(tx, world.trial).uuid) == "a"
    assert world.states() == {"a": "COMPLETED", "b": "DELETED"}


@pytest.mark.parametrize(
    ("globs", "state", "left"),
    [
        (["dir"], "PARTIALLY_DELETED", {"metadata.json"}),
        (["**/*.bin"], "PARTIALLY_DELETED", {"metadata.json", "dir"}),
        (["*.json", "dir/*"], "DELETED", set()),
        (["**/*"], "DELETED", set()),
        (["nothing*"], "COMPLETED", {"metadata.json", "dir", "dir/w.bin"}),
        ([], "COMPLETED", {"metadata.json", "dir", "dir/w.bin"}),
    ],
)
def test_a_part_is_removed(world: World, globs: list[str], state: str, left: set[str]) -> None:
    """What matches goes; without any file left the whole checkpoint is gone."""
    world.start()
    world.add("a", 1)
    world.do(checkpoints.remove, ["a"], globs)
    world.work()
    assert world.states() == {"a": state}
    assert world.files("a") == left
    if state == "DELETED":
        assert not (world.base / "a").exists()


def test_a_look_finds_what_is_gone(world: World) -> None:
    """Without globs nothing is removed: files that somebody else removed are noted, others than were reported are no change."""
    world.start()
    for uuid in ("fewer", "none", "more"):
        world.add(uuid, 1)
    (world.base / "fewer" / "metadata.json").unlink()
    (world.base / "none").rename(world.base / "elsewhere")
    (world.base / "more" / "extra").write_text("x")
    world.do(checkpoints.remove, ["fewer", "none", "more"], [])
    world.work()
    assert world.states() == {"fewer": "PARTIALLY_DELETED", "none": "DELETED", "more": "COMPLETED"}


def test_each_checkpoint_has_its_storage(world: World, tmp_path: Path) -> None:
    """The one it was reported with goes before that of its experiment."""
    world.start()
    elsewhere = json.dumps({"type": "directory", "container_path": str(tmp_path / "own")})
    storage = world.do(lambda tx: tx.insert(storages, digest="d", config=elsewhere))
    world.add("a", 1, storage_id=storage)
    world.add("b", 2)
    (tmp_path / "own" / "a").mkdir(parents=True)
    world.do(checkpoints.remove, ["a", "b"])
    world.work()
    assert {path.name for path in (tmp_path / "own").iterdir()} == set()
    assert {path.name for path in world.base.iterdir()} == {"a"}


def test_a_storage_that_is_gone_for_good(world: World) -> None:
    """A disk may be back in a moment, so it is waited for; then the files count as gone."""
    world.start()
    world.add("a", 1)
    world.base.rename(world.base.with_name("unmounted"))
    world.do(checkpoints.remove, ["a"])
    for attempt in range(PATIENCE):
        world.work()
        (item,) = world.waiting()
        assert (item.attempts, world.states()) == (attempt + 1, {"a": "COMPLETED"})
        assert 0 < world.service.period <= 60
        world.work()
        assert world.waiting()[0].attempts == attempt + 1
        world.clock.time = item.due_at
    world.work()
    assert world.waiting() == []
    assert world.states() == {"a": "DELETED"}


class Broken:
    """A storage that fails for some folders."""

    def __init__(self, bad: Collection[str], error: Exception) -> None:
        self.bad, self.error, self.asked = bad, error, list[str]()

    def entries(self, folder: str) -> list[Entry] | None:
        """Files of good ones."""
        self.asked.append(folder)
        if folder in self.bad:
            raise self.error
        return [Entry("a", 1)]

    def delete_all(self, folder: str) -> None:
        """Nothing is kept."""


@pytest.mark.parametrize("error", [Unreachable("no answer"), PermissionError("not yours"), RuntimeError("a defect")])
def test_failures_are_tried_again_and_told(world: World, error: Exception) -> None:
    """Whatever fails, the rest of the work goes on; a deletion that waits hears of each attempt; in the end it is given up."""
    world.start()
    world.add("bad", 1)
    world.add("good", 2)
    world.service = CollectorService(world.db, "cluster", lambda _config: Broken(["bad"], error))  # type: ignore[arg-type, return-value]
    world.do(checkpoints.remove, ["bad"])
    world.do(checkpoints.remove, ["good"])
    world.work()
    assert world.states() == {"bad": "COMPLETED", "good": "DELETED"}
    (item,) = world.waiting()
    assert (item.attempts, item.error) == (1, str(error))
    for _ in range(MOST_ATTEMPTS):
        world.woken.clear()
        world.clock.time += 3600_000_000
        world.work()
        if not world.waiting():
            break
        assert keys.DELETION in world.woken
    assert world.waiting() == []
    assert world.states()["bad"] == "COMPLETED"


def test_tensorboard_files_are_removed(world: World, tmp_path: Path) -> None:
    """Of some trials, then of the experiment; of one whose storage holds nothing nothing is missed."""
    world.start()
    home = world.base / "cluster" / "tensorboard" / "experiment"
    for number in (world.experiment, world.experiment + 1):
        for trial in (1, 2):
            (home / str(number) / "trial" / str(trial)).mkdir(parents=True)
    world.do(checkpoints.remove_tensorboard, world.experiment, [1])
    world.work()
    assert {path.name for path in (home / str(world.experiment) / "trial").iterdir()} == {"2"}
    world.do(checkpoints.remove_tensorboard, world.experiment)
    world.work()
    assert {path.name for path in home.iterdir()} == {str(world.experiment + 1)}
    world.base.rename(tmp_path / "unmounted")
    world.woken.clear()
    world.do(checkpoints.remove_tensorboard, world.experiment)
    world.do(checkpoints.remove_tensorboard, 999)
    world.work()
    assert world.waiting() == []
    assert keys.DELETION in world.woken


def test_checkpoints_stay_when_only_tensorboard_files_go(world: World) -> None:
    """And the other way round: a changed policy leaves TensorBoard files alone."""
    world.start(save_trial_best=0, save_trial_latest=0)
    world.add("a", 1)
    board = world.base / "cluster" / "tensorboard" / "experiment" / str(world.experiment)
    board.mkdir(parents=True)
    world.collect()
    assert world.states() == {"a": "DELETED"}
    assert board.exists()
