"""How the validations of an experiment went."""

from tests.api import unmanaged
from tests.api.unmanaged import report, trial
from tests.support import Client


async def test_history_holds_what_was_the_best_when_it_came(client: Client) -> None:
    """Over all trials, by time; missing values, texts and NaN are no points, and equal ones no improvement."""
    e = await unmanaged.experiment(client, "{name: random, metric: loss, max_trials: 9, smaller_is_better: false}")
    a, b = await trial(client, e), await trial(client, e)
    points = [
        (a, 1, "NaN"),
        (a, 2, 1),
        (b, 3, 0.5),
        (b, 4, 3),
        (a, 5, "x"),
        (a, 6, 3),
        (b, 7, None),
        (a, 9, "Infinity"),
        (a, 8, 4),
    ]
    for number, (t, second, value) in enumerate(points):
        await report(client, t, number, {"loss": value}, "validation", time=f"2020-01-01T00:00:0{second}Z")
    found = (await client.ok("GET", f"experiments/{e}/validation-history"))["validationHistory"]
    assert [(one["trialId"], one["endTime"][18], one["searcherMetric"]) for one in found] == [
        (a, "2", 1),
        (b, "4", 3),
        (a, "8", 4),
        (a, "9", "Infinity"),
    ]
    best = await client.ok("GET", f"experiments/{e}/searcher/best_searcher_validation_metric")
    assert best == {"metric": "Infinity"}


async def test_without_a_validation_there_is_no_best(client: Client) -> None:
    """Not found, and an empty history; NaN changes nothing."""
    e = await unmanaged.experiment(client)
    for _ in range(2):
        assert (await client.ok("GET", f"experiments/{e}/validation-history")) == {"validationHistory": []}
        assert (await client.get(f"experiments/{e}/searcher/best_searcher_validation_metric")).status == 404
        await report(client, await trial(client, e), 1, {"loss": "NaN"}, "validation")
    assert (await client.get("experiments/999/validation-history")).status == 404
    assert (await client.get("experiments/999/searcher/best_searcher_validation_metric")).status == 404
