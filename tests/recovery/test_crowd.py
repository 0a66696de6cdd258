"""Many writers at once on SQLite, with strangers who read, lock and copy the database file beside the server."""

import collections
import contextlib
import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.recovery import crowd
from tests.recovery.support import Killed

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

PROCESSES, SECONDS, LOCKED_S = 4, 9, 3.0
CONFIG = "{name: crowd, entrypoint: x, searcher: {name: single, metric: l}}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Killed]:
    """A server without an agent."""
    killed = Killed(tmp_path, flags=["--no-agent"])
    killed.start()
    yield killed
    killed.stop()


def begin(server: Killed) -> list[subprocess.Popen[str]]:
    """The crowd: 64 writers and 8 who read lists, all on one trial."""
    experiment = server.api("POST", "experiments", {"config": CONFIG, "unmanaged": True})["experiment"]["id"]
    trial = server.api("POST", "trials", {"experimentId": experiment, "unmanaged": True})["trial"]
    run = server.api("POST", f"trials/{trial['id']}/start", {"resume": True})["trialRunId"]
    task = trial["taskId"] or server.rows("SELECT task_id FROM run_tasks")[0][0]
    command = [sys.executable, crowd.__file__, "127.0.0.1", str(server.port), server.token, str(trial["id"]), str(run), task]
    return [
        subprocess.Popen([*command, str(number), str(SECONDS)], stdout=subprocess.PIPE, text=True) for number in range(PROCESSES)
    ]


def reports(connection: sqlite3.Connection) -> int:
    """How many reports a stranger sees."""
    return int(connection.execute("SELECT count(*) FROM reports").fetchone()[0])


def lock(server: Killed, stranger: sqlite3.Connection) -> None:
    """Hold the lock of writers for a while: what is written meanwhile waits and then succeeds, what is read does not wait."""
    answers: list[Any] = []
    stranger.execute("BEGIN IMMEDIATE")
    before = reports(stranger)
    late = threading.Thread(target=lambda: answers.append(server.api("POST", "workspaces", {"name": "late"})))
    late.start()
    until = time.monotonic() + LOCKED_S
    while time.monotonic() < until:
        server.api("GET", "experiments?limit=50")
        time.sleep(0.1)
    assert (answers, reports(stranger)) == ([], before)
    stranger.execute("ROLLBACK")
    late.join(60)
    assert [answer["workspace"]["name"] for answer in answers] == ["late"]


def check_copy(file: Path, copy: Path) -> None:
    """A copy made while all write opens and is whole."""
    with contextlib.closing(sqlite3.connect(file)) as source, contextlib.closing(sqlite3.connect(copy)) as made:
        source.backup(made)
    with contextlib.closing(sqlite3.connect(copy)) as made:
        assert made.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert made.execute("PRAGMA foreign_key_check").fetchall() == []
        assert reports(made) > 0


def test_a_crowd_of_writers_meets_no_lock(server: Killed, tmp_path: Path) -> None:
    """No error, and all that was acknowledged once. A reader holds nobody up, a lock only while it is held; a copy is whole."""
    processes = begin(server)
    file = server.data_dir / "undeterred.db"
    reader = sqlite3.connect(file, isolation_level=None)
    reader.execute("BEGIN")
    first = reports(reader)
    server.until(lambda: server.rows("SELECT count(*) FROM reports")[0][0] > first, "reports under a reader's eyes")
    lock(server, sqlite3.connect(file, isolation_level=None, timeout=30))
    check_copy(file, tmp_path / "copy.db")
    assert reports(reader) == first  # it has held its transaction all the time
    reader.close()
    answers = [json.loads(process.communicate(timeout=120)[0]) for process in processes]
    assert [one for answer in answers for one in answer["trouble"]] == []
    told = collections.defaultdict(list)
    for kind, what in (one for answer in answers for one in answer["told"]):
        told[kind].append(what)
    assert min(len(told[kind]) for kind in ("list", "report", "line", "checkpoint")) > 20
    assert len(told["experiment"]) == PROCESSES * crowd.MAKERS * crowd.EACH
    check_kept(server, told)
    assert "Traceback" not in server.tail()


def check_kept(server: Killed, told: dict[str, list[Any]]) -> None:
    """All that was acknowledged is there, once, and nothing else."""
    assert [str(row[0]) for row in server.rows("SELECT steps FROM reports ORDER BY steps")] == sorted(told["report"], key=int)
    lines = collections.Counter(row[0].strip() for row in server.rows("SELECT text FROM task_logs WHERE source != 'master'"))
    assert lines == dict.fromkeys(told["line"], 3)
    assert sorted(row[0] for row in server.rows("SELECT uuid FROM checkpoints")) == sorted(told["checkpoint"])
    killed = server.rows("SELECT id, state FROM experiments WHERE id != 1 ORDER BY id")
    assert killed == [(one, "CANCELED") for one in sorted(told["experiment"])]
