"""Lives of experiments whose trials fail, give up, are killed or go on after the end, and of short commands."""

import contextlib
import json
import subprocess
import sys
import time
import urllib.error
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import PASSWORD, SMALL, Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SCRIPT = """
import sys, time
import determined as det
mode = det.get_cluster_info().trial.hparams["mode"]
if mode == "fails":
    time.sleep(0.3)
    sys.exit(1)
with det.core.init() as core:
    number = det.get_cluster_info().trial.hparams.get("x", 0)
    if mode == "gives up" or (mode == "gives up once" and det.get_cluster_info().trial.trial_id == int(sys.argv[1])):
        core.train.report_early_exit(det.core.EarlyExitReason.INVALID_HP)
        core.train.report_early_exit(det.core.EarlyExitReason.INVALID_HP)
    else:
        core.train.report_validation_metrics(steps_completed=1, metrics={"loss": number})
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A context with the script above."""
    (tmp_path / "train.py").write_text(SCRIPT)
    base = {"name": "lives", "entrypoint": "python3 train.py", "max_restarts": 0, "resources": {"slots_per_trial": 0}}
    base |= {"searcher": {"name": "single", "metric": "loss"}}
    (tmp_path / "config.yaml").write_text(json.dumps(base))
    return tmp_path


def trials(cluster: Cluster, experiment: int) -> list[Any]:
    """All trials by id."""
    return cluster.api("GET", f"experiments/{experiment}/trials?limit=200")["trials"]  # type: ignore[no-any-return]


def test_a_limit_of_concurrent_trials_holds_when_all_fail_or_are_killed(cluster: Cluster, folder: Path) -> None:
    """Two at a time of eight, looked at all the time: a grid whose trials fail; a search whose trials are killed in part."""
    axis = "hyperparameters.x={type: int, minval: 1, maxval: 8, count: 8}"
    grid = cluster.submit(folder, "searcher.name=grid", "searcher.max_concurrent_trials=2", axis, "hyperparameters.mode=fails")
    search = ["searcher.name=random", "searcher.max_trials=8", "searcher.max_concurrent_trials=2"]
    killed = cluster.submit(folder, *search, axis, "hyperparameters.mode=reports")
    done: set[int] = set()
    end = time.monotonic() + 90
    while True:
        for experiment in (grid, killed):
            found = trials(cluster, experiment)
            alive = [trial["id"] for trial in found if trial["state"] not in ("STATE_COMPLETED", "STATE_CANCELED", "STATE_ERROR")]
            assert len(alive) <= 2
            if experiment == killed:
                for trial in [number for number in alive if number % 2 and number not in done]:
                    done.add(trial)
                    with contextlib.suppress(urllib.error.HTTPError):  # it has just ended
                        cluster.api("POST", f"trials/{trial}/kill")
        states = [cluster.experiment(experiment)["state"] for experiment in (grid, killed)]
        if set(states) <= {"STATE_COMPLETED", "STATE_ERROR", "STATE_CANCELED"}:
            break
        assert time.monotonic() < end
        time.sleep(0.05)
    assert states == ["STATE_ERROR", "STATE_COMPLETED"]
    assert sorted(trial["hparams"]["x"] for trial in trials(cluster, grid)) == list(range(1, 9))
    assert {trial["state"] for trial in trials(cluster, grid)} == {"STATE_ERROR"}
    ends = [trial["state"] for trial in trials(cluster, killed)]
    assert len(ends) == 8
    assert set(ends) == {"STATE_COMPLETED", "STATE_CANCELED"}
    assert all(trial["restarts"] == 0 for trial in trials(cluster, grid))


def test_hyperparameters_that_cannot_work_are_replaced_once(cluster: Cluster, folder: Path) -> None:
    """Told twice by the trial: a single search ends without a replacement, a random one draws one more sample."""
    single = cluster.submit(folder, "hyperparameters.mode=gives up")
    first = cluster.trial_of(single)["id"] + 1
    search = ["searcher.name=random", "searcher.max_trials=3", "hyperparameters.x={type: double, minval: 0, maxval: 1}"]
    random = cluster.submit(folder, *search, "hyperparameters.mode=gives up once", f"entrypoint=python3 train.py {first}")
    cluster.wait(single)
    assert len(trials(cluster, single)) == 1
    assert cluster.wait(random)["state"] == "STATE_COMPLETED"
    found = trials(cluster, random)
    assert found[0]["id"] == first
    assert len(found) == 4
    assert [trial["state"] for trial in found[1:]] == ["STATE_COMPLETED"] * 3
    assert len({trial["hparams"]["x"] for trial in found}) == 4


@pytest.fixture
def owner(cluster: Cluster) -> Iterator[int]:
    """A user of their own; their id."""
    user = cluster.api("POST", "users", {"user": {"username": "owner", "active": True}, "password": PASSWORD})["user"]["id"]
    yield user
    cluster.api("PATCH", f"users/{user}", {"active": False})


def test_a_continued_experiment_stays_what_and_where_it_is(cluster: Cluster, owner: int) -> None:
    """Continued by somebody else: its owner's, in the project it was moved to, from its checkpoint; not for one who has left."""
    for name in ("place", "other"):
        cluster.det("workspace", "create", name)
        cluster.det("project", "create", name, name)
    config = ["workspace=place", "project=place", "hyperparameters.steps=2", "hyperparameters.checkpoint_every=1"]
    arguments = [item for override in config for item in ("--config", override)]
    as_owner = ("experiment", "create", str(SMALL / "config.yaml"), str(SMALL), *arguments)
    experiment = int(cluster.det(*as_owner, DET_USER="owner").split("Created experiment ")[1].split()[0])
    assert cluster.wait(experiment)["state"] == "STATE_COMPLETED"
    cluster.det("experiment", "move", str(experiment), "other", "other")
    printed = cluster.det("experiment", "continue", str(experiment), "--config", "hyperparameters.steps=3", "-f")
    assert "resumed at step 2" in printed
    assert "step 3" in printed
    shown = cluster.wait(experiment)
    assert (shown["state"], shown["projectName"], shown["workspaceName"], shown["userId"]) == (
        "STATE_COMPLETED",
        "other",
        "other",
        owner,
    )
    trial = cluster.trial_of(experiment)
    assert (trial["totalBatchesProcessed"], trial["restarts"]) == (3, 0)
    cluster.api("PATCH", f"users/{owner}", {"active": False})
    status, _, error = cluster.det.run("experiment", "continue", str(experiment))
    assert status == 1
    assert "owner" in error
    assert cluster.experiment(experiment)["state"] == "STATE_COMPLETED"
    assert len(cluster.trial_of(experiment)["taskIds"]) == 2


def test_a_short_command_keeps_its_line_and_its_status(cluster: Cluster) -> None:
    """Many at once: whoever follows reads the line, then the stream ends; the exit status is kept."""
    config = {"entrypoint": ["sh", "-c", "echo last; exit 3"], "resources": {"slots": 0}}

    def one(_number: int) -> tuple[str, str]:
        command = cluster.api("POST", "commands", {"config": config})["command"]["id"]
        log = "".join(line["log"] for line in cluster.lines(f"tasks/{command}/logs?follow=true"))
        return log, cluster.api("GET", f"commands/{command}")["command"]["exitStatus"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, range(24)))
    assert [("last\n" in log, "3" in status) for log, status in answers] == [(True, True)] * 24
    assert "last" in cluster.det("command", "run", "--config", "resources.slots=0", "sh", "-c", "echo last; exit 3", status=0)


def test_the_last_lines_before_a_kill_are_kept(cluster: Cluster, tmp_path: Path) -> None:
    """A counter with a child in the background, killed: its log ends where its own file ends, and a follower comes to an end."""
    count = tmp_path / "count"
    counter = f"sleep 600 & i=0; while :; do i=$((i+1)); echo $i; echo $i >> {count}; sleep 0.01; done"
    started = cluster.det("command", "run", "-d", "--config", "resources.slots=0", "sh", "-c", counter)
    command = started.split()[-1]
    follower = subprocess.Popen(
        [str(Path(sys.executable).parent / "det"), "command", "logs", "-f", command],
        env=cluster.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    cluster.until(lambda: count.exists() and len(count.read_text().split()), lambda lines: lines > 100, "some numbers")
    cluster.det("command", "kill", command)
    out, _ = follower.communicate(timeout=60)
    printed = [int(line.rpartition(" ")[2]) for line in out.splitlines() if line.rpartition("|| ")[2].isdigit()]
    written = int(count.read_text().split()[-1])
    assert printed == list(range(1, len(printed) + 1))
    assert printed[-1] - written in (0, 1)
