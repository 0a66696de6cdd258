"""Streams for charts that follow an experiment."""

from typing import Any

import pytest

from tests.api import unmanaged
from tests.api.unmanaged import patch, report, trial
from tests.support import Client
from undeterred.app import App
from undeterred.engine import keys
from undeterred.store import experiments
from undeterred.store.database import Tx

GIVEN = {"metricName": "loss", "group": "training"}


@pytest.fixture
async def e(client: Client) -> int:
    """A random search, larger being better."""
    return await unmanaged.experiment(client, "{name: random, metric: loss, max_trials: 9, smaller_is_better: false}")


async def once(client: Client, e: int, what: str, **query: Any) -> Any:
    """The one message of a stream whose experiment has ended."""
    answer = await client.get(f"experiments/{e}/metrics-stream/{what}", **query)
    assert answer.status == 200, answer.text
    (message,) = answer.lines
    return message


def nobody_waits(app: App, e: int) -> bool:
    """Whether no stream of the experiment is left."""
    return app.waiters.count(keys.experiment_metrics(e)) == app.waiters.count(keys.experiment(e)) == 0


async def test_metric_names_of_several_experiments(client: Client, e: int) -> None:
    """Each once, by group, with the metrics of the searches; one message when all have ended."""
    other = await unmanaged.experiment(client, "{name: single, metric: score}")
    a, b = await trial(client, e), await trial(client, other)
    await report(client, a, 1, {"loss": 1, "acc": 1})
    await report(client, b, 1, {"loss": 1}, "validation")
    await report(client, b, 1, {"x": 1}, "my group/x")
    for t in (a, b):
        await patch(client, t, "COMPLETED")
    answer = await client.get("experiments/metrics-stream/metric-names", ids=[e, other])
    assert answer.lines == [
        {
            "searcherMetrics": ["loss", "score"],
            "trainingMetrics": ["acc", "loss"],
            "validationMetrics": ["loss"],
            "metricNames": [
                {"group": "my group/x", "name": "x"},
                {"group": "training", "name": "acc"},
                {"group": "training", "name": "loss"},
                {"group": "validation", "name": "loss"},
            ],
        }
    ]


NAMES = "experiments/metrics-stream/metric-names"


async def test_a_follower_hears_what_is_new_and_leaves_with_the_experiment(client: Client, app: App, e: int) -> None:
    """An end cuts the period short: the last news come at once."""
    t = await trial(client, e)
    await report(client, t, 1, {"a": 1})
    async with client.stream(app.asgi, NAMES, ids=e, periodSeconds=600) as stream:
        assert (await stream.next())["trainingMetrics"] == ["a"]
        await report(client, t, 2, {"b": 1})
        await patch(client, t, "COMPLETED")
        assert [message["trainingMetrics"] for message in await stream.rest()] == [["a", "b"]]
    assert nobody_waits(app, e)


async def test_news_come_with_each_period(client: Client, app: App, e: int) -> None:
    """While the experiment goes on."""
    t = await trial(client, e)
    async with client.stream(app.asgi, NAMES, ids=e, periodSeconds=1) as stream:
        for names in ([], ["a"], ["a", "b"]):
            if names:
                await report(client, t, len(names), {names[-1]: 1})
            assert (await stream.next())["trainingMetrics"] == names
    assert nobody_waits(app, e)


async def test_nothing_new_is_no_message(client: Client, app: App, e: int) -> None:
    """The end alone ends the stream."""
    t = await trial(client, e)
    await report(client, t, 1, {"a": 1})
    async with client.stream(app.asgi, NAMES, ids=e) as stream:
        await stream.next()
        await report(client, t, 2, {"a": 1})
        await patch(client, t, "COMPLETED")
        assert await stream.rest() == []


async def test_a_client_that_goes_away_frees_everything(client: Client, app: App, e: int) -> None:
    """At once, whatever it waited for."""
    await trial(client, e)
    async with client.stream(app.asgi, f"experiments/{e}/metrics-stream/batches", **GIVEN) as stream:
        assert await stream.next() == {"batches": []}
    assert nobody_waits(app, e)


async def test_a_deleted_experiment_ends_its_streams(client: Client, app: App, e: int) -> None:
    """Nobody waits for what is gone."""
    await trial(client, e)

    def delete(tx: Tx) -> None:
        experiments.delete(tx, e)
        tx.wake(keys.experiment(e))

    async with client.stream(app.asgi, f"experiments/{e}/metrics-stream/batches", **GIVEN) as stream:
        await stream.next()
        await app.db.write(delete)
        assert await stream.rest() == []


async def test_batches_are_where_the_metric_was_reported(client: Client, e: int) -> None:
    """By any trial, whatever the value is."""
    a, b = await trial(client, e), await trial(client, e)
    for t, steps, metrics in ((a, 10, {"x": 1}), (b, 30, {"x": "NaN"}), (b, 20, {"x": 2}), (a, 20, {"y": 1}), (a, 40, {"y": 1})):
        await report(client, t, steps, metrics)
        await report(client, t, steps + 1, metrics, "other")
    for t in (a, b):
        await patch(client, t, "ERROR")
    assert await once(client, e, "batches", metricName="x", group="training") == {"batches": [10, 20, 30]}
    assert await once(client, e, "batches", metricName="x", metricType="METRIC_TYPE_TRAINING") == {"batches": [10, 20, 30]}
    assert await once(client, e, "batches", metricName="x", group="other") == {"batches": [11, 21, 31]}
    assert await once(client, e, "batches", metricName="x", group="nope") == {"batches": []}


async def test_a_snapshot_takes_the_nearest_report_of_each_trial(client: Client, e: int) -> None:
    """Within the margin; what is no number is not there, NaN is."""
    made = [await trial(client, e, {"n": number}) for number in range(4)]
    reports = [(0, 18, 1), (0, 21, 2), (0, 40, 3), (1, 19, "x"), (1, 25, 4), (2, 20, "NaN"), (3, 26, 5)]
    for number, steps, value in reports:
        await report(client, made[number], steps, {"loss": value}, "validation")
    for t in made:
        await patch(client, t, "COMPLETED")
    found = await once(client, e, "trials-snapshot", metricName="loss", group="validation", batchesProcessed=20, batchesMargin=5)
    assert found["trials"] == [
        {"trialId": made[0], "hparams": {"n": 0}, "metric": 2, "batchesProcessed": 21},
        {"trialId": made[1], "hparams": {"n": 1}, "metric": 4, "batchesProcessed": 25},
        {"trialId": made[2], "hparams": {"n": 2}, "metric": "NaN", "batchesProcessed": 20},
    ]
    exact = await once(client, e, "trials-snapshot", metricName="loss", group="validation", batchesProcessed=26)
    assert [one["trialId"] for one in exact["trials"]] == [made[3]]


async def test_a_sample_shows_the_best_trials(client: Client, e: int) -> None:
    """Best first, a trial without a validation last; points within the steps asked for, with the epoch."""
    made = [await trial(client, e, {"n": number}) for number in range(3)]
    for number, value in ((0, 1), (2, 5)):
        await report(client, made[number], 10, {"loss": value}, "validation")
    for steps in (10, 20, 30):
        await report(client, made[2], steps, {"acc": steps / 10, "epoch": steps // 10})
    await report(client, made[1], 20, {"other": 1})
    for t in made:
        await patch(client, t, "COMPLETED")
    query = {"metricName": "acc", "group": "training"}
    found = await once(client, e, "trials-sample", **query)
    assert found["promotedTrials"] == [one["trialId"] for one in found["trials"]] == [made[2], made[0], made[1]]
    assert found["demotedTrials"] == []
    assert [point["values"] for point in found["trials"][0]["data"]] == [{"acc": 1}, {"acc": 2}, {"acc": 3}]
    assert found["trials"][0]["data"][0]["epoch"] == 1
    assert (found["trials"][1]["hparams"], found["trials"][1]["data"], found["trials"][2]["data"]) == ({"n": 0}, [], [])
    few = await once(client, e, "trials-sample", maxTrials=1, startBatches=20, endBatches=20, **query)
    assert [(one["trialId"], [point["batches"] for point in one["data"]]) for one in few["trials"]] == [(made[2], [20])]
    thin = await once(client, e, "trials-sample", maxTrials=1, maxDatapoints=2, **query)
    assert [point["batches"] for point in thin["trials"][0]["data"]] == [10, 30]


async def test_a_halving_search_is_sampled_by_length(client: Client) -> None:
    """The trials that went furthest first."""
    searcher = "{name: async_halving, metric: loss, num_rungs: 2, max_trials: 4, max_time: 9, time_metric: t}"
    e = await unmanaged.experiment(client, searcher)
    a, b = await trial(client, e), await trial(client, e)
    for t, steps, loss in ((a, 10, 0.1), (b, 20, 9)):
        await report(client, t, steps, {"loss": loss}, "validation")
        await patch(client, t, "COMPLETED")
    found = await once(client, e, "trials-sample", metricName="loss", group="validation", maxTrials=1)
    assert found["promotedTrials"] == [b]


async def test_later_samples_hold_new_points_only(client: Client, app: App, e: int) -> None:
    """And tell which trials came in and went out; one that comes in is told as a whole."""
    a, b, c = [await trial(client, e) for _ in range(3)]
    for t, value in ((a, 3), (b, 2), (c, 1)):
        await report(client, t, 10, {"loss": value}, "validation")
        await report(client, t, 10, {"acc": value})
    path = f"experiments/{e}/metrics-stream/trials-sample"
    async with client.stream(app.asgi, path, metricName="acc", group="training", maxTrials=2) as stream:
        first = await stream.next()
        await report(client, a, 20, {"acc": 4})
        await report(client, c, 20, {"acc": 5})
        await report(client, c, 20, {"loss": 9}, "validation")
        for t in (a, b, c):
            await patch(client, t, "COMPLETED")
        (second,) = await stream.rest()
    assert (first["promotedTrials"], first["demotedTrials"]) == ([a, b], [])
    assert (second["promotedTrials"], second["demotedTrials"]) == ([c], [b])
    told = {one["trialId"]: [point["values"]["acc"] for point in one["data"]] for one in second["trials"]}
    assert told == {c: [1, 5], a: [4]}


async def test_a_single_search_has_no_sample(client: Client) -> None:
    """There is one trial."""
    e = await unmanaged.experiment(client, "{name: single, metric: loss}")
    answer = await client.get(f"experiments/{e}/metrics-stream/trials-sample", metricName="loss", group="training")
    assert answer.status == 400
    assert answer.error["grpcCode"] == 9


MISTAKES: list[Any] = [
    ("experiments/metrics-stream/metric-names", {}, 400),
    ("experiments/metrics-stream/metric-names", {"ids": 999}, 404),
    ("experiments/metrics-stream/metric-names", {"ids": "{e}", "periodSeconds": -1}, 400),
    *(
        (f"experiments/{{e}}/metrics-stream/{what}", query, 400)
        for what in ("batches", "trials-snapshot", "trials-sample")
        for query in (
            {},
            {"metricName": "loss"},
            {"group": "training"},
            {"metricName": "loss", "metricType": "METRIC_TYPE_PROFILING"},
            GIVEN | {"metricType": "METRIC_TYPE_TRAINING"},
            GIVEN | {"periodSeconds": -5},
        )
    ),
    *((f"experiments/999/metrics-stream/{what}", GIVEN, 404) for what in ("batches", "trials-snapshot", "trials-sample")),
    ("experiments/{e}/metrics-stream/trials-snapshot", GIVEN | {"batchesMargin": 101}, 400),
    ("experiments/{e}/metrics-stream/trials-snapshot", GIVEN | {"batchesMargin": -1}, 400),
    ("experiments/{e}/metrics-stream/trials-sample", GIVEN | {"maxTrials": -1}, 400),
    ("experiments/{e}/metrics-stream/trials-sample", GIVEN | {"maxDatapoints": -1}, 400),
]


async def test_mistakes_are_told(client: Client, e: int) -> None:
    """Before the first message, with a real status."""
    for path, query, status in MISTAKES:
        filled = {key: str(value).format(e=e) for key, value in query.items()}
        answer = await client.get(path.format(e=e), **filled)
        assert answer.status == status, (path, query, answer.text)
        assert answer.error["message"]
