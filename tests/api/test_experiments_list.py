"""Listing experiments and labels."""

from typing import Any

import pytest

from tests.api import unmanaged, worlds
from tests.api.unmanaged import report, trial
from tests.conftest import make_settings
from tests.support import Client
from undeterred.base.settings import Settings

CONFIG = "{name: m, entrypoint: x, searcher: {name: single, metric: loss}, labels: [a], hyperparameters: {lr: 1}}"


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> Settings:
    """Roles decide where a test is marked so."""
    return make_settings(security__authz__type="rbac" if "rbac" in request.node.name else "basic")


async def listed(client: Client, **query: Any) -> list[Any]:
    """The experiments of a list."""
    return list((await client.ok("GET", "experiments", **query))["experiments"])


async def test_an_experiment_as_lists_show_it(client: Client) -> None:
    """Searcher and hyperparameters apart, duration and the owner's name, but neither trials nor the text as submitted."""
    made = (await client.ok("POST", "experiments", {"config": CONFIG}))["experiment"]
    (shown,) = await listed(client)
    expected = {
        "searcherType": "single",
        "searcherMetric": "loss",
        "hyperparameters": {"lr": {"type": "const", "val": 1}},
        "displayName": "admin",
        "trialIds": [],
        "originalConfig": "",
        "numTrials": 1,
        "state": "STATE_PAUSED",
        "resourcePool": "default",
    }
    assert {key: shown[key] for key in expected} == expected
    assert 0 <= shown["duration"] < 100
    assert shown["config"] == made["config"]
    assert not {"modelDefinitionSize", "bestTrialSearcherMetric", "externalExperimentId"} & set(shown)


async def test_an_active_experiment_is_shown_as_far_as_its_trials_are(client: Client) -> None:
    """Without an agent it is queued; the filter compares the stored state."""
    await client.ok("POST", "experiments", {"config": CONFIG, "activate": True})
    assert [one["state"] for one in await listed(client)] == ["STATE_QUEUED"]
    assert len(await listed(client, states="STATE_ACTIVE")) == 1
    assert await listed(client, states="STATE_QUEUED") == []


async def test_the_best_metric_is_shown_on_demand(client: Client) -> None:
    """With showTrialData only, and only where there is one."""
    e = await unmanaged.experiment(client)
    await report(client, await trial(client, e), 1, {"loss": 3}, "validation")
    await unmanaged.experiment(client)
    with_data = await listed(client, showTrialData="true", sortBy="SORT_BY_SEARCHER_METRIC_VAL", orderBy="ORDER_BY_DESC")
    assert [one.get("bestTrialSearcherMetric") for one in with_data] == [3, None]
    assert all("bestTrialSearcherMetric" not in one for one in await listed(client))


VALUES = [0.2, 0.2, 0.2, 0.1, "NaN", "NaN", "Infinity", "-Infinity", None, None, "text", 5]


async def test_pages_by_the_best_metric_hold_every_experiment_once(client: Client) -> None:
    """Ties go by the number in the direction of the sort; without a best value last in both: neither NaN nor a text is one."""
    ids = [await unmanaged.experiment(client) for _ in VALUES]
    for one, value in zip(ids, VALUES, strict=True):
        await report(client, await trial(client, one), 1, {"other": 1} if value is None else {"loss": value}, "validation")
    none = [4, 5, 8, 9, 10]
    for order, expected in (("ASC", [7, 3, 0, 1, 2, 11, 6, *none]), ("DESC", [6, 11, 2, 1, 0, 3, 7, *none[::-1]])):
        found = []
        for offset in (0, 5, 10):
            query = {"sortBy": "SORT_BY_SEARCHER_METRIC_VAL", "orderBy": f"ORDER_BY_{order}", "showTrialData": "true"}
            answer = await client.ok("GET", "experiments", offset=offset, limit=5, **query)
            assert answer["pagination"]["total"] == 12
            found += answer["experiments"]
        assert [ids.index(one["id"]) for one in found] == expected
        best = [None if number in none else VALUES[number] for number in expected]
        assert [one.get("bestTrialSearcherMetric") for one in found] == best


async def test_pages(client: Client) -> None:
    """As all long lists: 0 is a hundred, -1 all, -2 none; offsets count from the end when negative."""
    ids = [await unmanaged.experiment(client) for _ in range(3)]

    async def page(offset: int, limit: int) -> tuple[list[int], dict[str, int]]:
        answer = await client.ok("GET", "experiments", offset=offset, limit=limit)
        return [one["id"] for one in answer["experiments"]], answer["pagination"]

    assert await page(1, 1) == (ids[1:2], {"offset": 1, "limit": 1, "startIndex": 1, "endIndex": 2, "total": 3})
    assert (await page(-1, 0))[0] == ids[2:]
    assert (await page(0, -1))[0] == ids
    assert (await page(0, -2))[0] == []
    assert (await page(99, 0))[1] == {"offset": 99, "limit": 0, "startIndex": 3, "endIndex": 3, "total": 3}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"states": "STATE_UNSPECIFIED"}, 400),
        ({"states": "99"}, 400),
        ({"sortBy": "99"}, 400),
        ({"orderBy": "9"}, 400),
        ({"projectId": "999"}, 404),
        ({"archived": "yes"}, 400),
    ],
)
async def test_mistakes(client: Client, query: dict[str, str], status: int) -> None:
    """Each is refused with a message that says what is allowed."""
    answer = await client.get("experiments", **query)
    assert (answer.status, bool(answer.error["error"])) == (status, True)


async def test_labels(client: Client) -> None:
    """Of all projects, or of one; that of an unknown project is not found."""
    space = await worlds.workspace(client, "w")
    project = (await worlds.project(client, space, "p"))["id"]
    await client.ok("POST", "experiments", {"config": CONFIG})
    await client.ok("POST", "experiments", {"config": CONFIG.replace("[a]", "[a, b]"), "projectId": project})
    assert (await client.ok("GET", "experiment/labels"))["labels"] == ["a", "b"]
    assert (await client.ok("GET", "experiment/labels", projectId=1))["labels"] == ["a"]
    assert (await client.get("experiment/labels", projectId=999)).status == 404


async def test_rbac_shows_what_one_may_see(client: Client) -> None:
    """Lists leave hidden experiments out; a hidden project is not found."""
    space = await worlds.workspace(client, "w")
    project = (await worlds.project(client, space, "p"))["id"]
    await client.ok("POST", "experiments", {"config": CONFIG, "projectId": project})
    stranger = await worlds.user(client, "stranger")
    assert await listed(client, user="stranger") == []
    assert (await client.get("experiments", projectId=project, user="stranger")).status == 404
    assert (await client.ok("GET", "experiment/labels", user="stranger"))["labels"] == []
    await worlds.grant(client, stranger, worlds.VIEWER, space)
    assert len(await listed(client, user="stranger", projectId=project)) == 1
