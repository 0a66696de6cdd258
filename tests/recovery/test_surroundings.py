"""A server in odd surroundings: a far time zone, an ASCII terminal, writing into a pipe; and names of every kind."""

import csv
import io
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.det import Det
from tests.recovery.support import PASSWORD, Killed

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

ODD = {"TZ": "Asia/Kolkata", "LC_ALL": "C", "LANG": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
NAME = "naïve 模型 🎉 \t سلام"
SCRIPT = f"""
import time
from determined import core
with core.init(tensorboard_mode=core.TensorboardMode.MANUAL) as context:
    print({NAME!r}, flush=True)
    context.train.report_validation_metrics(steps_completed=1, metrics={{"loss": 1.0}})
    time.sleep(1)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Killed]:
    """A server with everything odd."""
    killed = Killed(tmp_path, environment=ODD)
    killed.start()
    yield killed
    killed.stop()


def raw(server: Killed, method: str, path: str, body: bytes | None = None) -> tuple[int, str]:
    """Status and body of a call whose body is given byte by byte."""
    headers = {"Authorization": f"Bearer {server.token}"}
    request = urllib.request.Request(f"{server.url}/{path}", body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def said(server: Killed, path: str) -> list[str]:
    """The lines of a log."""
    return [json.loads(line)["result"]["log"] for line in raw(server, "GET", path)[1].splitlines()]


def times(value: Any) -> Iterator[str]:
    """Every text that looks like a time of this century."""
    if isinstance(value, dict):
        for one in value.values():
            yield from times(one)
    elif isinstance(value, list):
        for one in value:
            yield from times(one)
    elif isinstance(value, str) and value.startswith("20") and "T" in value:
        yield value


def test_times_are_utc_and_names_are_whole(server: Killed, tmp_path: Path) -> None:
    """Wherever the server is: times end in Z and are true, durations too, filters honour offsets; nothing is cut or escaped."""
    (tmp_path / "home").mkdir()
    det = Det(server.url, PASSWORD, tmp_path / "home")
    before = datetime.now(UTC)
    config = {"name": NAME, "description": "🎉" * 1000, "labels": [NAME], "max_restarts": 0, "resources": {"slots_per_trial": 1}}
    config |= {"entrypoint": "python3 train.py", "searcher": {"name": "single", "metric": "loss"}}
    experiment = server.submit(config, {"train.py": SCRIPT})
    server.until(lambda: server.state(experiment) in ("COMPLETED", "ERROR"), "the end")
    after = datetime.now(UTC)
    shown = server.api("GET", f"experiments/{experiment}")
    trial = server.api("GET", f"experiments/{experiment}/trials")["trials"][0]
    assert shown["experiment"]["state"] == "STATE_COMPLETED"
    assert (shown["experiment"]["name"], shown["experiment"]["description"]) == (NAME, "🎉" * 1000)
    found = list(times([shown, trial, server.api("GET", "job-queues-v2?resourcePool=default"), server.api("GET", "agents")]))
    assert len(found) > 5
    for text in found:
        assert text.endswith("Z")
        assert before.timestamp() - 60 < datetime.fromisoformat(text).timestamp() <= after.timestamp()
    ran = datetime.fromisoformat(trial["endTime"]) - datetime.fromisoformat(trial["startTime"])
    assert 1 <= ran.total_seconds() <= (after - before).total_seconds()
    status, table = raw(
        server, "GET", "resources/allocation/raw?timestamp_after=2020-01-01T00:00:00Z&timestamp_before=2099-01-01T00:00:00Z"
    )
    assert status == 200
    (row,) = csv.DictReader(io.StringIO(table))
    assert 1 <= float(row["seconds"]) <= (after - before).total_seconds()

    logs = f"api/v1/tasks/{urllib.parse.quote(trial['taskId'])}/logs?limit=0"
    hour = urllib.parse.quote(time.strftime("%Y-%m-%dT%H:%M:%S+05:30", time.gmtime(before.timestamp() + 6.5 * 3600)))
    assert NAME + "\n" in said(server, logs)
    assert said(server, f"{logs}&timestampAfter={hour}") == []  # an hour from now, told in the server's own zone
    assert NAME + "\n" in said(server, f"{logs}&timestampBefore={hour}")

    utf8 = {"PYTHONIOENCODING": "utf-8"}
    assert NAME.partition("\t")[0] in det("experiment", "list", "--all", **utf8)
    assert NAME.partition("\t")[0] in det("experiment", "describe", str(experiment), **utf8)
    assert NAME.partition("\t")[0] in det("trial", "logs", str(trial["id"]), **utf8)
    assert [one["id"] for one in server.api("GET", f"experiments?name={urllib.parse.quote('🎉')}")["experiments"]] == [experiment]
    det.close()


def test_a_report_from_another_zone_and_names_without_end(server: Killed) -> None:
    """An offset is turned into UTC; lone surrogates become U+FFFD; what is too long is kept whole or refused, never cut."""
    body = {"config": "{name: away, entrypoint: x, searcher: {name: single, metric: l}}", "unmanaged": True}
    experiment = server.api("POST", "experiments", body)["experiment"]["id"]
    trial = server.api("POST", "trials", {"experimentId": experiment, "unmanaged": True})["trial"]["id"]
    run = server.api("POST", f"trials/{trial}/start", {"resume": True})["trialRunId"]
    metrics = {
        "trialRunId": run,
        "stepsCompleted": 1,
        "metrics": {"avgMetrics": {"l": 1}},
        "reportTime": "2026-01-01T09:00:00+09:00",
    }
    server.api("POST", f"trials/{trial}/metrics", {"group": "validation", "metrics": metrics})
    shown = server.api("GET", f"trials/{trial}")["trial"]["bestValidation"]["endTime"]
    assert shown == "2026-01-01T00:00:00Z"
    for path, key, value in (
        (f"api/v1/experiments/{experiment}", "name", (NAME + "\n") * 400),
        (f"api/v1/experiments/{experiment}", "description", "d🎉" * 300_000),
        (f"api/v1/experiments/{experiment}", "labels", ["l" * 5000]),
        ("api/v1/users/1", "displayName", NAME),
    ):
        status, answer = raw(server, "PATCH", path, json.dumps({key: value}).encode())
        assert status in (200, 400), (key, status, answer[:300])
        if status == 200:
            assert json.dumps(value)[1:-1] in json.dumps(json.loads(answer)), key
        else:
            assert key in answer or "long" in answer
    status, answer = raw(server, "PATCH", f"api/v1/experiments/{experiment}", b'{"description": "a\\ud83cb"}')
    assert status == 200
    assert json.loads(answer)["experiment"]["description"] == "a\ufffdb"
    assert "Traceback" not in server.tail()
