"""The profiler of old clients."""

from typing import Any

from tests.api import unmanaged
from tests.api.unmanaged import patch, trial
from tests.support import Client
from undeterred.app import App
from undeterred.engine import keys


def batch(trial_id: int, **fields: Any) -> dict[str, Any]:
    """A batch of one series."""
    labels = {"trialId": trial_id, "name": "cpu", "metricType": "PROFILER_METRIC_TYPE_SYSTEM"}
    return {"values": [1.5], "batches": [1], "timestamps": ["2020-01-01T00:00:00Z"], "labels": labels} | fields


async def test_batches_are_accepted_and_series_are_empty(client: Client) -> None:
    """Also no batch at all."""
    t = await trial(client, await unmanaged.experiment(client))
    await client.ok("POST", "trials/profiler/metrics", {"batches": [batch(t), batch(t)]})
    await client.ok("POST", "trials/profiler/metrics", {})
    assert (await client.get(f"trials/{t}/profiler/available_series")).lines == [{"labels": []}]
    assert (await client.get(f"trials/{t}/profiler/metrics")).text == ""


async def test_mistakes_are_told(client: Client) -> None:
    """Uneven batches, unknown trials."""
    t = await trial(client, await unmanaged.experiment(client))
    cases: list[tuple[dict[str, Any], int]] = [
        ({"values": []}, 400),
        ({"timestamps": []}, 400),
        ({"labels": None}, 404),
        ({"labels": {"trialId": 9}}, 404),
    ]
    for bad, status in cases:
        answer = await client.post("trials/profiler/metrics", {"batches": [batch(t), batch(t, **bad)]})
        assert answer.status == status, bad
    for path in ("trials/999/profiler/metrics", "trials/999/profiler/available_series"):
        assert (await client.get(path)).status == 404


async def test_followers_leave_with_the_trial(client: Client, app: App) -> None:
    """Nobody waits for a trial that has ended."""
    e = await unmanaged.experiment(client)
    t = await trial(client, e)
    async with client.stream(app.asgi, f"trials/{t}/profiler/available_series", follow="true") as stream:
        assert await stream.next() == {"labels": []}
        await patch(client, t, "COMPLETED")
        assert await stream.rest() == []
    assert app.waiters.count(keys.experiment(e)) == 0
    for what in ("metrics", "available_series"):
        assert (await client.get(f"trials/{t}/profiler/{what}", follow="true")).status == 200
