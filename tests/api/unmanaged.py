"""Unmanaged experiments and trials for tests, made and filled through the API."""

from typing import Any

from tests.support import Client


async def experiment(client: Client, searcher: str = "{name: random, metric: loss, max_trials: 100}", **body: Any) -> int:
    """An unmanaged experiment whose searcher metric is `loss`."""
    made = await client.ok("POST", "experiments", {"config": f"{{name: u, searcher: {searcher}}}", "unmanaged": True, **body})
    return int(made["experiment"]["id"])


async def trial(client: Client, experiment_id: int, hparams: dict[str, Any] | None = None, *, started: bool = True) -> int:
    """A trial, in its first start unless told otherwise."""
    body = {"experimentId": experiment_id, "hparams": hparams, "unmanaged": True}
    made = int((await client.ok("POST", "trials", body))["trial"]["id"])
    if started:
        await client.ok("POST", f"trials/{made}/start", {"resume": False})
    return made


async def report(
    client: Client,
    trial_id: int,
    steps: int | None,
    metrics: dict[str, Any],
    group: str = "training",
    *,
    run: int = 1,
    time: str | None = None,
    batches: list[dict[str, Any]] | None = None,
) -> None:
    """One report."""
    sent = {
        "trialRunId": run,
        "stepsCompleted": steps,
        "reportTime": time,
        "metrics": {"avgMetrics": metrics, "batchMetrics": batches},
    }
    await client.ok("POST", f"trials/{trial_id}/metrics", {"group": group, "metrics": sent})


async def patch(client: Client, trial_id: int, state: str | None = None) -> dict[str, Any]:
    """A sign of life, with a state if one is named; the trial."""
    body = {} if state is None else {"state": f"STATE_{state}"}
    answer = await client.ok("PATCH", f"trials/{trial_id}", body)
    return dict(answer["trial"])
