"""Times where the server's own zone is far from UTC, also in the hour that comes twice when summer time ends."""

import csv
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.registered import uuid
from tests.api.running import Site, end, pretend, token_of
from tests.clocks import Hands
from tests.conftest import make_settings
from tests.databases import Stores
from tests.support import Client
from undeterred.base import json
from undeterred.base.clock import SECOND, from_text
from undeterred.store.database import Tx
from undeterred.store.schema.webhooks import webhook_deliveries

CONFIG = "{name: %s, entrypoint: python x.py, searcher: {name: single, metric: loss}, max_restarts: 0}"
BEFORE = "2026-11-01T04:29:58Z"
"""Two seconds before the clocks of St. John's go back from 02:00 to 01:00."""


@pytest.fixture(params=["America/St_Johns", "Asia/Kolkata"])
def site(request: pytest.FixtureRequest, stores: Stores, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A server in this zone, at that time."""
    with stores.seeded(data_dir) as url, monkeypatch.context() as patched:
        patched.setenv("TZ", request.param)
        time.tzset()
        yield Site(url, data_dir, make_settings(), Hands(from_text(BEFORE)))
    time.tzset()


async def submit(client: Client, name: str) -> tuple[int, int]:
    """An active experiment: its number and that of its trial."""
    made = (await client.ok("POST", "experiments", {"config": CONFIG % name, "activate": True}))["experiment"]
    return made["id"], made["trialIds"][0]


async def lines(client: Client, task: str, **query: str) -> list[str]:
    """The task's own lines in a log that a filter lets through."""
    found = [line["log"].strip() for line in (await client.get(f"tasks/{task}/logs", **query)).lines]
    return [line for line in found if line.startswith("line ")]


def delivered(tx: Tx) -> list[Any]:
    """What webhooks are told."""
    return [json.loads(row.body) for row in tx.rows(webhook_deliveries.select())]


async def test_five_seconds_are_five_seconds(site: Site) -> None:
    """As shown, in tables of usage and to webhooks; the latest stays the latest, the queue in its order; filters know offsets."""
    async with site.up() as (app, client):
        trigger = {"triggerType": "TRIGGER_TYPE_EXPERIMENT_STATE_CHANGE", "condition": {"state": "COMPLETED"}}
        hook = {"url": "http://127.0.0.1:9/", "webhookType": "WEBHOOK_TYPE_DEFAULT", "name": "h", "triggers": [trigger]}
        await client.ok("POST", "webhooks", hook)
        experiment, trial = await submit(client, "first")
        allocation = await pretend(app)
        task, token = allocation.rpartition(".")[0], f"token:{token_of(allocation)}"
        waiting = []
        for step in (1, 2, 3, 4):
            site.clock.time += SECOND
            metrics = {"trialRunId": 1, "stepsCompleted": step, "metrics": {"avgMetrics": {"loss": step}}}
            await client.ok("POST", f"trials/{trial}/metrics", {"group": "validation", "metrics": metrics}, user=token)
            checkpoint = {"uuid": uuid(step), "taskId": task, "resources": {"a": "1"}, "metadata": {"steps_completed": step}}
            await client.ok("POST", "checkpoints", checkpoint, user=token)
            line = {"taskId": task, "timestamp": f"2026-11-01T10:00:0{step}+05:30", "log": f"line {step}\n"}
            await client.ok("POST", "task/logs", {"logs": [line]}, user=token)
            waiting.append((await submit(client, f"waits {step}"))[0])
        site.clock.time += SECOND
        await end(app, allocation)

        shown = (await client.ok("GET", f"trials/{trial}"))["trial"]
        assert (shown["startTime"], shown["endTime"]) == (BEFORE, "2026-11-01T04:30:03Z")
        assert (await client.ok("GET", "experiments"))["experiments"][0]["duration"] == 5
        assert shown["latestValidation"]["endTime"] == "2026-11-01T04:30:02Z"
        found = await client.ok("GET", f"trials/{trial}/checkpoints", sortByAttr="SORT_BY_END_TIME", orderBy="ORDER_BY_DESC")
        assert [(one["uuid"], one["reportTime"][-6:]) for one in found["checkpoints"]] == [
            (uuid(4), "30:02Z"),
            (uuid(3), "30:01Z"),
            (uuid(2), "30:00Z"),
            (uuid(1), "29:59Z"),
        ]
        table = await client.get(
            "/resources/allocation/raw", timestamp_after="2026-11-01T00:00:00Z", timestamp_before="2026-11-02T00:00:00Z"
        )
        (used,) = csv.DictReader(io.StringIO(table.text))
        assert (used["start_time"], used["end_time"], float(used["seconds"])) == (BEFORE, "2026-11-01T04:30:03Z", 5)
        (told,) = await app.db.read(delivered)
        assert (told["timestamp"], told["event_data"]["experiment"]["duration"]) == (site.clock.time // SECOND, 5)

        assert await lines(client, task, timestampAfter="2026-11-01T01:30:02.5-03:00") == ["line 3", "line 4"]
        assert await lines(client, task, timestampBefore="2026-11-01T13:30:02.5+09:00") == ["line 1", "line 2"]
        jobs = (await client.ok("GET", "job-queues-v2", resourcePool="default"))["jobs"]
        assert [job["full"]["entityId"] for job in jobs] == [str(number) for number in waiting]
        times = [job["full"]["submissionTime"] for job in jobs]
        assert times == sorted(times)
        assert all(text.endswith("Z") for text in times)
        for key in ("START_TIME", "ID"):
            listed = (await client.ok("GET", "experiments", sortBy=f"SORT_BY_{key}"))["experiments"]
            assert [one["id"] for one in listed] == [experiment, *waiting]


async def test_a_report_from_another_zone_is_read_back_in_utc(site: Site) -> None:
    """Its offset counts, not the server's."""
    async with site.up() as (app, client):
        _, trial = await submit(client, "first")
        token = f"token:{token_of(await pretend(app))}"
        metrics = {
            "trialRunId": 1,
            "stepsCompleted": 1,
            "reportTime": "2026-01-01T09:00:00+09:00",
            "metrics": {"avgMetrics": {"loss": 1}},
        }
        await client.ok("POST", f"trials/{trial}/metrics", {"group": "validation", "metrics": metrics}, user=token)
        assert (await client.ok("GET", f"trials/{trial}"))["trial"]["bestValidation"]["endTime"] == "2026-01-01T00:00:00Z"
