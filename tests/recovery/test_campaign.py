"""Server, supervisors and tasks are killed at random while a search runs; then the database is held against the trials' words."""

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.recovery.support import Killed, task_processes
from tests.recovery.test_kill import KILLS, PLAIN

TRIALS = 8 + KILLS // 10
"""Few end while everything dies around them; some are left for afterwards."""

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(36000 if KILLS > 100 else 300)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Killed]:
    """A server with four slots."""
    killed = Killed(tmp_path, slots=4)
    killed.start()
    yield killed
    killed.stop()


def records(server: Killed) -> list[dict[str, Any]]:
    """Start records of all run folders that have one."""
    found = []
    for path in (server.data_dir / "runs").glob("*/start.json"):
        try:
            found.append(json.loads(path.read_text()) | {"trial": int(path.parent.name.partition(".")[0])})
        except (OSError, ValueError):
            continue
    return found


def kill_one(server: Killed, chance: random.Random) -> str | None:
    """Kill the supervisor (`shim`) or the task of a random run; which of them, None when there was none."""
    alive = [one for one in records(server) if Path("/proc", str(one["shim"]["pid"])).exists()]
    if not alive:
        return None
    victim = chance.choice(alive)
    which = chance.choice(["shim", "task"]) if victim["task"] else "shim"
    try:
        os.kill(victim[which]["pid"], signal.SIGKILL)
    except ProcessLookupError:
        return None
    return which


def test_everything_that_can_die_dies(server: Killed, tmp_path: Path) -> None:
    """All trials complete. What a run was acknowledged is stored once, as its own; every line of it, once and in order."""
    acked = tmp_path / "acked"
    acked.mkdir()
    chance = random.Random(int(os.environ.get("RECOVERY_SEED", "0")) or None)
    config = {
        "name": "campaign",
        "entrypoint": "python3 train.py",
        "searcher": {"name": "random", "metric": "loss", "max_trials": TRIALS, "max_concurrent_trials": 4},
        "hyperparameters": {"x": {"type": "double", "minval": 0.5, "maxval": 2.0}},
        "environment": {"environment_variables": [f"ACKED={acked}"]},
        "max_restarts": 1000,
        "resources": {"slots_per_trial": 1},
    }
    experiment = server.submit(config, {"train.py": PLAIN})
    killed: Counter[str | None] = Counter()
    turn = 0
    while killed.total() - killed[None] < KILLS:
        turn += 1
        time.sleep(chance.uniform(0.05, 0.8))
        if turn % 4 == 0:
            server.kill9()
            killed.update(("server", kill_one(server, chance)))
            server.start()
        else:
            killed.update((kill_one(server, chance),))
    server.until(lambda: server.state(experiment) in ("COMPLETED", "ERROR", "CANCELED"), "the end", 120 + 10 * KILLS)
    assert server.state(experiment) == "COMPLETED"
    trials = server.rows("SELECT id, state, restarts, run_number FROM runs ORDER BY id")
    assert len(trials) == TRIALS
    assert {state for _, state, _, _ in trials} == {"COMPLETED"}
    assert sum(restarts for _, _, restarts, _ in trials) <= killed["task"]
    for trial, _, restarts, number in trials:
        assert restarts < number
        for run in range(1, number + 1):
            check_run(server, acked, trial, run, last=run == number)
    assert task_processes(server.data_dir) == []
    assert server.rows("SELECT count(*) FROM sessions WHERE kind = 'allocation'") == [(0,)]
    assert server.rows("SELECT count(*) FROM allocations WHERE state != 'TERMINATED'") == [(0,)]
    (reports,) = server.rows("SELECT count(*) FROM reports")[0]
    (lines,) = server.rows("SELECT count(*) FROM task_logs")[0]
    print(f"killed: {killed['server']} servers, {killed['shim']} supervisors, {killed['task']} tasks")
    print(
        f"{TRIALS} trials in {sum(number for *_, number in trials)} runs, {reports} reports, {lines} lines; none lost or doubled"
    )


def check_run(server: Killed, acked: Path, trial: int, run: int, *, last: bool) -> None:
    """Reports and lines of one run of a trial; those of runs before the last are archived."""
    path = acked / f"{trial}.{run}"
    told = [int(line) for line in path.read_text().split()] if path.exists() else []
    query = "SELECT steps, archived FROM reports WHERE run_id = ? AND run_number = ? ORDER BY steps"
    stored = server.rows(query, trial, run)
    steps = [step for step, _ in stored]
    assert steps[: len(told)] == told == list(range(1, len(told) + 1))
    assert len(steps) <= len(told) + 1  # one may have been stored whose answer came too late
    assert {bool(archived) for _, archived in stored} <= {not last}
    lines = server.rows("SELECT text FROM task_logs WHERE stdtype = 'stdout' AND text LIKE ? ORDER BY id", f"{trial}.{run} %")
    printed = [text.strip() for (text,) in lines]
    expected = [f"{trial}.{run} step {step}" for step in range(1, 13)] + [f"{trial}.{run} done"]
    assert printed == expected[: len(printed)]
    assert len(printed) >= len(told)
    if last:
        assert printed == expected
