"""What a submitted configuration becomes: templates, defaults, storages and policies around it; forks; searches of old."""

import io
import json
import tarfile
from base64 import b64decode, b64encode
from typing import Any

import pytest

from tests.api import worlds
from tests.conftest import make_settings
from tests.support import Client
from undeterred.app import App
from undeterred.base.settings import Settings
from undeterred.store import experiments

CONFIG = "{name: one, entrypoint: python x.py, searcher: {name: single, metric: loss}, resources: {slots_per_trial: 0}}"


@pytest.fixture
def settings() -> Settings:
    """Every source of the server says something; variables and images are said by server and pool."""
    return make_settings(
        checkpoint_storage={"type": "shared_fs", "host_path": "/server", "storage_path": "below", "save_trial_latest": 7},
        task_container_defaults={
            "environment_variables": ["A=server", "B=server"],
            "image": {"cpu": "server", "cuda": "server"},
            "preemption_timeout": 5,
            "bind_mounts": [{"host_path": "/server", "container_path": "x"}],
        },
        resource_pools=[
            {
                "pool_name": "default",
                "scheduler": {"type": "priority", "default_priority": 8},
                "task_container_defaults": {"environment_variables": ["A=pool"], "image": {"cpu": "pool"}},
            },
            {"pool_name": "second"},
        ],
    )


async def resolved(client: Client, config: str = CONFIG, **body: Any) -> dict[str, Any]:
    """The configuration that an experiment has in the end."""
    made = await client.ok("POST", "experiments", {"config": config, **body})
    shown: dict[str, Any] = (await client.ok("GET", f"experiments/{made['experiment']['id']}"))["experiment"]
    assert shown["originalConfig"] == config
    return dict(shown["config"])


async def test_nine_sources_become_one_configuration(client: Client) -> None:
    """Policies of the cluster and the workspace, what is submitted, a template, the pool's defaults over the server's, the
    workspace's storage over the server's, the pool's priority, and the defaults of the schema; the text is kept as it was."""
    storage = {"type": "shared_fs", "host_path": "/workspace"}
    workspace = await worlds.workspace(client, "lab", checkpointStorageConfig=storage)
    project = (await worlds.project(client, workspace, "p"))["id"]
    both = {"invariant_config": {"description": "cluster"}}, {"invariant_config": {"description": "workspace", "debug": True}}
    for place, policy in zip(("global", f"workspaces/{workspace}"), both, strict=True):
        await fix(client, policy, place)
    template = {"max_restarts": 4, "name": "template", "labels": ["t"], "description": "t", "environment": {"image": "t"}}
    await client.ok("POST", "templates/t", {"name": "t", "config": template, "workspaceId": workspace})
    config = await resolved(client, CONFIG[:-1] + ", labels: [mine], debug: false}", template="t", projectId=project)
    assert (config["description"], config["debug"]) == ("cluster", True)
    assert (config["name"], config["max_restarts"], sorted(config["labels"])) == ("one", 4, ["mine", "t"])
    assert config["environment"]["image"] == {"cpu": "t", "cuda": "t", "rocm": "t"}
    assert config["environment"]["environment_variables"]["cpu"] == ["B=server", "A=pool"]
    assert (config["preemption_timeout"], config["bind_mounts"][0]["host_path"]) == (5, "/server")
    kept = config["checkpoint_storage"]
    assert (kept["host_path"], kept["storage_path"], kept["save_trial_latest"]) == ("/workspace", "below", 7)
    assert (config["resources"]["priority"], config["scheduling_unit"]) == (8, 100)


async def test_the_defaults_of_a_pool_go_into_those_of_the_server(client: Client) -> None:
    """An image or a variable that a pool names leaves the server's others as they are."""
    environment = (await resolved(client))["environment"]
    assert (environment["image"]["cpu"], environment["image"]["cuda"]) == ("pool", "server")
    variables = environment["environment_variables"]
    assert (variables["cpu"], variables["cuda"]) == (["B=server", "A=pool"], ["B=server", "A=pool"])


async def test_an_unknown_template_is_not_found(client: Client) -> None:
    """Whatever the configuration says."""
    assert (await client.post("experiments", {"config": CONFIG, "template": "none"})).error["code"] == 5


async def test_mistakes_of_a_template_are_told_beside_those_of_the_text(client: Client) -> None:
    """Each once, also when nothing is to be stored."""
    await client.ok("POST", "templates/t", {"name": "t", "config": {"max_restarts": -1, "nope": 1}})
    for more in ({}, {"validateOnly": True}):
        answer = await client.post("experiments", {"config": CONFIG[:-1] + ", debug: 5}", "template": "t"} | more)
        assert answer.status == 400
        for part in ("max_restarts", "nope", "debug"):
            assert answer.error["error"].count(part) >= 1, answer.error
    assert (await client.ok("GET", "experiments"))["experiments"] == []


async def fix(client: Client, policy: dict[str, Any], place: str = "global") -> None:
    """Put a config policy for experiments."""
    await client.ok("PUT", f"config-policies/{place}/EXPERIMENT", {"configPolicies": json.dumps(policy)})


async def test_a_policy_may_choose_the_pool(client: Client) -> None:
    """The job goes there, with the defaults of the pool that was asked for; one that does not exist is refused."""
    await fix(client, {"invariant_config": {"resources": {"resource_pool": "second"}}})
    made = await client.ok("POST", "experiments", {"config": CONFIG, "activate": True})
    shown = (await client.ok("GET", f"experiments/{made['experiment']['id']}"))["experiment"]
    assert (shown["resourcePool"], shown["config"]["resources"]["resource_pool"]) == ("second", "second")
    assert shown["config"]["environment"]["image"]["cpu"] == "pool"
    (job,) = (await client.ok("GET", "job-queues-v2", resourcePool="second"))["jobs"]
    assert job["full"]["entityId"] == str(shown["id"])
    await fix(client, {"invariant_config": {"resources": {"resource_pool": "none"}}})
    assert "'none'" in (await client.post("experiments", {"config": CONFIG})).error["error"]


async def test_policies_and_pools_hold_for_changes_with_which_one_goes_on(client: Client) -> None:
    """What has become fixed wins; what is beyond a limit or has no pool is refused and changes nothing; as it was it goes on."""
    experiment = (await client.ok("POST", "experiments", {"config": CONFIG}))["experiment"]["id"]
    await client.ok("POST", f"experiments/{experiment}/kill")
    limits = {"priority_limit": 5, "resources": {"max_slots": 2}}
    await fix(client, {"invariant_config": {"max_restarts": 2}, "constraints": limits})
    await fix(client, {"invariant_config": {"max_restarts": 1, "debug": True}}, "workspaces/1")
    for text in ("{priority: 4}", "{slots_per_trial: 3}", "{max_slots: 3}", "{resource_pool: none}"):
        body = {"id": experiment, "overrideConfig": f"resources: {text}"}
        assert (await client.post("experiments/continue", body)).error["code"] == 3, text
    answer = await client.ok("POST", "experiments/continue", {"id": experiment, "overrideConfig": "{max_restarts: 9, name: n}"})
    config = answer["experiment"]["config"]
    assert (config["max_restarts"], config["debug"], config["name"]) == (2, True, "n")
    await client.ok("POST", f"experiments/{experiment}/kill")
    await fix(client, {"invariant_config": {"searcher": {"name": "random", "max_trials": 2}}})
    assert (await client.post("experiments/continue", {"id": experiment, "overrideConfig": "name: m"})).error["code"] == 3
    await client.ok("POST", "experiments/continue", {"id": experiment})


async def test_limits_of_policies_hold_for_new_experiments(client: Client) -> None:
    """Of the cluster and of the workspace; also when nothing is to be stored. What fits is taken."""
    limits = {"constraints": {"priority_limit": 40, "resources": {"max_slots": 2}}}
    await fix(client, limits, "workspaces/1")
    for resources in (
        "{slots_per_trial: 3, priority: 50}",
        "{slots_per_trial: 1, priority: 30}",
        "{slots_per_trial: 1, max_slots: 5}",
    ):
        config = CONFIG.replace("{slots_per_trial: 0}", resources)
        for more in ({}, {"validateOnly": True}):
            assert (await client.post("experiments", {"config": config} | more)).status == 400, resources
    assert (await resolved(client, CONFIG.replace("slots_per_trial: 0", "slots_per_trial: 2, priority: 50")))["max_restarts"] == 5


async def test_a_pool_that_is_too_small_is_a_warning(client: Client) -> None:
    """With `launch_error: false`; what needs no slots gives none."""
    small, large = CONFIG, CONFIG.replace("slots_per_trial: 0", "slots_per_trial: 4")
    for config, warnings in ((small, []), (large, ["LAUNCH_WARNING_CURRENT_SLOTS_EXCEEDED"])):
        assert (await client.ok("POST", "experiments", {"config": config}))["warnings"] == warnings


async def test_the_project_is_that_of_the_request_then_of_the_configuration_then_the_first(client: Client) -> None:
    """Workspace and project are named together, and must be there."""
    workspace = await worlds.workspace(client, "lab")
    one, two = [(await worlds.project(client, workspace, name))["id"] for name in ("p", "q")]
    named = CONFIG[:-1] + ", workspace: lab, project: p}"
    for config, body, place in (
        (CONFIG, {}, 1),
        (named, {}, one),
        (named, {"projectId": two}, two),
        (named, {"projectId": 1}, one),
    ):
        made = await client.ok("POST", "experiments", {"config": config} | body)
        assert made["experiment"]["projectId"] == place, (config, body)
    for part, code in ((", workspace: lab}", 3), (", project: p}", 3), (", workspace: lab, project: none}", 5)):
        assert (await client.post("experiments", {"config": CONFIG[:-1] + part})).error["code"] == code, part


def files(answer: dict[str, Any]) -> list[str]:
    """Names in a context as it is downloaded."""
    with tarfile.open(fileobj=io.BytesIO(b64decode(answer["b64Tgz"]))) as archive:
        return sorted(archive.getnames())


def file(name: str) -> dict[str, Any]:
    """A file to submit."""
    return {"path": name, "type": 48, "content": b64encode(b"x").decode(), "mode": 0o644}


async def test_a_fork_has_the_files_of_its_parent_and_its_own_configuration(client: Client) -> None:
    """Files of the request are passed over; the parent may be another's and may have ended; an archived home takes no fork."""
    workspace = await worlds.workspace(client, "w")
    project = (await worlds.project(client, workspace, "p"))["id"]
    parent = await client.ok("POST", "experiments", {"config": CONFIG, "modelDefinition": [file("a.py")], "projectId": project})
    parent_id = parent["experiment"]["id"]
    await client.ok("POST", f"experiments/{parent_id}/kill")
    body = {"config": CONFIG.replace("one", "two"), "parentId": parent_id, "modelDefinition": [file("b.py")]}
    fork = (await client.ok("POST", "experiments", body, user="determined"))["experiment"]
    assert (fork["forkedFrom"], fork["name"], fork["username"], fork["state"]) == (parent_id, "two", "determined", "STATE_PAUSED")
    assert files(await client.ok("GET", f"experiments/{fork['id']}/model_def")) == ["a.py"]
    assert (await client.ok("GET", f"experiments/{parent_id}"))["experiment"]["forkedFrom"] is None
    assert (await client.post("experiments", body | {"parentId": 999})).error["code"] == 5
    await client.ok("POST", f"projects/{project}/archive")
    assert (await client.post("experiments", body | {"projectId": project})).error["code"] == 9


@pytest.mark.parametrize("name", ["adaptive", "adaptive_simple", "sync_halving"])
async def test_an_experiment_of_a_search_that_is_no_more_is_shown(client: Client, app: App, name: str) -> None:
    """One that an earlier version ran is listed, found and described with all keys; a new one with such a search is refused."""
    made = (await client.ok("POST", "experiments", {"config": CONFIG}))["experiment"]["id"]
    await client.ok("POST", f"experiments/{made}/kill")
    searcher = {"name": name, "metric": "loss", "smaller_is_better": True, "budget": 5}
    await app.db.write(lambda tx: put_searcher(tx, made, searcher))
    shown = (await client.ok("GET", f"experiments/{made}"))["experiment"]
    assert (shown["config"]["searcher"], json.loads(shown["searcherType"])) == (searcher, name)
    (listed,) = (await client.ok("GET", "experiments"))["experiments"]
    assert listed["searcherType"] == name
    (found,) = (await client.ok("POST", "experiments-search", {}))["experiments"]
    assert found["experiment"]["searcherType"] == name
    assert len((await client.ok("GET", f"experiments/{made}/trials"))["trials"]) == 1
    refused = await client.post("experiments", {"config": json.dumps(shown["config"]), "parentId": made})
    assert (refused.status, "removed" in refused.error["error"]) == (400, True)


def put_searcher(tx: Any, experiment_id: int, searcher: dict[str, Any]) -> None:
    """Store a searcher section as an earlier version did."""
    config = json.loads(experiments.get(tx, experiment_id).config) | {"searcher": searcher}
    experiments.update(tx, experiment_id, config=json.dumps(config), searcher_name=searcher["name"])
