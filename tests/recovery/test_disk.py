"""A data folder whose disk fills up under a running trial, and gets room again."""

import contextlib
import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.recovery.support import PASSWORD, Killed, task_processes

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

SCRIPT = """
import os, pathlib, time
from determined import core
gate = pathlib.Path(os.environ["GATE"])
with core.init(tensorboard_mode=core.TensorboardMode.MANUAL) as context:
    step = 0
    while not gate.exists():
        step += 1
        context.train.report_training_metrics(steps_completed=step, metrics={"loss": 1.0 / step})
        print(f"step {step}", flush=True)
        time.sleep(0.1)
    gate.write_text(str(step))
"""
SMALL = "{name: x%d, entrypoint: ['true'], searcher: {name: single, metric: l}}"
STORED = {
    "workspace": "SELECT substr(name, 2) FROM workspaces WHERE name GLOB 'w[0-9]*'",
    "experiment": "SELECT substr(name, 2) FROM experiments WHERE name GLOB 'x[0-9]*'",
    "report": "SELECT steps FROM reports WHERE run_id = {trial}",
    "line": "SELECT substr(text, 6) FROM task_logs WHERE text LIKE 'line %'",
    "checkpoint": "SELECT substr(uuid, 25) FROM checkpoints WHERE run_id = {trial}",
}
"""Where the numbers of what was written are found."""
LOGIN = {"username": "admin", "password": PASSWORD}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Killed]:
    """A server whose data folder is on a disk of 60 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", str(disk)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    killed = Killed(disk)
    killed.log = tmp_path / "server.log"
    try:
        killed.start()
        yield killed
    finally:
        killed.stop()
        subprocess.run(["umount", "-l", str(disk)], check=False)


def take(path: Path, size: int) -> None:
    """Take some of the room, as far as there is so much."""
    with contextlib.suppress(OSError), path.open("ab", buffering=0) as file:
        file.write(b"0" * size)


def fill(path: Path) -> None:
    """Take all room that is left."""
    with path.open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b"0" * size)
            except OSError:
                continue


def ask(server: Killed, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Status and message of a call."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {server.token}"}
    request = urllib.request.Request(f"{server.url}/api/v1/{path}", data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


class Elsewhere:
    """A trial that is run by another program, which writes of it."""

    def __init__(self, server: Killed) -> None:
        body = {"config": "{name: away, searcher: {name: single, metric: l}}", "unmanaged": True}
        experiment = server.api("POST", "experiments", body)["experiment"]["id"]
        made = server.api("POST", "trials", {"experimentId": experiment, "unmanaged": True})["trial"]
        self.server, self.trial, self.task = server, made["id"], made["taskId"]
        self.run = server.api("POST", f"trials/{self.trial}/start", {"resume": True})["trialRunId"]
        self.acknowledged: dict[str, list[int]] = {kind: [] for kind in STORED}
        self.refusals: list[tuple[int, Any]] = []

    def write(self, number: int) -> list[tuple[str, int, Any]]:
        """One write of each kind: the kind, the status, the answer."""
        context = [{"path": "x", "type": 48, "content": "A" * (1 << 18), "mode": 0o644, "mtime": "0"}]
        metrics = {"trialRunId": self.run, "stepsCompleted": number, "metrics": {"avgMetrics": {"l": number}}}
        line = {"taskId": self.task, "timestamp": "2026-01-01T00:00:00Z", "log": f"line {number}\n"}
        about = {"uuid": f"00000000-0000-4000-8000-{number:012d}", "taskId": self.task, "resources": {"a": "1"}}
        writes = {
            "workspace": ("workspaces", {"name": f"w{number}"}),
            "experiment": ("experiments", {"config": SMALL % number, "modelDefinition": context}),
            "report": (f"trials/{self.trial}/metrics", {"group": "training", "metrics": metrics}),
            "line": ("task/logs", {"logs": [line]}),
            "checkpoint": ("checkpoints", about | {"metadata": {"steps_completed": number}}),
        }
        return [(kind, *ask(self.server, "POST", path, body)) for kind, (path, body) in writes.items()]

    def write_all(self, number: int) -> None:
        """Write, and keep apart what was acknowledged and what was refused."""
        for kind, status, answer in self.write(number):
            if status == 200:
                self.acknowledged[kind].append(number)
            else:
                self.refusals.append((status, answer))

    def stored(self, kind: str) -> list[int]:
        """The numbers of what is there of a kind."""
        return [int(row[0]) for row in self.server.rows(STORED[kind].format(trial=self.trial))]


def test_a_full_disk_stops_writers_only_and_nothing_is_lost(server: Killed, tmp_path: Path) -> None:
    """While it is full: readers and logins work, writers are told why.

    With room again everything works without a restart, what was acknowledged is there, and the trial's reports and lines arrive.
    """
    gate = tmp_path / "gate"
    config = {
        "name": "disk",
        "entrypoint": "python3 train.py",
        "searcher": {"name": "single", "metric": "loss"},
        "max_restarts": 0,
        "environment": {"environment_variables": [f"GATE={gate}"]},
    }
    elsewhere = Elsewhere(server)
    experiment = server.submit(config, {"train.py": SCRIPT})
    server.until(lambda: server.rows("SELECT 1 FROM reports WHERE steps > 5"), "reports")
    filler = server.data_dir.parent / "filler"
    number = 0
    while not elsewhere.refusals:
        number += 1
        elsewhere.write_all(number)
        take(filler, 2 << 20)
    assert all(elsewhere.acknowledged.values())
    end = time.monotonic() + 5
    while time.monotonic() < end:
        fill(filler)  # a checkpoint of the database may have made some room
        number += 1
        for path in ("experiments", f"experiments/{experiment}", "me", f"experiments/{experiment}/trials", "workspaces"):
            assert ask(server, "GET", path)[0] == 200
        status, entered = ask(server, "POST", "auth/login", LOGIN)
        assert status == 200
        server.token = entered["token"]
        elsewhere.write_all(number)
    assert {status for status, _ in elsewhere.refusals} == {503}
    assert {answer["error"]["reason"] for _, answer in elsewhere.refusals} == {"Unavailable"}
    assert all("no space left" in answer["error"]["error"] for _, answer in elsewhere.refusals)
    assert task_processes(server.data_dir) != []

    filler.unlink()
    server.until(lambda: ask(server, "POST", "workspaces", {"name": "after"})[0] in (200, 409), "room", 20)
    server.token = ask(server, "POST", "auth/login", LOGIN)[1]["token"]
    assert [status for _, status, _ in elsewhere.write(number + 1)] == [200] * len(STORED)
    gate.touch()
    server.until(lambda: server.state(experiment) in ("COMPLETED", "ERROR"), "the end", 60)
    assert server.state(experiment) == "COMPLETED"
    last = int(gate.read_text())
    steps = server.rows("SELECT steps FROM reports WHERE run_id != ? ORDER BY steps", elsewhere.trial)
    assert [row[0] for row in steps] == list(range(1, last + 1))
    lines = [row[0].strip() for row in server.rows("SELECT text FROM task_logs WHERE text LIKE 'step %' ORDER BY id")]
    assert lines == [f"step {step}" for step in range(1, last + 1)]
    for kind, numbers in elsewhere.acknowledged.items():
        found = elsewhere.stored(kind)
        assert len(found) == len(set(found)), kind
        assert {*numbers, number + 1} <= set(found), kind
    assert server.rows("PRAGMA integrity_check") == [("ok",)]
