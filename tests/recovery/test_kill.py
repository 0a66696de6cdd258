"""kill -9 of the server while trials run: the trials go on, and nothing of them is lost or stored twice."""

import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.recovery.support import Killed, task_processes

pytestmark = pytest.mark.e2e

KILLS = int(os.environ.get("RECOVERY_KILLS", "4"))
"""How often the server is killed at random points; `make recovery` and `make recovery-long` set more."""

TRIALS = max(8, KILLS // 2)
"""Of each search: so many that they outlive the kills."""

HARNESS = """
import logging, time
import determined as det
from determined import core

logging.basicConfig(level=logging.INFO, format=det.LOG_FORMAT)
info = det.get_cluster_info()
with core.init(tensorboard_mode=core.TensorboardMode.MANUAL) as context:
    for step in range(1, 31):
        context.train.report_training_metrics(steps_completed=step, metrics={"loss": 1.0 / step})
        context.train.report_progress(step / 30)
        print(f"step {step} of 30", flush=True)
        if step % 10 == 0:
            context.train.report_validation_metrics(steps_completed=step, metrics={"loss": 1.0 / step})
            with context.checkpoint.store_path({"steps_completed": step}) as (path, _):
                (path / "step").write_text(str(step))
        time.sleep(0.1)
"""

PLAIN = """
import http.client, json, os, pathlib, sys, time, urllib.parse

url = urllib.parse.urlsplit(os.environ["DET_MASTER"])
trial, run = int(os.environ["DET_TRIAL_ID"]), int(os.environ["DET_TRIAL_RUN_ID"])
headers = {"Grpc-Metadata-x-allocation-token": "Bearer " + os.environ["DET_SESSION_TOKEN"]}
acked = pathlib.Path(os.environ["ACKED"], f"{trial}.{run}")

def call(method, path, body=None):
    while True:  # the server may be away: ask again until it answers
        try:
            connection = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
            connection.request(method, "/api/v1/" + path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status == 200:
                return json.loads(text)
            if answer.status < 500:
                raise SystemExit(f"{method} {path}: {answer.status} {text}")
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.1)

allocation = os.environ["DET_ALLOCATION_ID"]
x = json.loads(os.environ["DET_HPARAMS"])["x"]
for step in range(1, 13):
    print(f"{trial}.{run} step {step}", flush=True)
    metrics = {"trialRunId": run, "stepsCompleted": step, "metrics": {"avgMetrics": {"loss": x / step, "t": step}}}
    call("POST", f"trials/{trial}/metrics", {"group": "validation", "metrics": metrics})
    with acked.open("a") as file:
        file.write(f"{step}\\n")
    time.sleep(0.1)
    if call("GET", f"allocations/{allocation}/signals/preemption?timeoutSeconds=0")["preempt"]:
        call("POST", f"allocations/{allocation}/signals/ack_preemption", {})
        break
print(f"{trial}.{run} done", flush=True)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Killed]:
    """A server with four slots."""
    killed = Killed(tmp_path, slots=4)
    killed.start()
    yield killed
    killed.stop()


def test_a_trial_outlives_the_server(server: Killed) -> None:
    """Metrics, checkpoints, progress, log lines and exit of an unmodified harness: each is there once, no restart is counted."""
    config = {
        "name": "outlives",
        "entrypoint": "python3 train.py",
        "searcher": {"name": "single", "metric": "loss"},
        "max_restarts": 0,
    }
    experiment = server.submit(config, {"train.py": HARNESS})
    server.until(lambda: server.rows("SELECT 1 FROM reports WHERE steps >= 5"), "a report")
    server.kill9()
    time.sleep(1.5)
    server.start()
    server.until(lambda: server.state(experiment) in ("COMPLETED", "ERROR"), "the end of the experiment", 90)
    assert server.state(experiment) == "COMPLETED"
    assert server.rows("SELECT state, restarts, run_number, progress FROM runs") == [("COMPLETED", 0, 1, 1.0)]
    steps = [
        row[0]
        for row in server.rows(
            "SELECT steps FROM reports r JOIN metric_groups g ON g.id = r.group_id WHERE g.name = 'training' ORDER BY steps"
        )
    ]
    assert steps == list(range(1, 31))
    assert [row[0] for row in server.rows("SELECT steps_completed FROM checkpoints ORDER BY steps_completed")] == [10, 20, 30]
    assert _lines(server, "step %") == [f"step {step} of 30" for step in range(1, 31)]
    assert task_processes(server.data_dir) == []


def test_searches_survive_many_deaths_of_the_server(server: Killed, tmp_path: Path) -> None:
    """The server dies at random points while searches with early stopping run.

    Afterwards: every experiment is completed with exactly its trials; what was acknowledged to a trial is stored once; every line
    is there once and in order; replaying the searches gives the same trials; no process is left.
    """
    acked = tmp_path / "acked"
    acked.mkdir()
    chance = random.Random(int(os.environ.get("RECOVERY_SEED", "0")) or None)
    experiments = [server.submit(_search(acked, name), {"train.py": PLAIN}) for name in ("random", "async_halving")]
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.05, 2.5))
        server.kill9()
        time.sleep(chance.uniform(0, 0.5))
        server.start()
    for experiment in experiments:
        server.until(lambda one=experiment: server.state(one) in ("COMPLETED", "ERROR", "CANCELED"), "the end", 240)  # type: ignore[misc]
    assert [server.state(one) for one in experiments] == ["COMPLETED", "COMPLETED"]
    for experiment in experiments:
        _check_trials(server, experiment, acked)
    assert task_processes(server.data_dir) == []
    assert server.rows("SELECT count(*) FROM sessions WHERE kind = 'allocation'") == [(0,)]


def _search(acked: Path, name: str) -> dict[str, Any]:
    searcher: dict[str, Any] = {"name": name, "metric": "loss", "max_trials": TRIALS, "max_concurrent_trials": 3}
    if name == "async_halving":
        searcher |= {"num_rungs": 2, "divisor": 2, "max_time": 8, "time_metric": "t"}
    return {
        "name": name,
        "entrypoint": "python3 train.py",
        "searcher": searcher,
        "hyperparameters": {"x": {"type": "double", "minval": 0.5, "maxval": 2.0}},
        "environment": {"environment_variables": [f"ACKED={acked}"]},
        "max_restarts": 0,
        "resources": {"slots_per_trial": 1},
    }


def _check_trials(server: Killed, experiment: int, acked: Path) -> None:
    trials = server.rows("SELECT id, request_id, state, restarts FROM runs WHERE experiment_id = ? ORDER BY id", experiment)
    assert len(trials) == TRIALS
    assert {(state, restarts) for _, _, state, restarts in trials} == {("COMPLETED", 0)}
    assert len({request_id for _, request_id, _, _ in trials}) == TRIALS
    events = [
        json.loads(row[0])
        for row in server.rows("SELECT event FROM search_events WHERE experiment_id = ? ORDER BY seq", experiment)
    ]
    exits = [event["request_id"] for event in events if event["type"] == "trial_exited"]
    assert sorted(exits) == sorted(request_id for _, request_id, _, _ in trials)
    for trial, _, _, _ in trials:
        told = [int(line) for path in sorted(acked.glob(f"{trial}.*")) for line in path.read_text().split()]
        stored = [
            row[0] for row in server.rows("SELECT steps FROM reports WHERE run_id = ? AND NOT archived ORDER BY steps", trial)
        ]
        assert stored == told == list(range(1, len(told) + 1))
        runs = sorted(int(path.name.partition(".")[2]) for path in acked.glob(f"{trial}.*"))
        expected = [f"{trial}.{run} step {step}" for run in runs for step in range(1, len(told) + 1)]
        assert _lines(server, f"{trial}.%") == [*expected, f"{trial}.{runs[-1]} done"]


def _lines(server: Killed, pattern: str) -> list[str]:
    query = "SELECT text FROM task_logs WHERE stdtype = 'stdout' AND text LIKE ? ORDER BY id"
    return [row[0].rstrip("\n") for row in server.rows(query, pattern)]
