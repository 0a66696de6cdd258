"""Reading trials."""

from typing import Any

import pytest

from tests.api import unmanaged, worlds
from tests.api.unmanaged import report, trial
from tests.conftest import make_settings
from tests.support import Client
from undeterred.app import App
from undeterred.base.settings import Settings
from undeterred.store import runs
from undeterred.store.schema.registry import checkpoints

CONFIG = (
    "{name: m, entrypoint: x, searcher: {name: single, metric: loss}, hyperparameters: {lr: 1}, resources: {slots_per_trial: 0}}"
)


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> Settings:
    """Roles decide where a test is marked so."""
    return make_settings(security__authz__type="rbac" if "rbac" in request.node.name else "basic")


async def test_a_trial_shows_what_it_reported(client: Client) -> None:
    """Best and latest validation, summaries under the keys that clients know, its steps."""
    t = await trial(client, await unmanaged.experiment(client), {"lr": 0.5, "n": {"m": [1, None]}})
    await report(client, t, 10, {"loss": 3})
    await report(client, t, 10, {"loss": 1, "x": "y"}, "validation", time="2020-01-01T09:00:00+09:00")
    await report(client, t, 20, {"loss": 2}, "validation")
    await report(client, t, 30, {"other": 2}, "validation")
    await report(client, t, 40, {"score": "NaN"}, "my group/x")
    shown = (await client.ok("GET", f"trials/{t}"))["trial"]
    assert (shown["state"], shown["totalBatchesProcessed"], shown["hparams"]) == (
        "STATE_RUNNING",
        40,
        {"lr": 0.5, "n": {"m": [1, None]}},
    )
    assert shown["bestValidation"] == {
        "endTime": "2020-01-01T00:00:00Z",
        "metrics": {"avgMetrics": {"loss": 1, "x": "y"}, "batchMetrics": []},
        "numInputs": 0,
        "totalBatches": 10,
    }
    assert shown["latestValidation"]["totalBatches"] == 20
    assert set(shown["summaryMetrics"]) == {"avg_metrics", "validation_metrics", "my group/x"}
    assert shown["summaryMetrics"]["validation_metrics"]["loss"]["last"] is None
    assert shown["summaryMetrics"]["my group/x"]["score"]["max"] == "NaN"
    assert not {"metadata", "logRetentionDays", "logPolicyMatched"} & set(shown)


async def test_a_managed_trial_is_shown_as_far_as_its_allocation(client: Client) -> None:
    """Paused, then queued; filtered by what is shown and by what is stored; one task."""
    made = await client.ok("POST", "experiments", {"config": CONFIG})
    experiment, t = made["experiment"]["id"], made["experiment"]["trialIds"][0]
    assert (await client.ok("GET", f"trials/{t}"))["trial"]["state"] == "STATE_PAUSED"
    await client.ok("POST", f"experiments/{experiment}/activate")
    shown = (await client.ok("GET", f"trials/{t}"))["trial"]
    assert shown["state"] == "STATE_QUEUED"
    assert shown["taskIds"] == [shown["taskId"]]
    assert shown["taskId"].startswith(f"{experiment}.")
    for state, count in (("QUEUED", 1), ("ACTIVE", 1), ("RUNNING", 0), ("PAUSED", 0)):
        found = await client.ok("GET", f"experiments/{experiment}/trials", states=f"STATE_{state}")
        assert found["pagination"]["total"] == len(found["trials"]) == count, state


@pytest.mark.parametrize("sort", ["BEST_VALIDATION_METRIC", "LATEST_VALIDATION_METRIC"])
async def test_trials_are_sorted_by_the_searcher_s_metric(client: Client, sort: str) -> None:
    """The best first, larger being better; trials without a value last both ways; pages hold each once; NaN is a text."""
    e = await unmanaged.experiment(client, "{name: random, metric: loss, max_trials: 9, smaller_is_better: false}")
    values = [1, 5, None, "Infinity", "text", -2, "-Infinity", 5]
    made = [await trial(client, e) for _ in values]
    for t, value in zip(made, values, strict=True):
        await report(client, t, 1, {"x": 1} if value is None else {"loss": value}, "validation")
    for order, wanted in (("ASC", [3, 1, 7, 0, 5, 6]), ("DESC", [6, 5, 0, 7, 1, 3])):
        query = {"sortBy": f"SORT_BY_{sort}", "orderBy": f"ORDER_BY_{order}", "limit": 3}
        pages = [await client.ok("GET", f"experiments/{e}/trials", offset=offset, **query) for offset in (0, 3, 6)]
        found = [made.index(one["id"]) for page in pages for one in page["trials"]]
        assert found[:6] == wanted
        assert set(found[6:]) == {2, 4}
        assert {page["pagination"]["total"] for page in pages} == {8}
    shown = (await client.ok("GET", f"trials/{made[3]}"))["trial"]
    assert shown["bestValidation"]["metrics"]["avgMetrics"] == {"loss": "Infinity"}


PAGES: list[Any] = [
    (0, 0, 0, 3),
    (1, 1, 1, 1),
    (0, -1, 0, 3),
    (0, -2, 0, 0),
    (3, 0, 3, 0),
    (-1, 0, 2, 1),
    (99, 5, 3, 0),
    (-99, 0, 3, 0),
]


async def test_pages_of_trials(client: Client) -> None:
    """Nothing is out of range."""
    e = await unmanaged.experiment(client)
    for _ in range(3):
        await trial(client, e, started=False)
    for offset, limit, start, count in PAGES:
        page = await client.ok("GET", f"experiments/{e}/trials", offset=offset, limit=limit)
        assert page["pagination"] == {
            "offset": offset,
            "limit": limit,
            "startIndex": start,
            "endIndex": start + count,
            "total": 3,
        }
        assert len(page["trials"]) == count


MISTAKES: list[Any] = [
    ("trials/999", {}, 404),
    ("trials/x", {}, 400),
    ("experiments/999/trials", {}, 404),
    ("experiments/{e}/trials", {"sortBy": "99"}, 400),
    ("experiments/{e}/trials", {"sortBy": "SORT_BY_NOPE"}, 400),
    ("experiments/{e}/trials", {"orderBy": "7"}, 400),
    ("experiments/{e}/trials", {"states": "STATE_UNSPECIFIED"}, 400),
    ("experiments/{e}/trials", {"states": "77"}, 400),
    ("trials/by-external-id/nope/nope", {}, 404),
    ("trials/999/workloads", {}, 404),
    ("trials/{t}/workloads", {"filter": "9"}, 400),
    ("trials/{t}/workloads", {"group": "x", "metricType": "METRIC_TYPE_TRAINING"}, 400),
    ("trials/{t}/workloads", {"metricType": "METRIC_TYPE_PROFILING"}, 400),
]


async def test_mistakes_are_told(client: Client) -> None:
    """Unknown trials and experiments, numbers that are no value of an enum."""
    e = await unmanaged.experiment(client)
    t = await trial(client, e, started=False)
    for path, query, status in MISTAKES:
        answer = await client.get(path.format(e=e, t=t), **query)
        assert answer.status == status, (path, query, answer.text)
        assert answer.error["error"]


async def test_workloads_are_one_list(client: Client, app: App) -> None:
    """Training, validations and checkpoints by steps; other groups are not in it; limit 0 means all, and is shown as -1."""
    t = await trial(client, await unmanaged.experiment(client))
    await report(client, t, 10, {"loss": 3}, batches=[{"loss": 4}])
    await report(client, t, 10, {"loss": 1}, "validation")
    await report(client, t, 20, {"loss": 2})
    await report(client, t, 20, {"a": 2}, "inference")
    await app.db.write(lambda tx: runs.update(tx, t, checkpoint_count=1))
    values = {"resources": '{"a.bin":100,"dir/":0}', "metadata": '{"steps_completed":10}', "steps_completed": 10}
    for state in ("COMPLETED", "DELETED"):
        await app.db.write(
            lambda tx, state=state: tx.insert(checkpoints, uuid=f"u-{state}", run_id=t, report_time=tx.now, state=state, **values)
        )
    whole = await client.ok("GET", f"trials/{t}/workloads")
    assert whole["pagination"] == {"offset": 0, "limit": -1, "startIndex": 0, "endIndex": 5, "total": 5}
    assert [(*one, *(inner["totalBatches"] for inner in one.values())) for one in whole["workloads"]] == [
        ("training", 10),
        ("validation", 10),
        ("checkpoint", 10),
        ("checkpoint", 10),
        ("training", 20),
    ]
    assert whole["workloads"][0]["training"]["metrics"]["batchMetrics"] == []
    assert whole["workloads"][2]["checkpoint"]["resources"] == {"a.bin": "100", "dir/": "0"}
    assert whole["workloads"][2]["checkpoint"]["metadata"] == {"steps_completed": 10}
    some = await client.ok("GET", f"trials/{t}/workloads", includeBatchMetrics="true", limit=1)
    assert some["workloads"][0]["training"]["metrics"]["batchMetrics"] == [{"loss": 4}]
    kept = await client.ok("GET", f"trials/{t}/workloads", removeDeletedCheckpoints="true", filter="FILTER_OPTION_CHECKPOINT")
    assert [next(iter(one)) for one in kept["workloads"]] == ["validation", "checkpoint"]
    by_loss = await client.ok("GET", f"trials/{t}/workloads", sortKey="loss", orderBy="ORDER_BY_DESC", limit=3)
    assert [next(iter(one.values()))["totalBatches"] for one in by_loss["workloads"]] == [10, 20, 10]
    best = (await client.ok("GET", f"trials/{t}"))["trial"]["bestCheckpoint"]
    assert (best["uuid"], best["totalBatches"], best["metadata"]) == ("u-COMPLETED", 10, None)


async def test_rbac_a_stranger_finds_nothing_and_a_viewer_changes_nothing(client: Client) -> None:
    """Hidden trials and experiments are not found; whoever may only look is refused."""
    space = await worlds.workspace(client, "w")
    project = (await worlds.project(client, space, "p"))["id"]
    e = await unmanaged.experiment(client, projectId=project)
    t = await trial(client, e)
    await worlds.user(client, "stranger")
    await worlds.grant(client, await worlds.user(client, "viewer"), worlds.VIEWER, space)
    reads = [f"trials/{t}", f"trials/{t}/workloads", f"experiments/{e}/trials", f"runs/{t}/metadata"]
    for path in reads:
        assert (await client.get(path, user="stranger")).status == 404, path
        assert (await client.get(path, user="viewer")).status == 200, path
    writes = [
        ("POST", "trials", {"experimentId": e, "unmanaged": True}),
        ("PUT", "trials", {"createTrialRequest": {"experimentId": e, "unmanaged": True}, "externalTrialId": "x"}),
        ("POST", f"trials/{t}/start", {"resume": True}),
        ("PATCH", f"trials/{t}", {"state": "STATE_ERROR"}),
        ("POST", f"runs/{t}/metadata", {"metadata": {"a": 1}}),
        ("POST", "runs/start", {"runId": t}),
        ("POST", f"trials/{t}/runner/metadata", {"state": "x"}),
    ]
    for method, path, body in writes:
        assert (await client.call(method, path, body, user="stranger")).status == 404, path
        assert (await client.call(method, path, body, user="viewer")).status == 403, path
    assert (await client.ok("GET", f"experiments/{e}/trials"))["pagination"]["total"] == 1
