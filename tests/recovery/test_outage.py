"""Trials whose server stands still, dies, loses its answers, or has forgotten who started them."""

import itertools
import json
import os
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.det import Det
from tests.recovery.support import PASSWORD, Killed, task_processes

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

STEADY = """
import os, pathlib, time
import determined as det
from determined import core
gate = pathlib.Path(os.environ["GATE"])
with core.init(tensorboard_mode=core.TensorboardMode.AUTO) as context:
    for step in range(1, 21):
        context.train.report_training_metrics(steps_completed=step, metrics={"loss": 1.0 / step})
        print(f"step {step}", flush=True)
        if step in (5, 10):
            context.train.report_progress(step / 20)
        time.sleep(0.05)
    while not gate.exists():
        step += 1
        context.train.report_training_metrics(steps_completed=step, metrics={"loss": 1.0 / step})
        print(f"step {step}", flush=True)
        time.sleep(0.25)
    context.train.report_validation_metrics(steps_completed=step, metrics={"loss": 1.0 / step})
    with context.checkpoint.store_path({"steps_completed": step}) as (path, _):
        (path / "step").write_text(str(step))
"""
VIEWS = ("experiment", "list", "search", "runs", "det")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Killed]:
    """A server with four slots."""
    killed = Killed(tmp_path, slots=4)
    killed.start()
    yield killed
    if killed.process is not None and killed.process.poll() is None:
        killed.process.send_signal(signal.SIGCONT)
    killed.stop()


def config(tmp_path: Path, **changes: Any) -> dict[str, Any]:
    """An experiment whose trial goes on until a gate is opened."""
    base = {
        "name": "steady",
        "entrypoint": "python3 train.py",
        "searcher": {"name": "single", "metric": "loss"},
        "environment": {"environment_variables": [f"GATE={tmp_path / 'gate'}"]},
        "max_restarts": 0,
    }
    return base | changes


def views(server: Killed, det: Det, experiment: int) -> dict[str, str]:
    """The state of an experiment as each place shows it."""
    search = server.api("POST", "experiments-search", {"offset": 0, "limit": 50})["experiments"]
    table = [line.split(",") for line in det("experiment", "list", "--all", "--csv").splitlines()]
    return {
        "experiment": server.state(experiment),
        "list": next(e["state"] for e in server.api("GET", "experiments")["experiments"] if e["id"] == experiment)[6:],
        "search": next(e["experiment"]["state"] for e in search if e["experiment"]["id"] == experiment)[6:],
        "runs": server.api("POST", "runs", {"limit": 1})["runs"][0]["state"][6:],
        "det": next(row[4] for row in table if row[0] == str(experiment)),
    }


def queued(server: Killed) -> list[str]:
    """What the job queue holds."""
    jobs = server.api("GET", "job-queues-v2?resourcePool=default")["jobs"]
    return [(job.get("full") or job.get("limited"))["summary"]["state"].removeprefix("STATE_") for job in jobs]


def steps(server: Killed) -> list[int]:
    """Steps of all training reports."""
    query = "SELECT steps FROM reports r JOIN metric_groups g ON g.id = r.group_id WHERE g.name = 'training' ORDER BY steps"
    return [row[0] for row in server.rows(query)]


def lines(server: Killed) -> list[str]:
    """What the trial has printed."""
    query = "SELECT text FROM task_logs WHERE stdtype = 'stdout' AND text LIKE 'step %' ORDER BY id"
    return [row[0].strip() for row in server.rows(query)]


def micros() -> int:
    """Now."""
    return time.time_ns() // 1000


def printed_between(server: Killed, begin: int, end: int) -> int:
    """How many lines of the trial have a time in between."""
    query = "SELECT count(*) FROM task_logs WHERE stdtype = 'stdout' AND text LIKE 'step %' AND time > ? AND time < ?"
    return int(server.rows(query, begin, end)[0][0])


def check_steady(server: Killed, experiment: int) -> None:
    """It has completed, and every step and every line is there once and in order; the log tells of nothing that was lost."""
    assert server.state(experiment) == "COMPLETED"
    ((restarts, number),) = server.rows("SELECT restarts, run_number FROM runs")
    assert (restarts, number) == (0, 1)
    stored = steps(server)
    assert stored == list(range(1, len(stored) + 1))
    assert lines(server) == [f"step {step}" for step in stored]
    times = [row[0] for row in server.rows("SELECT time FROM task_logs WHERE stdtype = 'stdout' ORDER BY id")]
    assert times == sorted(times)
    own = [row[0].strip() for row in server.rows("SELECT text FROM task_logs WHERE stdtype IS NULL ORDER BY id")]
    assert [line.split()[-1] for line in own[1:]] == ["local", "started", "successfully", "work"], own
    assert len(server.rows("SELECT 1 FROM checkpoints WHERE state = 'COMPLETED'")) == 1
    assert task_processes(server.data_dir) == []
    assert server.rows("SELECT count(*) FROM sessions WHERE kind = 'allocation'") == [(0,)]


def test_a_trial_needs_neither_its_owners_session_nor_the_server(server: Killed, tmp_path: Path) -> None:
    """The owner's password is changed, the owner logs out, the server stands still, dies, and finds all logins expired.

    Meanwhile: progress never falls, every place shows the same state. At the end: all is stored once, nothing waits.
    """
    (tmp_path / "home").mkdir()
    det = Det(server.url, PASSWORD, tmp_path / "home")
    user = {"user": {"username": "owner", "active": True}, "password": PASSWORD}
    owner = server.api("POST", "users", user)["user"]["id"]
    token = server.api("POST", "auth/login", {"username": "owner", "password": PASSWORD})["token"]
    experiment = server.submit(config(tmp_path), {"train.py": STEADY}, token)
    seen: list[float] = []

    def progress() -> float:
        seen.append(server.api("GET", f"experiments/{experiment}")["experiment"]["progress"] or 0)
        return seen[-1]

    server.until(lambda: progress() == 0.5, "half of the work")
    server.api("PATCH", f"users/{owner}", {"password": "Another1", "isHashed": False})
    with pytest.raises(AssertionError, match="401"):
        server.api("GET", "me", token=token)
    det("user", "logout", DET_USER="owner", DET_PASS="Another1")
    assert set(views(server, det, experiment).values()) <= {"RUNNING", "ACTIVE"}
    assert queued(server) == ["SCHEDULED"]
    assert server.process is not None
    away = [micros()]
    server.process.send_signal(signal.SIGSTOP)
    time.sleep(2)
    away.append(micros())
    server.process.send_signal(signal.SIGCONT)
    server.kill9()
    away.append(micros())
    time.sleep(1)
    with sqlite3.connect(server.data_dir / "undeterred.db") as db:
        assert db.execute("UPDATE sessions SET expires_at = 1 WHERE kind = 'session'").rowcount >= 1
    away.append(micros())
    server.start()
    server.token = server.api("POST", "auth/login", {"username": "admin", "password": PASSWORD})["token"]
    before = len(steps(server))
    server.until(lambda: progress() == 0.5 and len(steps(server)) > before, "reports after the death")
    assert set(views(server, det, experiment).values()) <= {"RUNNING", "ACTIVE"}
    assert queued(server) == ["SCHEDULED"]
    (tmp_path / "gate").touch()
    server.until(lambda: progress() and server.state(experiment) == "COMPLETED", "the end")
    assert progress() == 1
    assert seen == sorted(seen)
    server.until(lambda: set(views(server, det, experiment).values()) == {"COMPLETED"}, "one state in all views", 5)
    assert queued(server) == []
    check_steady(server, experiment)
    assert printed_between(server, *away[:2]) > 1
    assert printed_between(server, *away[2:]) > 0
    det("experiment", "wait", str(experiment), "--polling-interval", "1")
    det.close()
    (board,) = (server.data_dir / "storage").glob("*/tensorboard")
    assert list(board.rglob("*tfevents*"))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_an_outage_of_any_length(server: Killed, tmp_path: Path, how: signal.Signals) -> None:
    """Longer than any usual chain of retries (`OUTAGE_SECONDS`, 720 by default): the trial lives and nothing is lost."""
    experiment = server.submit(config(tmp_path), {"train.py": STEADY})
    server.until(lambda: len(steps(server)) > 20, "some reports")
    assert server.process is not None
    server.process.send_signal(how)
    begin = micros()
    time.sleep(float(os.environ.get("OUTAGE_SECONDS", "720")))
    end = micros()
    if how is signal.SIGSTOP:
        server.process.send_signal(signal.SIGCONT)
    else:
        server.process.wait()
        server.start()
    (tmp_path / "gate").touch()
    server.until(lambda: server.state(experiment) in ("COMPLETED", "ERROR"), "the end", 120)
    check_steady(server, experiment)
    assert printed_between(server, begin, end) > 0


def test_a_grid_is_tried_exactly_once_over_a_death(server: Killed) -> None:
    """All combinations of nested, whole, logarithmic and true-or-false values, each once; the preview has said how many."""
    space = {
        "opt": {"lr": {"type": "categorical", "vals": [0.1, 0.01]}, "mom": 0.9},
        "depth": {"type": "int", "minval": 1, "maxval": 3, "count": 10},
        "act": {"type": "log", "base": 10, "minval": -3, "maxval": -1, "count": 2},
        "flag": {"type": "categorical", "vals": [True, False]},
    }
    tree = {
        "name": "grid",
        "entrypoint": ["true"],
        "searcher": {"name": "grid", "metric": "loss", "max_concurrent_trials": 4},
        "hyperparameters": space,
        "max_restarts": 0,
        "resources": {"slots_per_trial": 1},
    }
    preview = server.api("POST", "preview-hp-search", {"config": tree, "seed": 1})["summary"]
    assert sum(group["count"] for group in preview["trials"]) == 24
    experiment = server.submit(tree, {})
    server.until(lambda: len(server.rows("SELECT 1 FROM runs")) > 8, "a third of the trials")
    server.kill9()
    server.start()
    server.until(lambda: server.state(experiment) in ("COMPLETED", "ERROR"), "the end", 120)
    assert server.state(experiment) == "COMPLETED"
    trials = server.api("GET", f"experiments/{experiment}/trials?limit=100")["trials"]
    assert {trial["state"] for trial in trials} == {"STATE_COMPLETED"}
    found = [one | {"act": round(one["act"], 12)} for one in (trial["hparams"] for trial in trials)]
    expected = [
        {"opt": {"lr": lr, "mom": 0.9}, "depth": depth, "act": act, "flag": flag}
        for lr, depth, act, flag in itertools.product((0.1, 0.01), (1, 2, 3), (0.001, 0.1), (True, False))
    ]
    assert sorted(json.dumps(one, sort_keys=True) for one in found) == sorted(json.dumps(one, sort_keys=True) for one in expected)


class Lossy:
    """A way to the server on which every third answer to a POST is lost after the server has done its work."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.lost = 0
        self._posts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """No further connections."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(caller,), daemon=True).start()

    def _carry(self, caller: socket.socket) -> None:
        with caller, socket.create_connection(self._target) as server:
            while request := _message(caller):
                server.sendall(request)
                answer = _message(server)
                if request.startswith(b"POST"):
                    self._posts += 1
                    if self._posts % 3 == 0:
                        self.lost += 1
                        return
                caller.sendall(answer)


def _message(source: socket.socket) -> bytes:
    """One HTTP message with its body, or nothing at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = source.recv(65536)
        if not part:
            return b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    sizes = [int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while len(body) < sum(sizes):
        body += source.recv(65536)
    return head + b"\r\n\r\n" + body


def test_reports_whose_answers_are_lost_are_stored_once(tmp_path: Path) -> None:
    """Every third answer to metrics, progress and checkpoints never arrives, so the harness says all of it again."""
    server = Killed(tmp_path)
    lossy = Lossy(server.port)
    server.environment["UNDETERRED_MASTER_URL"] = f"http://127.0.0.1:{lossy.port}"
    (tmp_path / "gate").touch()
    server.start()
    try:
        experiment = server.submit(config(tmp_path), {"train.py": STEADY})
        server.until(lambda: server.state(experiment) in ("COMPLETED", "ERROR"), "the end", 90)
        check_steady(server, experiment)
        assert steps(server) == list(range(1, 21))
        assert lossy.lost > 10
        trial = server.api("GET", f"experiments/{experiment}/trials")["trials"][0]
        assert trial["summaryMetrics"]["avg_metrics"]["loss"]["count"] == 20
    finally:
        lossy.close()
        server.stop()
