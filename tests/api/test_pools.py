"""Resource pools and what they are bound to."""

from typing import Any

import pytest

from tests.api.worlds import VIEWER, grant, user, workspace
from tests.conftest import make_settings
from tests.support import Client
from undeterred.base.settings import Settings

POOLS = [{"pool_name": "default"}, {"pool_name": "big", "scheduler": {"type": "fair_share"}}, {"pool_name": "small"}]


@pytest.fixture
def settings() -> Settings:
    """Three pools."""
    return make_settings(resource_pools=POOLS)


async def names(client: Client, **query: Any) -> list[str]:
    """Names of the pools of a list."""
    return [pool["name"] for pool in (await client.ok("GET", "resource-pools", **query))["resourcePools"]]


async def usable(client: Client, workspace_id: int, **query: Any) -> list[str]:
    """Names of the pools that a workspace may use."""
    answer = await client.ok("GET", f"workspaces/{workspace_id}/available-resource-pools", **query)
    pools: list[str] = answer["resourcePools"]
    return pools


async def test_pools_are_shown_as_configured(client: Client) -> None:
    """In the order of the settings; without agents they have nothing to give."""
    pools = (await client.ok("GET", "resource-pools"))["resourcePools"]
    assert [pool["name"] for pool in pools] == ["default", "big", "small"]
    first, second = pools[0], pools[1]
    assert (first["defaultComputePool"], first["defaultAuxPool"], first["slotsAvailable"]) == (True, True, 0)
    assert first["details"]["priorityScheduler"] == {"preemption": False, "defaultPriority": 42, "k8Priorities": []}
    assert (second["schedulerType"], second["details"]["priorityScheduler"]) == ("SCHEDULER_TYPE_FAIR_SHARE", None)
    assert await names(client, offset=1, limit=1) == ["big"]
    for query in ({"limit": -1}, {"offset": 5}):
        assert (await client.get("resource-pools", **query)).error["code"] == 3


async def test_a_bound_pool_serves_only_its_workspaces(client: Client) -> None:
    """By id or by name; further ones are added, all replaced, single ones taken away; with none left it serves all."""
    one, two = await workspace(client, "w"), await workspace(client, "v")
    path = "resource-pools/big/workspace-bindings"
    await client.ok("POST", path, {"workspaceIds": [one]})
    assert await usable(client, one) == ["default", "big", "small"]
    assert await usable(client, two) == ["default", "small"]
    await client.ok("POST", path, {"workspaceNames": ["v"]})
    assert (await client.ok("GET", path))["workspaceIds"] == [one, two]
    assert (await client.ok("GET", path, offset=1, limit=5))["workspaceIds"] == [two]
    assert await names(client, unbound="true") == ["default", "small"]
    await client.ok("PUT", path, {"workspaceIds": [two]})
    assert await usable(client, one) == ["default", "small"]
    assert (await client.delete(path, {"workspaceIds": [one]})).error["code"] == 9
    await client.ok("DELETE", path, {"workspaceIds": [two]})
    assert await usable(client, one, limit=-1, offset=-5) == ["default", "big", "small"]


async def test_bad_bindings_are_refused(client: Client) -> None:
    """Default pools, unknown pools and workspaces, nobody named, and users who may not."""
    number = await workspace(client, "w")
    for method in ("POST", "PUT"):
        default = await client.call(method, "resource-pools/default/workspace-bindings", {"workspaceIds": [number]})
        assert default.error["code"] == 9
    path = "resource-pools/big/workspace-bindings"
    assert (await client.post(path, {})).error["code"] == 3
    for body in ({"workspaceIds": [number, 9999]}, {"workspaceNames": ["nope"]}):
        for method in ("POST", "PUT", "DELETE"):
            assert (await client.call(method, path, body)).error["code"] == 5
            assert (await client.call(method, path, body, user="determined")).error["code"] == 7
    for method in ("GET", "POST", "PUT", "DELETE"):
        unknown = await client.call(method, "resource-pools/nope/workspace-bindings", {"workspaceIds": [number]})
        assert unknown.error["code"] == 5


async def test_a_workspace_takes_only_pools_it_may_use_as_default(client: Client) -> None:
    """A pool that is bound elsewhere is refused."""
    one, two = await workspace(client, "w"), await workspace(client, "v")
    await client.ok("POST", "resource-pools/big/workspace-bindings", {"workspaceIds": [one]})
    default = {"defaultComputeResourcePool": "big"}
    await client.ok("PATCH", f"workspaces/{one}", default)
    assert (await client.patch(f"workspaces/{two}", default)).error["code"] == 3


class TestRoles:
    """Where roles decide."""

    @pytest.fixture
    def settings(self) -> Settings:
        """Roles decide."""
        return make_settings(resource_pools=POOLS, security__authz__type="rbac")

    async def test_a_pool_of_hidden_workspaces_is_hidden(self, client: Client) -> None:
        """It appears with the first role in one of them."""
        ann = await user(client, "ann")
        number = await workspace(client, "w")
        await client.ok("POST", "resource-pools/big/workspace-bindings", {"workspaceIds": [number]})
        assert await names(client, user="ann") == ["default", "small"]
        await grant(client, ann, VIEWER, number)
        assert await names(client, user="ann") == ["default", "big", "small"]
