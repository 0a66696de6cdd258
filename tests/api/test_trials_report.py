"""Reports of metrics through the API."""

import asyncio
from typing import Any

import pytest

from tests import rows
from tests.support import Client
from undeterred.app import App

CONFIG = "{name: u, searcher: {name: single, metric: loss}}"


@pytest.fixture
async def trial(client: Client, app: App) -> int:
    """A running unmanaged trial in its first start."""
    made = await client.ok("POST", "experiments", {"config": CONFIG, "unmanaged": True})
    return await app.db.write(lambda tx: rows.run(tx, made["experiment"]["id"]))


def body(steps: int | None, metrics: dict[str, Any], group: str = "training", run: int = 1) -> dict[str, Any]:
    """A report as clients send it."""
    return {"group": group, "metrics": {"trialRunId": run, "stepsCompleted": steps, "metrics": {"avgMetrics": metrics}}}


async def test_concurrent_reports_are_all_stored(client: Client, app: App, trial: int) -> None:
    """Reports of many requests share commits and none is lost."""
    answers = await asyncio.gather(*(client.post(f"trials/{trial}/metrics", body(n, {"loss": n})) for n in range(1, 101)))
    assert {answer.status for answer in answers} == {200}
    batches = await app.db.read(lambda tx: tx.value(rows.total_batches(trial)))
    assert batches == 100


async def test_one_bad_report_does_not_fail_the_others(client: Client, trial: int) -> None:
    """Each report has its own answer."""
    answers = await asyncio.gather(
        client.post(f"trials/{trial}/metrics", body(1, {"loss": 1})),
        client.post(f"trials/{trial}/metrics", body(1, {"loss": 1}, run=5)),
        client.post("trials/999999/metrics", body(1, {"loss": 1})),
        client.post(f"trials/{trial}/metrics", body(2, {"loss": 1})),
    )
    assert [answer.status for answer in answers] == [200, 400, 404, 200]


@pytest.mark.parametrize(
    "bad",
    [
        {"group": "", "metrics": {"trialRunId": 1, "stepsCompleted": 1, "metrics": {"avgMetrics": {"a": 1}}}},
        {"group": "a.b", "metrics": {"trialRunId": 1, "stepsCompleted": 1, "metrics": {"avgMetrics": {"a": 1}}}},
        {"group": "x", "metrics": {"trialRunId": 1, "stepsCompleted": 1}},
        {"group": "x", "metrics": {"trialRunId": 1, "metrics": {"avgMetrics": {"a": 1}}}},
        {"group": "training", "metrics": {"trialRunId": 1, "stepsCompleted": 1, "metrics": {"avgMetrics": {"epoch": "one"}}}},
        {},
    ],
)
async def test_mistakes_are_told(client: Client, trial: int, bad: dict[str, Any]) -> None:
    """400 in the contract's shape."""
    answer = await client.post(f"trials/{trial}/metrics", bad)
    assert answer.status == 400
    assert answer.error["reason"] == "InvalidArgument"


async def test_the_harness_s_own_report_takes_the_fast_path(client: Client, app: App, trial: int) -> None:
    """A report with the harness's explicit nulls is decoded in one pass."""
    sent = body(1, {"loss": 1})
    sent["metrics"] |= {"reportTime": None, "trialId": trial}
    sent["metrics"]["metrics"]["batchMetrics"] = None
    assert (await client.post(f"trials/{trial}/metrics", sent)).status == 200
    assert app.asgi.dispatch.codecs["ReportTrialMetrics"].slow == 0
