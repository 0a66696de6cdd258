"""The queue: its order, who sees what of it, and what may be changed."""

from typing import Any

import pytest

from tests.api.worlds import EDITOR, VIEWER, grant, project, user, workspace
from tests.conftest import make_settings
from tests.engine.helpers import config
from tests.support import Client
from undeterred.app import App
from undeterred.base.settings import Settings
from undeterred.engine import allocations, experiments
from undeterred.engine.tasks import Launch, NewTask, create
from undeterred.store import allocations as rows
from undeterred.store.database import Tx

POOLS = [{"pool_name": "default"}, {"pool_name": "second"}, {"pool_name": "fair", "scheduler": {"type": "fair_share"}}]


@pytest.fixture
def settings() -> Settings:
    """Three pools."""
    return make_settings(resource_pools=POOLS)


async def submit(
    app: App, workspace_id: int, project_id: int, *, active: bool = True, settings: dict[str, Any] | None = None, **resources: Any
) -> int:
    """An experiment that waits; its id."""
    base = {"slots_per_trial": 1, "resource_pool": "default", "priority": None, "weight": 1}
    new = experiments.NewExperiment(
        project_id=project_id,
        workspace_id=workspace_id,
        user_id=1,
        config=settings or config(resources=base | resources),
        original_config="",
        context_digest=None,
        activate=active,
    )
    return await app.db.write(lambda tx: experiments.create(tx, new))


async def queue(client: Client, version: str = "", **query: Any) -> list[dict[str, Any]]:
    """The jobs of a list."""
    jobs: list[dict[str, Any]] = (await client.ok("GET", f"job-queues{version}", **query))["jobs"]
    return jobs


async def test_a_waiting_experiment_stands_in_the_queue(client: Client, app: App) -> None:
    """With its owner, size and place; one that was never activated does not."""
    first = await submit(app, 1, 1)
    await submit(app, 1, 1, active=False)
    (job,) = await queue(client)
    assert (job["entityId"], job["type"], job["name"], job["username"]) == (str(first), "TYPE_EXPERIMENT", "test", "admin")
    assert (job["requestedSlots"], job["allocatedSlots"], job["priority"], job["weight"]) == (1, 0, 42, 1)
    assert job["summary"] == {"state": "STATE_QUEUED", "jobsAhead": 0}
    assert (await queue(client, "-v2")) == [{"full": job}]
    stats = (await client.ok("GET", "job-queues/stats", resourcePools="default"))["results"]
    assert [one["stats"] for one in stats] == [{"queuedCount": 1, "scheduledCount": 0}]
    assert [day["seconds"] for day in stats[0]["aggregates"]] == [0]


async def test_a_task_stands_there_under_its_own_id(client: Client, app: App) -> None:
    """A command has no experiment: its task is what clients look for."""
    new = NewTask(
        task_type="COMMAND",
        user_id=1,
        workspace_id=1,
        name="look around",
        config={},
        launch=Launch(("ls",)),
        resource_pool="default",
        slots=2,
        priority=7,
    )
    await app.db.write(lambda tx: create(tx, new))
    (job,) = await queue(client)
    assert (job["entityId"], job["type"], job["name"]) == (new.task_id, "TYPE_COMMAND", "look around")
    assert (job["requestedSlots"], job["priority"], job["workspaceId"]) == (2, 7, 1)


async def test_the_list_is_in_the_order_of_the_queue(client: Client, app: App) -> None:
    """Priority, then submission; jobs ahead are counted whether shown or not; pages and states cut the list."""
    late, early = await submit(app, 1, 1, priority=50), await submit(app, 1, 1)
    first = await submit(app, 1, 1, priority=10)
    await submit(app, 1, 1, resource_pool="second")
    assert [job["entityId"] for job in await queue(client)] == [str(one) for one in (first, early, late)]
    last = await queue(client, orderBy="ORDER_BY_DESC", limit=1)
    assert [(job["entityId"], job["summary"]["jobsAhead"]) for job in last] == [(str(late), 2)]
    assert await queue(client, states="STATE_SCHEDULED") == []
    assert len(await queue(client, resourcePool="second")) == 1
    page = await client.ok("GET", "job-queues", offset=-1)
    assert page["pagination"] == {"offset": -1, "limit": 100, "startIndex": 2, "endIndex": 3, "total": 3}
    for query in ({"limit": -1}, {"offset": 4}, {"states": 99}, {"orderBy": 9}):
        assert (await client.get("job-queues", **query)).error["code"] == 3
    assert (await client.get("job-queues", resourcePool="nope")).error["code"] == 5
    assert (await client.ok("GET", "job-queues/stats", resourcePools="nope"))["results"] == []


async def test_a_search_never_stands_there_with_more_than_its_limit(client: Client, app: App) -> None:
    """Two of eight points at a time, each with its slot; every one fails and is replaced once, the last ones by nothing."""
    space = {"x": {"type": "int", "minval": 1, "maxval": 8, "count": 8}}
    grid = {"name": "grid", "max_concurrent_trials": 2}
    experiment = await submit(app, 1, 1, settings=config(grid, hyperparameters=space, max_restarts=0))
    await app.running.stop(end_tasks=False)

    def fail(tx: Tx) -> None:
        row = rows.in_states(tx, ["PENDING"])[0]
        assert allocations.assign(tx, row.id, [("local", [0])])
        allocations.submitted(tx, row.id, "{}", "{}")
        allocations.running(tx, row.id, ["127.0.0.1"], {})
        allocations.exited(tx, rows.locked(tx, row.id), allocations.ExitFacts(allocations.Cause.EXITED, 1))

    asked = []
    while jobs := await queue(client, "-v2"):
        asked += [job["full"]["requestedSlots"] for job in jobs]
        await app.db.write(fail)
    assert asked == [2] * 7 + [1]
    shown = (await client.ok("GET", f"experiments/{experiment}"))["experiment"]
    assert (shown["state"], shown["numTrials"]) == ("STATE_ERROR", 8)


async def test_priority_weight_and_pool_can_be_changed(client: Client, app: App) -> None:
    """All updates of a request or none; what is out of range, unknown or unsupported is refused."""
    await submit(app, 1, 1)
    (job,) = await queue(client)

    async def update(**change: Any) -> int:
        answer = await client.post("job-queues", {"updates": [{"jobId": job["jobId"]} | change]}, user="determined")
        return 0 if answer.status == 200 else int(answer.error["code"])

    assert [await update(priority=10), await update(weight=0)] == [0, 0]
    refused: list[dict[str, Any]] = [
        {"priority": 0},
        {"priority": 100},
        {"weight": -1},
        {"aheadOf": job["jobId"]},
        {},
    ]
    assert [await update(**change) for change in refused] == [3] * 5
    assert [await update(resourcePool="nope"), await update(resourcePool="default"), await update(jobId="nope")] == [5, 9, 5]
    both = {"updates": [{"jobId": job["jobId"], "priority": 20}, {"jobId": "nope", "priority": 20}]}
    assert (await client.post("job-queues", both)).error["code"] == 5
    assert [one["priority"] for one in await queue(client)] == [10]
    assert await update(resourcePool="second") == 0
    assert await client.ok("POST", "job-queues", {}) == {}
    assert len(await queue(client, resourcePool="second")) == 1


async def test_a_policy_binds_later_changes_too(client: Client, app: App) -> None:
    """That of the workspace in which the experiment is, not the one its configuration names."""
    here = await workspace(client, "w")
    await submit(app, here, (await project(client, here, "p"))["id"])
    policy = {"configPolicies": "constraints:\n  priority_limit: 30\n"}
    await client.ok("PUT", f"config-policies/workspaces/{here}/EXPERIMENT", policy)
    (job,) = await queue(client)
    over = await client.post("job-queues", {"updates": [{"jobId": job["jobId"], "priority": 29}]})
    assert (over.error["code"], "30" in over.error["error"]) == (3, True)
    await client.ok("POST", "job-queues", {"updates": [{"jobId": job["jobId"], "priority": 31}]})


async def test_a_pool_bound_elsewhere_takes_no_foreign_job(client: Client, app: App) -> None:
    """Moving a job there is refused."""
    here = await workspace(client, "w")
    await submit(app, 1, 1)
    await client.ok("POST", "resource-pools/second/workspace-bindings", {"workspaceIds": [here]})
    (job,) = await queue(client)
    moved = await client.post("job-queues", {"updates": [{"jobId": job["jobId"], "resourcePool": "second"}]})
    assert moved.error["code"] == 3


async def test_fair_share_knows_no_jobs_ahead(client: Client, app: App) -> None:
    """Clients are told -1."""
    await submit(app, 1, 1, resource_pool="fair")
    (job,) = await queue(client, resourcePool="fair")
    assert job["summary"]["jobsAhead"] == -1


class TestRoles:
    """Where roles decide."""

    @pytest.fixture
    def settings(self) -> Settings:
        """Roles decide, and the queue is under strict control."""
        return make_settings(security__authz__type="rbac", security__authz__strict_job_queue_control=True)

    async def test_foreign_jobs_are_shown_without_what_they_are(self, client: Client, app: App) -> None:
        """In the second version of the list; the first leaves them out; nobody changes what is hidden."""
        ann = await user(client, "ann")
        here, there = await workspace(client, "w"), await workspace(client, "v")
        await grant(client, ann, VIEWER, here)
        mine, other = await project(client, here, "p"), await project(client, there, "p")
        await submit(app, here, mine["id"])
        await submit(app, there, other["id"])
        full, limited = await queue(client, "-v2", user="ann")
        assert (set(full), set(limited)) == ({"full"}, {"limited"})
        assert "name" not in limited["limited"]
        assert [job["workspaceId"] for job in await queue(client, user="ann")] == [here]
        hidden = {"updates": [{"jobId": limited["limited"]["jobId"], "priority": 5}]}
        assert (await client.post("job-queues", hidden, user="ann")).error["code"] == 5
        await grant(client, ann, EDITOR, here)
        own = {"updates": [{"jobId": full["full"]["jobId"], "priority": 5}]}
        assert (await client.post("job-queues", own, user="ann")).error["code"] == 7
        await client.ok("POST", "job-queues", own)
