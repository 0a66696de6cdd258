"""Searching experiments."""

import json
from typing import Any

import pytest

from tests.api import unmanaged, worlds
from tests.api.unmanaged import report, trial
from tests.conftest import make_settings
from tests.support import Client
from undeterred.base.settings import Settings


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> Settings:
    """Roles decide where a test is marked so."""
    return make_settings(security__authz__type="rbac" if "rbac" in request.node.name else "basic")


def filter_of(column: str, operator: str, value: Any = None) -> str:
    """The text of a filter with one field."""
    field = {"kind": "field", "columnName": column, "operator": operator, "value": value}
    return json.dumps({"filterGroup": {"kind": "group", "conjunction": "and", "children": [field]}, "showArchived": True})


async def search(client: Client, user: str = "admin", **body: Any) -> list[Any]:
    """The experiments found."""
    return list((await client.ok("POST", "experiments-search", body, user=user))["experiments"])


async def test_the_best_trial_comes_along(client: Client) -> None:
    """With its value; an experiment without validations has none."""
    e = await unmanaged.experiment(client)
    t = await trial(client, e, {"lr": 1})
    await report(client, await trial(client, e), 1, {"loss": 5}, "validation")
    await report(client, t, 1, {"loss": 3}, "validation")
    await unmanaged.experiment(client)
    first, second = await search(client, sort="id=asc")
    assert (first["experiment"]["id"], first["experiment"]["bestTrialId"], first["bestTrial"]["id"]) == (e, t, t)
    assert (first["bestTrial"]["searcherMetricValue"], first["bestTrial"]["hparams"]) == (3, {"lr": 1})
    assert second["bestTrial"] is None
    assert "bestTrialId" not in second["experiment"]


async def test_the_one_trial_of_an_experiment_is_its_best(client: Client) -> None:
    """Also before it has reported anything."""
    config = "{name: m, entrypoint: x, searcher: {name: single, metric: loss}}"
    made = (await client.ok("POST", "experiments", {"config": config}))["experiment"]
    (found,) = await search(client)
    assert found["experiment"]["bestTrialId"] == found["bestTrial"]["id"] == made["trialIds"][0]
    assert found["bestTrial"]["searcherMetricValue"] == 0


async def test_a_report_is_found_at_once(client: Client) -> None:
    """By what was reported a moment ago, and not any more by what was before."""
    t = await trial(client, await unmanaged.experiment(client))
    for loss in (5, 3, 1):
        await report(client, t, 10 - loss, {"loss": loss}, "validation")
        for wanted in (5, 3, 1):
            found = await search(client, filter=filter_of("validation.loss.last", "=", wanted))
            assert len(found) == (wanted == loss)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"projectId": 99}, 404),
        ({"sort": ""}, 400),
        ({"sort": "nope=asc"}, 400),
        ({"sort": "id=up"}, 400),
        ({"filter": ""}, 400),
        ({"filter": "{"}, 400),
        ({"filter": filter_of("nope", "=", 1)}, 400),
        ({"filter": filter_of("name", "~", "x")}, 400),
        ({"filter": filter_of("endTime", "isEmpty")}, 400),
        ({"filter": filter_of("id", "=", "x")}, 400),
        ({"filter": json.dumps({"filterGroup": {"kind": "group", "conjunction": "xor", "children": []}})}, 400),
    ],
)
async def test_mistakes(client: Client, body: dict[str, Any], status: int) -> None:
    """Each is refused with a message that says what is allowed."""
    answer = await client.post("experiments-search", body)
    assert (answer.status, bool(answer.error["error"])) == (status, True)


async def test_pages_and_projects(client: Client) -> None:
    """One project, or all; the block tells what was cut."""
    space = await worlds.workspace(client, "w")
    project = (await worlds.project(client, space, "p"))["id"]
    await unmanaged.experiment(client)
    ids = [await unmanaged.experiment(client, projectId=project) for _ in range(3)]
    answer = await client.ok("POST", "experiments-search", {"projectId": project, "sort": "id=desc", "offset": 1, "limit": 1})
    assert [one["experiment"]["id"] for one in answer["experiments"]] == [ids[1]]
    assert answer["pagination"] == {"offset": 1, "limit": 1, "startIndex": 1, "endIndex": 2, "total": 3}
    assert len(await search(client)) == 4
    empty = await client.ok("POST", "experiments-search", {"offset": 9})
    assert (empty["experiments"], empty["pagination"]["startIndex"]) == ([], 4)


async def test_rbac_finds_what_one_may_see(client: Client) -> None:
    """Nothing of other workspaces, by whatever filter."""
    space = await worlds.workspace(client, "w")
    project = (await worlds.project(client, space, "p"))["id"]
    await unmanaged.experiment(client, projectId=project)
    stranger = await worlds.user(client, "stranger")
    assert await search(client, "stranger", filter=filter_of("id", ">", 0)) == []
    assert (await client.post("experiments-search", {"projectId": project}, user="stranger")).status == 404
    await worlds.grant(client, stranger, worlds.VIEWER, space)
    assert len(await search(client, "stranger", filter=filter_of("id", ">", 0))) == 1
