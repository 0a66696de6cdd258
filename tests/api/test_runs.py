"""Searching runs and acting on them."""

import asyncio
import json
from typing import Any

import pytest

from tests.api import unmanaged, worlds
from tests.api.unmanaged import patch, report, trial
from tests.conftest import make_settings
from tests.support import Client
from undeterred.app import App
from undeterred.base.settings import Settings
from undeterred.engine.services.values import ValuesService

MANAGED = "{name: m, entrypoint: x, searcher: {name: single, metric: loss}, resources: {slots_per_trial: 0}}"
SWEEP = MANAGED.replace("name: single", "name: random, max_trials: 2")


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> Settings:
    """Roles decide where a test is marked so."""
    return make_settings(security__authz__type="rbac" if "rbac" in request.node.name else "basic")


def named(name: str) -> str:
    """A filter by the name of the experiment."""
    field = {"kind": "field", "columnName": "experimentName", "operator": "=", "value": name}
    return json.dumps({"filterGroup": {"kind": "group", "conjunction": "and", "children": [field]}, "showArchived": True})


async def search(client: Client, user: str = "admin", **body: Any) -> list[Any]:
    """The runs found."""
    return list((await client.ok("POST", "runs", body, user=user))["runs"])


async def act(client: Client, action: str, *ids: int, user: str = "admin", project: int = 1, **body: Any) -> dict[int, bool]:
    """Run -> whether the action succeeded."""
    sent = {"runIds": list(ids), "projectId": project, **body}
    results = (await client.ok("POST", f"runs/{action}", sent, user=user))["results"]
    return {one["id"]: not one["error"] for one in results}


async def managed(client: Client, config: str = MANAGED, **body: Any) -> tuple[int, list[int]]:
    """A new experiment and its runs."""
    made = (await client.ok("POST", "experiments", {"config": config, **body}))["experiment"]
    return made["id"], made["trialIds"]


async def test_a_run_as_tables_show_it(client: Client) -> None:
    """With what belongs to its experiment; what is not there has no key."""
    e = await unmanaged.experiment(client)
    t = await trial(client, e, {"lr": 1})
    (bare,) = await search(client)
    assert not {"searcherMetricValue", "externalRunId", "metadata", "logPolicyMatched"} & set(bare)
    await report(client, t, 10, {"loss": 2}, "validation")
    await client.ok("POST", f"runs/{t}/metadata", {"metadata": {"team": "red"}})
    (shown,) = await search(client)
    assert (shown["id"], shown["state"], shown["localId"]) == (t, "STATE_RUNNING", bare["localId"])
    assert (shown["hyperparameters"], shown["metadata"], shown["searcherMetricValue"]) == ({"lr": 1}, {"team": "red"}, 2)
    assert shown["summaryMetrics"]["validation_metrics"]["loss"]["min"] == 2
    experiment = shown["experiment"]
    assert (experiment["id"], experiment["isMultitrial"], experiment["unmanaged"]) == (e, True, True)
    assert not {"forkedFrom", "externalExperimentId"} & set(experiment)


async def test_runs_of_this_server_are_numbered_in_their_project(client: Client) -> None:
    """From 1 on; their state is the stored one."""
    await managed(client, SWEEP)
    key = (await client.ok("GET", "projects/1"))["project"]["key"]
    shown = await search(client, sort="id=asc")
    assert [one["localId"] for one in shown] == [f"{key}-1", f"{key}-2"]
    assert {one["state"] for one in shown} == {"STATE_PAUSED"}


async def test_pages_of_a_metric_hold_every_run_once(client: Client, app: App) -> None:
    """Ties, NaN, infinities, texts and missing values included, before and after the values are stored; always in one order."""
    e = await unmanaged.experiment(client)
    values = [0.2, 0.2, 0.2, 0.1, "NaN", "NaN", "Infinity", "-Infinity", None, None, "text", 5]
    ids = []
    for value in values:
        ids.append(await trial(client, e))
        if value is not None:
            await report(client, ids[-1], 1, {"loss": value}, "validation")

    async def pages(sort: str) -> list[int]:
        found = []
        for offset in (0, 5, 10):
            answer = await client.ok("POST", "runs", {"sort": sort, "offset": offset, "limit": 5})
            assert answer["pagination"]["total"] == 12
            found += [ids.index(one["id"]) for one in answer["runs"]]
            for run in answer["runs"]:
                last = run["summaryMetrics"].get("validation_metrics", {}).get("loss", {}).get("last")
                assert last == values[ids.index(run["id"])]
        return found

    low, high, twos, nan, text, none = [7, 3], [11, 6], [0, 1, 2], [4, 5], [10], [8, 9]
    up = [*low, *twos, *high, *nan, *text, *none]
    down = [*high[::-1], *twos[::-1], *low[::-1], *nan[::-1], *text, *none[::-1]]
    for _ in range(2):
        assert await pages("validation.loss.last=asc") == up
        assert await pages("validation.loss.last=desc") == down
        for one in ids:
            await patch(client, one, "COMPLETED")
        await ValuesService(app.db).run_once()


async def test_pause_and_resume(client: Client) -> None:
    """Of runs that are alone; those of a search, unmanaged and unknown ones are refused."""
    _, (alone,) = await managed(client, activate=True)
    _, (member, _) = await managed(client, SWEEP)
    other = await trial(client, await unmanaged.experiment(client))
    for action in ("pause", "resume", "pause"):
        assert await act(client, action, alone, member, other, 99) == {alone: True, member: False, other: False, 99: False}
    assert (await search(client, filter=named("m"), sort="id=asc"))[0]["state"] == "STATE_PAUSED"
    for action in ("pause", "resume"):
        assert (await client.post(f"runs/{action}", {"projectId": 1})).status == 400


async def test_kill(client: Client) -> None:
    """A live run is ended, an ended one stays; a live unmanaged one is not ours to end."""
    _, (one, other) = await managed(client, SWEEP)
    live = await trial(client, await unmanaged.experiment(client))
    assert await act(client, "kill", one, live, 99) == {one: True, live: False, 99: False}
    assert await act(client, "kill", one) == {one: True}
    await patch(client, live, "ERROR")
    assert await act(client, "kill", live) == {live: True}
    states = {run["id"]: run["state"] for run in await search(client)}
    assert (states[one], states[other]) == ("STATE_CANCELED", "STATE_PAUSED")
    assert await act(client, "kill") == {}


async def test_archive(client: Client) -> None:
    """Ended runs only; twice is no mistake."""
    e = await unmanaged.experiment(client)
    ended, live = await trial(client, e), await trial(client, e)
    await patch(client, ended, "COMPLETED")
    for _ in range(2):
        assert await act(client, "archive", ended, live, 99) == {ended: True, live: False, 99: False}
    assert [run["id"] for run in await search(client, filter='{"showArchived":false}')] == [live]
    assert await act(client, "unarchive", ended, live, 99) == {ended: True, live: True, 99: False}
    assert await act(client, "archive", filter=named("u")) == {ended: True, live: False}
    assert await act(client, "archive", filter=named("none")) == {}
    assert (await client.post("runs/archive", {"projectId": 1, "filter": "{"})).status == 400
    assert (await client.post("runs/archive", {"filter": named("u")})).status == 400
    assert (await client.post("runs/archive", {"projectId": 99, "runIds": [1]})).status == 404


async def test_runs_of_another_project_are_not_touched(client: Client) -> None:
    """They count as not found."""
    space = await worlds.workspace(client, "w")
    project = (await worlds.project(client, space, "p"))["id"]
    _, (run,) = await managed(client)
    assert await act(client, "kill", run, project=project) == {run: False}


async def test_move(client: Client) -> None:
    """A run moves with its whole experiment, which gets new numbers there."""
    space = await worlds.workspace(client, "w")
    project = await worlds.project(client, space, "p")
    target = project["id"]
    e, (one, other) = await managed(client, SWEEP)
    body = {"runIds": [one, other, 99], "sourceProjectId": 1, "destinationProjectId": target}
    assert (await client.ok("POST", "runs/move", {**body, "skipMultitrial": True}))["results"][0]["error"]
    results = (await client.ok("POST", "runs/move", body))["results"]
    assert {one["id"]: bool(one["error"]) for one in results} == {one: False, other: False, 99: True}
    moved = await search(client, projectId=target, sort="id=asc")
    assert [run["localId"] for run in moved] == [f"{project['key']}-1", f"{project['key']}-2"]
    assert (await client.ok("GET", f"experiments/{e}"))["experiment"]["projectId"] == target
    assert await search(client, projectId=1) == []
    for changed, status in (({"destinationProjectId": 99}, 404), ({"sourceProjectId": 99}, 404)):
        assert (await client.post("runs/move", body | changed)).status == status
    same = {"runIds": [one], "sourceProjectId": target, "destinationProjectId": target}
    assert (await client.ok("POST", "runs/move", same))["results"] == []


async def gone(client: Client, run_id: int, what: str = "trials") -> bool:
    """Whether a run disappears within a few seconds."""
    for _ in range(100):
        if (await client.get(f"{what}/{run_id}")).status == 404:
            return True
        await asyncio.sleep(0.05)
    return False


async def test_delete(client: Client) -> None:
    """An ended run goes with all that it reported; the experiment stays with what is left, and goes with its last run."""
    e = await unmanaged.experiment(client)
    best, other, live = [await trial(client, e) for _ in range(3)]
    for one, loss in ((best, 1), (other, 2)):
        await report(client, one, 1, {"loss": loss}, "validation")
        await patch(client, one, "COMPLETED")
    assert await act(client, "delete", best, live, 99) == {best: True, live: False, 99: False}
    assert await gone(client, best)
    found = (await client.ok("POST", "experiments-search", {}))["experiments"][0]
    assert (found["experiment"]["numTrials"], found["experiment"]["bestTrialId"]) == (2, other)
    await patch(client, live, "ERROR")
    assert await act(client, "delete", other) == {other: True}
    assert await gone(client, other)
    assert await act(client, "delete", live) == {live: True}
    assert await gone(client, live)
    assert await gone(client, e, "experiments")


async def test_delete_is_refused_while_the_search_lives(client: Client) -> None:
    """It may still need its ended runs."""
    _, (one, _) = await managed(client, SWEEP)
    await act(client, "kill", one)
    assert await act(client, "delete", one) == {one: False}


async def test_only_owners_delete(client: Client) -> None:
    """Members do everything else with foreign runs."""
    await worlds.user(client, "member")
    e = await unmanaged.experiment(client)
    one = await trial(client, e)
    await patch(client, one, "COMPLETED")
    for action in ("archive", "unarchive", "kill"):
        assert await act(client, action, one, user="member") == {one: True}
    assert await act(client, "delete", one, user="member") == {one: False}


@pytest.mark.parametrize(
    ("body", "status"),
    [({"projectId": 99}, 404), ({"sort": "rank=asc"}, 400), ({"sort": "tags=asc"}, 400), ({"filter": "{"}, 400)],
)
async def test_mistakes_of_searches(client: Client, body: dict[str, Any], status: int) -> None:
    """Unknown projects, columns that do not sort, no JSON."""
    assert (await client.post("runs", body)).status == status


async def test_rbac(client: Client) -> None:
    """A stranger finds nothing and acts on nothing, a viewer only looks, an editor acts."""
    space = await worlds.workspace(client, "w")
    project = (await worlds.project(client, space, "p"))["id"]
    _, (run,) = await managed(client, projectId=project)
    await worlds.user(client, "stranger")
    assert await search(client, "stranger") == []
    assert (await client.post("runs", {"projectId": project}, user="stranger")).status == 404
    assert (await client.post("runs/kill", {"projectId": project, "runIds": [run]}, user="stranger")).status == 404
    await worlds.grant(client, await worlds.user(client, "viewer"), worlds.VIEWER, space)
    assert len(await search(client, "viewer", projectId=project)) == 1
    for action in ("kill", "archive", "delete", "pause", "resume"):
        assert await act(client, action, run, user="viewer", project=project) == {run: False}
    await worlds.grant(client, await worlds.user(client, "editor"), worlds.EDITOR, space)
    assert await act(client, "kill", run, user="editor", project=project) == {run: True}
