"""Many writers at once on SQLite, with strangers who read, lock and copy the database file beside the server."""

import collections
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.recovery.support import Killed

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

PROCESSES, THREADS, SECONDS = 4, 12, 6
WRITER = """
import http.client, json, sys, threading, time
host, port, token, trial, run, task, me, threads, seconds = sys.argv[1:]
end = time.monotonic() + float(seconds)
told, slowest, trouble = [], [0.0], []

def work(number):
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    headers = {"Authorization": "Bearer " + token}
    done = 0
    while time.monotonic() < end:
        done += 1
        mark = f"{me}.{number}.{done}"
        turn = done % 4
        if number == 0:
            config = "{name: crowd, entrypoint: x, searcher: {name: single, metric: l}, resources: {slots_per_trial: 0}}"
            calls = [("POST", "experiments", {"config": config, "activate": False})]
        elif number == 1:
            calls = [("GET", "experiments?limit=50", None)]
        elif turn == 0:
            line = {"taskId": task, "timestamp": "2026-01-01T00:00:00Z", "log": mark + "\\n"}
            calls = [("POST", "task/logs", {"logs": [line] * 3})]
        else:
            steps = int(me) * 10_000_000 + number * 100_000 + done
            metrics = {"trialRunId": int(run), "stepsCompleted": steps, "metrics": {"avgMetrics": {"l": done, "m": 1.5}}}
            calls = [("POST", f"trials/{trial}/metrics", {"group": "training", "metrics": metrics})]
        for method, path, body in calls:
            began = time.monotonic()
            connection.request(method, "/api/v1/" + path, body and json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
            slowest[0] = max(slowest[0], time.monotonic() - began)
            if answer.status != 200:
                trouble.append([answer.status, path, text.decode()[:200]])
            elif "metrics" in path:
                told.append(["report", body["metrics"]["stepsCompleted"]])
            elif path == "task/logs":
                told.append(["line", mark])
            elif number == 0:
                connection.request("POST", f"/api/v1/experiments/{json.loads(text)['experiment']['id']}/kill", "", headers)
                killed = connection.getresponse()
                killed.read()
                if killed.status != 200:
                    trouble.append([killed.status, "kill", ""])
                told.append(["experiment", 1])

workers = [threading.Thread(target=work, args=(number,)) for number in range(int(threads))]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
print(json.dumps({"told": told, "slowest": slowest[0], "trouble": trouble}))
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Killed]:
    """A server without an agent."""
    killed = Killed(tmp_path, flags=["--no-agent"])
    killed.start()
    yield killed
    killed.stop()


def test_a_crowd_of_writers_meets_no_lock(server: Killed, tmp_path: Path) -> None:
    """No error, and all that was acknowledged once. A reader holds nobody up, a lock only while it is held; a copy is whole."""
    config = "{name: crowd, entrypoint: x, searcher: {name: single, metric: l}}"
    experiment = server.api("POST", "experiments", {"config": config, "unmanaged": True})["experiment"]["id"]
    trial = server.api("POST", "trials", {"experimentId": experiment, "unmanaged": True})["trial"]
    run = server.api("POST", f"trials/{trial['id']}/start", {"resume": True})["trialRunId"]
    command = [sys.executable, "-c", WRITER, "127.0.0.1", str(server.port), server.token, str(trial["id"]), str(run)]
    command += [trial["taskId"] or server.rows("SELECT task_id FROM run_tasks")[0][0]]
    file = server.data_dir / "undeterred.db"
    crowd = [
        subprocess.Popen([*command, str(number), str(THREADS), str(SECONDS)], stdout=subprocess.PIPE, text=True)
        for number in range(PROCESSES)
    ]
    reader = sqlite3.connect(file, isolation_level=None)
    reader.execute("BEGIN")
    first = reader.execute("SELECT count(*) FROM reports").fetchone()
    time.sleep(1.5)
    assert server.rows("SELECT count(*) FROM reports")[0] > first  # it goes on under the reader's eyes
    assert reader.execute("SELECT count(*) FROM reports").fetchone() == first
    locker = sqlite3.connect(file, isolation_level=None, timeout=30)
    locker.execute("BEGIN IMMEDIATE")
    time.sleep(1.0)
    locker.execute("ROLLBACK")
    with sqlite3.connect(tmp_path / "copy.db") as copy:
        sqlite3.connect(file).backup(copy)
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert copy.execute("SELECT count(*) FROM reports").fetchone()[0] > 0
    reader.close()
    answers = [json.loads(process.communicate(timeout=120)[0]) for process in crowd]
    assert [one for answer in answers for one in answer["trouble"]] == []
    told = collections.Counter(kind for answer in answers for kind, _ in answer["told"])
    reports = sorted(steps for answer in answers for kind, steps in answer["told"] if kind == "report")
    assert [row[0] for row in server.rows("SELECT steps FROM reports ORDER BY steps")] == reports
    lines = collections.Counter(row[0].strip() for row in server.rows("SELECT text FROM task_logs WHERE source != 'master'"))
    assert lines == {mark: 3 for answer in answers for kind, mark in answer["told"] if kind == "line"}
    assert server.rows("SELECT count(*), sum(state = 'CANCELED') FROM experiments WHERE id != ?", experiment) == [
        (told["experiment"], told["experiment"])
    ]
    assert min(told["report"], told["line"], told["experiment"]) > 20
    assert max(answer["slowest"] for answer in answers) < 20
    assert "Traceback" not in server.tail()
