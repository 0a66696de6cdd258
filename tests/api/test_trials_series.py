"""Comparing trials by series of their metrics."""

from typing import Any

import pytest

from tests.api import unmanaged
from tests.api.unmanaged import report, trial
from tests.support import Client
from undeterred.app import App
from undeterred.engine.reports import store_batch
from undeterred.store.reports import Report

LOSSES = {10: 1, 20: 0.5, 30: "NaN", 40: 0.25}


@pytest.fixture
async def t(client: Client) -> int:
    """A trial with some reports of training and validation."""
    made = await trial(client, await unmanaged.experiment(client), {"lr": 1})
    for second, (steps, loss) in enumerate(LOSSES.items(), 1):
        values = {"loss": loss, "acc": second / 10, "epoch": second}
        await report(client, made, steps, values, time=f"2020-01-01T00:00:0{second}.5Z")
    await report(client, made, 40, {"loss": 0.4, "mixed": 1}, "validation")
    await report(client, made, 50, {"mixed": "high"}, "validation")
    return made


async def series(client: Client, *trial_ids: int, **query: Any) -> list[list[dict[str, Any]]]:
    """The metrics of each trial."""
    answer = await client.ok("GET", "trials/time-series", trialIds=list(trial_ids), **query)
    return [one["metrics"] for one in answer["trials"]]


def values(found: dict[str, Any], name: str = "loss") -> dict[int, Any]:
    """Steps -> value."""
    return {point["batches"]: point["values"][name] for point in found["data"]}


async def test_names_mean_training_and_validation_unless_a_group_is_named(client: Client, t: int) -> None:
    """A report without the metric has null; the epoch stands beside the values; the trial is bare."""
    answer = await client.ok("GET", "trials/time-series", trialIds=t, metricNames="loss")
    (one,) = answer["trials"]
    assert (one["trial"]["id"], one["trial"]["hparams"], one["trial"]["taskIds"]) == (t, {"lr": 1}, [])
    assert one["trial"]["summaryMetrics"] is None
    training, validation = one["metrics"]
    assert (training["group"], training["type"]) == ("training", "METRIC_TYPE_TRAINING")
    assert values(training) == LOSSES
    assert training["data"][0] == {"batches": 10, "time": "2020-01-01T00:00:01.500Z", "epoch": 1, "values": {"loss": 1}}
    assert values(validation) == {40: 0.4, 50: None}
    assert "epoch" not in validation["data"][0]
    for query in ({"metricType": "METRIC_TYPE_TRAINING"}, {"group": "training"}):
        ((only,),) = await series(client, t, metricNames="loss", **query)
        assert only == training


async def test_ids_name_group_and_metric(client: Client, t: int) -> None:
    """Of any group; a name may hold dots; groups without a report are left out; nothing named is no series."""
    await report(client, t, 5, {"a.b": 7, "load": 1}, "my group/x")
    other = await trial(client, await unmanaged.experiment(client))
    found = await series(client, t, other, t, metricIds=["my group/x.a.b", "validation.loss", "nope.x"])
    assert [[one["group"] for one in metrics] for metrics in found] == [["my group/x", "validation"], []]
    assert values(found[0][0], "a.b") == {5: 7}
    assert found[0][0]["type"] == "METRIC_TYPE_UNSPECIFIED"
    assert await series(client, t) == [[]]


async def test_a_metric_of_several_kinds_is_shown_as_texts(client: Client, t: int) -> None:
    """Also where the reports that are shown are of one kind."""
    ((found,),) = await series(client, t, metricNames="mixed", group="validation")
    assert values(found, "mixed") == {40: "1", 50: "high"}
    ((found,),) = await series(client, t, metricNames="mixed", group="validation", endBatches=40)
    assert values(found, "mixed") == {40: "1"}


F = "timeSeriesFilter."


LIMITS: list[Any] = [
    ({"startBatches": 20, "endBatches": 30}, [20, 30]),
    ({"startBatches": -1}, [10, 20, 30, 40]),
    ({"startBatches": 40, "endBatches": 20}, []),
    ({F + "name": "batches", F + "integerRange.gte": 20, F + "integerRange.lt": 40}, [20, 30]),
    ({F + "integerRange.gt": 20}, [30, 40]),
    ({F + "name": "batches", F + "integerRange.incl": [10, 30]}, [10, 30]),
    ({F + "name": "batches", F + "integerRange.notIn": [10, 30], "endBatches": 30}, [20]),
    ({F + "name": "batches", F + "doubleRange.lte": 20.5}, [10, 20]),
    ({F + "name": "batches"}, [10, 20, 30, 40]),
    ({F + "name": "time", F + "timeRange.gt": "2020-01-01T00:00:02Z", F + "timeRange.lt": "2020-01-01T00:00:04Z"}, [20, 30]),
    ({F + "name": "time", F + "timeRange.gte": "2020-01-01T09:00:04.5+09:00"}, [40]),
    ({F + "name": "acc", F + "doubleRange.gte": 0.2, F + "doubleRange.lt": 0.4}, [20, 30]),
    ({F + "name": "epoch", F + "integerRange.incl": [1, 4]}, [10, 40]),
    ({F + "name": "loss", F + "doubleRange.lt": 0.6}, [20, 40]),
    ({F + "name": "nope", F + "doubleRange.lt": 0.6}, []),
]


async def test_reports_are_limited(client: Client, t: int) -> None:
    """By steps, by time, or by any metric of the same report."""
    for query, steps in LIMITS:
        found = await series(client, t, metricNames="loss", group="training", **query)
        assert [list(values(one)) for metrics in found for one in metrics] == ([steps] if steps else []), query


MISTAKES: list[Any] = [
    ({"metricNames": "loss"}, 404),
    ({"trialIds": 999, "metricNames": "loss"}, 404),
    ({"trialIds": "x"}, 400),
    ({"trialIds": "{t}", "metricIds": "loss"}, 400),
    ({"trialIds": "{t}", "metricIds": "training.loss", "metricNames": "loss"}, 400),
    ({"trialIds": "{t}", "metricNames": "loss", "maxDatapoints": -1}, 400),
    ({"trialIds": "{t}", "metricNames": "loss", "group": "training", "metricType": "METRIC_TYPE_TRAINING"}, 400),
    ({"trialIds": "{t}", "metricNames": "loss", "metricType": "9"}, 400),
    ({"trialIds": "{t}", F + "name": "time", F + "doubleRange.lt": 1}, 400),
    ({"trialIds": "{t}", F + "name": "acc", F + "timeRange.lt": "2020-01-01T00:00:00Z"}, 400),
    ({"trialIds": "{t}", F + "name": "time", F + "timeRange.lt": "yesterday"}, 400),
]


async def test_mistakes_are_told(client: Client, t: int) -> None:
    """With the contract's status and a text."""
    for query, status in MISTAKES:
        filled = {key: str(value).format(t=t) for key, value in query.items()}
        answer = await client.get("trials/time-series", **filled)
        assert answer.status == status, (query, answer.text)
        assert answer.error["error"]


async def test_a_long_series_keeps_its_peaks_and_ends(client: Client, app: App) -> None:
    """Of 3,000 reports 200 points unless told otherwise, the first, the newest, the highest and the lowest among them."""
    t = await trial(client, await unmanaged.experiment(client))
    losses = dict.fromkeys(range(1, 3001), 1.0) | {777: 99.0, 1234: -5.0}
    batch = [Report(t, 1, "training", steps, None, {"loss": loss}) for steps, loss in losses.items()]
    await app.db.write(lambda tx: store_batch(tx, batch))
    for query, count in (({}, 200), ({"maxDatapoints": 10}, 10), ({"maxDatapoints": 2}, 2), ({"maxDatapoints": 9999}, 3000)):
        ((found,),) = await series(client, t, metricNames="loss", group="training", **query)
        shown = values(found)
        assert len(shown) == count
        assert list(shown) == sorted(shown)
        assert {1, 3000} <= shown.keys()
        assert count < 4 or {777, 1234} <= shown.keys()
