"""Changing experiments and their labels."""

from typing import Any

import pytest

from tests.api import unmanaged, worlds
from tests.conftest import make_settings
from tests.support import Client
from undeterred.app import App
from undeterred.base.settings import Settings
from undeterred.store import jobs

CONFIG = "{name: m, entrypoint: x, searcher: {name: single, metric: loss}}"


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> Settings:
    """Roles decide where a test is marked so."""
    return make_settings(security__authz__type="rbac" if "rbac" in request.node.name else "basic")


async def create(client: Client, **body: Any) -> int:
    """A new experiment."""
    return int((await client.ok("POST", "experiments", {"config": CONFIG, **body}))["experiment"]["id"])


async def patched(client: Client, experiment_id: int, **body: Any) -> Any:
    """The answer to a patch."""
    return (await client.ok("PATCH", f"experiments/{experiment_id}", body))["experiment"]


async def read(client: Client, experiment_id: int) -> Any:
    """The experiment as it is now."""
    return (await client.ok("GET", f"experiments/{experiment_id}"))["experiment"]


async def test_texts(client: Client) -> None:
    """The answer shows the new texts beside the old configuration; the next one has both."""
    e = await create(client)
    answer = await patched(client, e, name="new", description="d", notes="n", labels=["x", "y", "x", "", 5])
    assert (answer["name"], answer["description"], answer["notes"], answer["labels"]) == ("new", "d", "n", ["x", "y"])
    assert answer["config"]["name"] == "m"
    now = await read(client, e)
    assert (now["config"]["name"], now["config"]["description"], now["config"]["labels"]) == ("new", "d", ["x", "y"])
    assert now["originalConfig"] == CONFIG


async def test_nothing_asked_is_nothing_changed(client: Client) -> None:
    """An empty patch, and nulls, leave all as it is."""
    e = await create(client)
    before = await read(client, e)
    assert await patched(client, e) == before
    await patched(client, e, name=None, description=None, labels=None, notes=None)
    assert await read(client, e) == before


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {"name": " "},
        {"labels": "x"},
        {"resources": {"priority": 0}},
        {"resources": {"priority": 100}},
        {"resources": {"weight": -1}},
        {"checkpointStorage": {"saveTrialBest": -1}},
    ],
)
async def test_mistakes(client: Client, body: dict[str, Any]) -> None:
    """They are refused and change nothing."""
    e = await create(client)
    before = await read(client, e)
    assert (await client.patch(f"experiments/{e}", body)).status == 400
    assert await read(client, e) == before


async def test_unknown(client: Client) -> None:
    """An unknown experiment is not found."""
    for method, path in (("PATCH", "experiments/99"), ("PUT", "experiments/99/labels/a"), ("DELETE", "experiments/99/labels/a")):
        assert (await client.call(method, path)).status == 404


async def test_resources_reach_the_queue(client: Client, app: App) -> None:
    """Priority, weight and limit of the job follow; a negative limit is none."""
    e = await create(client)
    job = (await read(client, e))["jobId"]

    async def queued() -> tuple[Any, ...]:
        row = await app.db.read(lambda tx: jobs.get(tx, job))
        return row.priority, row.weight, row.max_slots

    await patched(client, e, resources={"priority": 7, "weight": 1.5, "maxSlots": 2})
    assert await queued() == (7, 1.5, 2)
    await patched(client, e, resources={"maxSlots": -2})
    assert await queued() == (7, 1.5, None)
    resources = (await read(client, e))["config"]["resources"]
    assert (resources["priority"], resources["weight"], resources["max_slots"]) == (7, 1.5, -2)


async def test_resources_of_what_is_in_no_queue(client: Client) -> None:
    """An ended or unmanaged experiment has none."""
    e = await create(client)
    await client.ok("POST", f"experiments/{e}/kill")
    for one in (e, await unmanaged.experiment(client)):
        assert (await client.patch(f"experiments/{one}", {"resources": {"priority": 7}})).status == 404


async def test_a_config_policy_holds_for_changes(client: Client) -> None:
    """What a policy fixes or limits stays so."""
    policy = "{invariant_config: {resources: {weight: 2}}, constraints: {priority_limit: 10}}"
    await client.ok("PUT", "config-policies/global/EXPERIMENT", {"configPolicies": policy})
    e = await create(client)
    assert (await client.patch(f"experiments/{e}", {"resources": {"priority": 5}})).status == 400
    assert (await client.patch(f"experiments/{e}", {"resources": {"weight": 3}})).status == 400
    await patched(client, e, resources={"priority": 20, "weight": 2})


async def test_how_many_checkpoints_to_keep(client: Client) -> None:
    """The three numbers are set together, also of an ended experiment."""
    e = await create(client)
    await patched(client, e, checkpointStorage={"saveExperimentBest": 1, "saveTrialLatest": 3})
    await client.ok("POST", f"experiments/{e}/kill")
    storage = (await read(client, e))["config"]["checkpoint_storage"]
    assert (storage["save_experiment_best"], storage["save_trial_best"], storage["save_trial_latest"]) == (1, 0, 3)
    await patched(client, e, checkpointStorage={"saveTrialBest": 2})
    assert (await read(client, e))["config"]["checkpoint_storage"]["save_trial_best"] == 2


async def test_labels(client: Client) -> None:
    """They are a set: adding twice and taking away what is not there change nothing."""
    e = await create(client)

    async def call(method: str, label: str) -> list[str]:
        return list((await client.ok(method, f"experiments/{e}/labels/{label}"))["labels"])

    assert await call("PUT", "b") == ["b"]
    assert await call("PUT", "a%20%C3%BC") == ["a ü", "b"]
    assert await call("PUT", "b") == ["a ü", "b"]
    assert await call("DELETE", "none") == ["a ü", "b"]
    assert await call("DELETE", "b") == ["a ü"]
    now = await read(client, e)
    assert now["labels"] == now["config"]["labels"] == ["a ü"]


async def test_rbac(client: Client) -> None:
    """A viewer may not change anything, an editor all; to a stranger the experiment is not there."""
    space = await worlds.workspace(client, "w")
    project = (await worlds.project(client, space, "p"))["id"]
    e = await create(client, projectId=project)
    for name, role, status in (("stranger", None, 404), ("viewer", worlds.VIEWER, 403), ("editor", worlds.EDITOR, 200)):
        user = await worlds.user(client, name)
        if role is not None:
            await worlds.grant(client, user, role, space)
        for method, path, body in (
            ("PATCH", f"experiments/{e}", {"description": "d"}),
            ("PATCH", f"experiments/{e}", {"resources": {"priority": 5}}),
            ("PUT", f"experiments/{e}/labels/a", None),
            ("DELETE", f"experiments/{e}/labels/a", None),
        ):
            assert (await client.call(method, path, body, user=name)).status == status, (name, path)
