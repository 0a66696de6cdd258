"""Experiments that a program outside names."""

from typing import Any

import pytest

from tests.api import worlds
from tests.conftest import make_settings
from tests.support import Client
from undeterred.base.settings import Settings


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> Settings:
    """Roles decide where a test is marked so."""
    return make_settings(security__authz__type="rbac" if "rbac" in request.node.name else "basic")


def body(name: str, project: int = 1) -> dict[str, Any]:
    """A request."""
    config = f"{{name: {name}, searcher: {{name: single, metric: loss}}}}"
    return {"config": config, "unmanaged": True, "projectId": project}


async def test_a_second_put_finds_the_first(client: Client) -> None:
    """Its answer repeats the request; what is stored stays."""
    first = (await client.ok("PUT", "experiments/by-external-id/x", body("one")))["experiment"]
    second = await client.ok("PUT", "experiments/by-external-id/x", body("two"))
    assert second["experiment"]["id"] == first["id"]
    assert second["experiment"]["name"] == second["config"]["name"] == "two"
    stored = (await client.ok("GET", f"experiments/{first['id']}"))["experiment"]
    assert (stored["name"], stored["config"]["name"], stored["originalConfig"]) == ("one", "one", body("one")["config"])


async def test_only_unmanaged_ones(client: Client) -> None:
    """Those that this server runs have no external id."""
    assert (await client.put("experiments/by-external-id/x", body("one") | {"unmanaged": False})).status == 400


async def test_rbac_hides_foreign_experiments(client: Client) -> None:
    """An external id that is taken where one may not look is refused, and nothing of that experiment is told."""
    space, other = await worlds.workspace(client, "w"), await worlds.workspace(client, "v")
    project = (await worlds.project(client, other, "p"))["id"]
    hidden = (await worlds.project(client, space, "p"))["id"]
    await worlds.grant(client, await worlds.user(client, "editor"), worlds.EDITOR, other)
    await client.ok("PUT", "experiments/by-external-id/x", body("secret", hidden))
    answer = await client.put("experiments/by-external-id/x", body("mine", project), user="editor")
    assert (answer.status, "secret" in answer.text) == (409, False)
    await client.ok("PUT", "experiments/by-external-id/y", body("mine", project), user="editor")
