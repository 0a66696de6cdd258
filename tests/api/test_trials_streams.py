"""Reports of metrics as streams."""

from tests.api import unmanaged
from tests.api.unmanaged import report, trial
from tests.support import Client
from undeterred.app import App
from undeterred.engine.reports import store_batch
from undeterred.store.reports import Report

PATH = "trials/metrics/trial_metrics"


async def test_each_group_has_its_own_form(client: Client) -> None:
    """Validations under their own key, all others with the values per batch."""
    t = await trial(client, await unmanaged.experiment(client))
    await report(client, t, 1, {"loss": 1}, batches=[{"loss": 2}])
    await report(client, t, 2, {"loss": "NaN"}, "validation", time="2020-01-01T00:00:01.123456Z")
    await report(client, t, 3, {"score": None}, "inference")
    (training,) = (await client.get("trials/metrics/training_metrics", trialIds=t)).lines
    assert training["metrics"][0]["metrics"] == {"avg_metrics": {"loss": 1}, "batch_metrics": [{"loss": 2}]}
    assert (await client.get(PATH, trialIds=t, group="training")).lines == [training]
    (validation,) = (await client.get("trials/metrics/validation_metrics", trialIds=t)).lines
    one = validation["metrics"][0]
    assert one["metrics"] == {"validation_metrics": {"loss": "NaN"}}
    assert (one["endTime"], one["totalBatches"], one["trialRunId"]) == ("2020-01-01T00:00:01.123456Z", 2, 1)
    assert (one["group"], one["archived"], one["trialId"]) == ("validation", False, t)
    (custom,) = (await client.get(PATH, trialIds=t, group="inference")).lines
    assert custom["metrics"][0]["metrics"] == {"avg_metrics": {"score": None}, "batch_metrics": None}


async def test_trials_follow_one_another_in_pages(client: Client, app: App) -> None:
    """At most 1,000 reports in a message, all of them once, each trial in the order asked for."""
    e = await unmanaged.experiment(client)
    a, b = await trial(client, e), await trial(client, e)
    batch = [
        Report(run, 1, "training", steps, None, {"x": steps}) for run, most in ((a, 2001), (b, 1000)) for steps in range(most)
    ]
    await app.db.write(lambda tx: store_batch(tx, batch))
    messages = (await client.get(PATH, trialIds=[b, a, b], group="training")).lines
    assert [len(message["metrics"]) for message in messages] == [1000, 1000, 1000, 1]
    found = [(one["trialId"], one["totalBatches"]) for message in messages for one in message["metrics"]]
    assert found == [(b, steps) for steps in range(1000)] + [(a, steps) for steps in range(2001)]


async def test_profiles_are_read_like_all_metrics(client: Client) -> None:
    """They have no steps and come in the order of their arrival."""
    t = await trial(client, await unmanaged.experiment(client))
    for load in (3, 1, 2):
        await report(client, t, None, {"load": load}, "gpu", time=f"2020-01-01T00:00:0{load}Z")
    (message,) = (await client.get(PATH, trialIds=t, group="gpu")).lines
    assert [one["metrics"]["avg_metrics"]["load"] for one in message["metrics"]] == [3, 1, 2]


async def test_nothing_reported_is_an_empty_stream(client: Client) -> None:
    """Whatever the group is called."""
    t = await trial(client, await unmanaged.experiment(client))
    for group in ("nope", "g.h", "", "training"):
        answer = await client.get(PATH, trialIds=t, group=group)
        assert (answer.status, answer.text) == (200, "")


async def test_mistakes_are_told_before_the_first_message(client: Client) -> None:
    """With a real status; in the shape of a stream when the request could be read."""
    await trial(client, await unmanaged.experiment(client))
    for path in (PATH, "trials/metrics/training_metrics", "trials/metrics/validation_metrics"):
        for ids, status, stream in (([], 400, True), ([999], 404, True), (["x"], 400, False), ([1, 999], 404, True)):
            answer = await client.get(path, trialIds=ids)
            assert answer.status == status, (path, ids)
            assert ("httpCode" in answer.error) is stream, (path, ids)
