"""A trial of this server fails and starts again from its checkpoint: what every view then tells of its results."""

from tests.api.registered import uuid
from tests.api.running import end, pretend, token_of
from tests.support import Client
from undeterred.app import App

CONFIG = "{name: r, entrypoint: python x.py, searcher: {name: single, metric: loss}, max_restarts: 1}"


async def report(client: Client, allocation: str, trial: int, group: str, values: dict[int, float]) -> None:
    """Reports of a running allocation, by steps."""
    run = int(allocation.rpartition(".")[2])
    for steps, loss in values.items():
        metrics = {"trialRunId": run, "stepsCompleted": steps, "metrics": {"avgMetrics": {"loss": loss}}}
        body = {"group": group, "metrics": metrics}
        await client.ok("POST", f"trials/{trial}/metrics", body, user=f"token:{token_of(allocation)}")


async def series(client: Client, trial: int, group: str) -> list[list[float]]:
    """Steps and losses as charts show them."""
    answer = await client.ok("GET", "trials/time-series", trialIds=trial, metricNames="loss", group=group)
    return [[point["batches"], point["values"]["loss"]] for point in answer["trials"][0]["metrics"][0]["data"]]


async def workloads(client: Client, trial: int) -> list[tuple[str, int]]:
    """Kinds and steps of the list of workloads."""
    found = (await client.ok("GET", f"trials/{trial}/workloads"))["workloads"]
    return [(kind, one["totalBatches"]) for item in found for kind, one in item.items() if one is not None]


async def test_results_after_the_checkpoint_are_taken_back(client: Client, app: App) -> None:
    """By the first report of the next start: best, latest, summaries, charts and lists know only what counts, and the failure."""
    made = (await client.ok("POST", "experiments", {"config": CONFIG, "activate": True}))["experiment"]
    experiment, trial = made["id"], made["trialIds"][0]
    first = await pretend(app)
    await report(client, first, trial, "training", {1: 5, 2: 4, 3: 3})
    await report(client, first, trial, "validation", {1: 5, 2: 0.5, 3: 0.1})
    saved = {"uuid": uuid(1), "taskId": first.rpartition(".")[0], "allocationId": first, "metadata": {"steps_completed": 1}}
    await client.ok("POST", "checkpoints", saved | {"resources": {"a": "1"}}, user=f"token:{token_of(first)}")
    before = (await client.ok("GET", f"trials/{trial}"))["trial"]
    assert before["bestValidation"]["metrics"]["avgMetrics"]["loss"] == 0.1
    await end(app, first, 1)
    waiting = (await client.ok("GET", f"trials/{trial}"))["trial"]
    assert (waiting["state"], waiting["restarts"]) == ("STATE_QUEUED", 1)
    second = await pretend(app)
    assert second.rpartition(".")[2] == "2"
    await report(client, second, trial, "training", {2: 4.5})
    await report(client, second, trial, "validation", {2: 0.7})
    shown = (await client.ok("GET", f"trials/{trial}"))["trial"]
    assert [shown[name]["metrics"]["avgMetrics"]["loss"] for name in ("bestValidation", "latestValidation")] == [0.7, 0.7]
    assert (shown["totalBatchesProcessed"], shown["checkpointCount"]) == (2, 1)
    losses = [shown["summaryMetrics"][name]["loss"] for name in ("avg_metrics", "validation_metrics")]
    assert [(one["count"], one["min"], one["max"], one["last"]) for one in losses] == [(2, 4.5, 5, 4.5), (2, 0.7, 5, 0.7)]
    assert await series(client, trial, "training") == [[1, 5], [2, 4.5]]
    assert await series(client, trial, "validation") == [[1, 5], [2, 0.7]]
    assert await workloads(client, trial) == [
        ("training", 1),
        ("validation", 1),
        ("checkpoint", 1),
        ("training", 2),
        ("validation", 2),
    ]
    (listed,) = (await client.ok("GET", "experiments", showTrialData="true"))["experiments"]
    assert listed["bestTrialSearcherMetric"] == 0.7
    history = (await client.ok("GET", f"experiments/{experiment}/validation-history"))["validationHistory"]
    assert [one["searcherMetric"] for one in history] == [5, 0.7]
    (run,) = (await client.ok("POST", "runs", {}))["runs"]
    assert (run["searcherMetricValue"], run["summaryMetrics"]["validation_metrics"]["loss"]["min"]) == (0.7, 0.7)
    await end(app, second, 1)
    over = (await client.ok("GET", f"experiments/{experiment}"))["experiment"]
    assert (over["state"], (await client.ok("GET", f"trials/{trial}"))["trial"]["restarts"]) == ("STATE_ERROR", 1)
