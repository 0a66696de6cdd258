"""Generic tasks: trees, copies, pauses."""

import json
from typing import Any

from tests.api import worlds
from tests.support import Client

CONFIG = '{"entrypoint": ["sleep", "5"], "resources": {"slots": 0}, "description": "one"}'
FILES = [{"path": "a.txt", "type": 48, "content": "aGkK"}]


async def create(client: Client, config: str = CONFIG, **body: Any) -> str:
    """A new task; its id."""
    return str((await client.ok("POST", "generic-tasks", {"config": config} | body))["taskId"])


async def state(client: Client, task_id: str) -> str:
    """The state without its prefix."""
    task = (await client.ok("GET", f"tasks/{task_id}"))["task"]
    return str(task["taskState"]).removeprefix("GENERIC_TASK_STATE_")


async def config_of(client: Client, task_id: str) -> Any:
    """The complete configuration."""
    return json.loads((await client.ok("GET", f"tasks/{task_id}/config"))["config"])


async def test_a_task_is_active_and_shows_its_configuration(client: Client) -> None:
    """Complete, as JSON text; that of other kinds of tasks is empty."""
    task = await create(client)
    assert await state(client, task) == "ACTIVE"
    assert (await config_of(client, task))["entrypoint"] == ["sleep", "5"]
    body = {"config": {"entrypoint": ["x"], "resources": {"slots": 0}}}
    command = (await client.ok("POST", "commands", body))["command"]["id"]
    assert await client.ok("GET", f"tasks/{command}/config") == {"config": ""}


async def test_killing_ends_a_subtree_or_the_whole_tree(client: Client) -> None:
    """A child alone leaves its parent, `killFromRoot` ends all; an ended one cannot be killed again."""
    root = await create(client)
    child, other = await create(client, parentId=root), await create(client, parentId=root)
    await client.ok("POST", f"tasks/{child}/kill", {})
    assert [await state(client, task) for task in (root, child, other)] == ["ACTIVE", "CANCELED", "ACTIVE"]
    await client.ok("POST", f"tasks/{other}/kill", {"killFromRoot": True})
    assert [await state(client, task) for task in (root, other)] == ["CANCELED", "CANCELED"]
    assert (await client.post(f"tasks/{root}/kill", {})).status == 400
    assert (await client.post("generic-tasks", {"config": CONFIG, "parentId": root})).status == 400


async def test_pausing_takes_along_the_children_that_allow_it(client: Client) -> None:
    """Children do not unless told; unpausing brings back what was paused."""
    root = await create(client)
    stays, joins = await create(client, parentId=root), await create(client, parentId=root, noPause=False)
    await client.ok("POST", f"tasks/{root}/pause", {})
    assert [await state(client, task) for task in (root, stays, joins)] == ["PAUSED", "ACTIVE", "PAUSED"]
    assert (await client.post(f"tasks/{root}/pause", {})).status == 400
    await client.ok("POST", f"tasks/{root}/unpause", {})
    assert [await state(client, task) for task in (root, stays, joins)] == ["ACTIVE", "ACTIVE", "ACTIVE"]
    assert (await client.post(f"tasks/{root}/unpause", {})).status == 400


async def test_a_copy_takes_over_what_is_not_given(client: Client) -> None:
    """Configuration, slots and files of the original, each replaced by what the request says."""
    original = await create(client, contextDirectory=FILES)
    same = await create(client, config="", forkedFrom=original)
    assert await config_of(client, same) == await config_of(client, original)
    changed = await create(client, config="{entrypoint: [ls]}", forkedFrom=original)
    found = await config_of(client, changed)
    assert (found["entrypoint"], found["description"], found["resources"]["slots"]) == (["ls"], "one", 0)
    contexts = [(await client.ok("GET", f"tasks/{task}/context_directory"))["b64Tgz"] for task in (original, same, changed)]
    assert contexts[0]
    assert contexts == [contexts[0]] * 3


async def test_a_child_may_take_over_the_files_of_its_parent(client: Client) -> None:
    """And lives in the workspace of its parent unless a project is named."""
    workspace_id = await worlds.workspace(client, "lab")
    project = await worlds.project(client, workspace_id, "p")
    parent = await create(client, contextDirectory=FILES, projectId=project["id"])
    child = await create(client, parentId=parent, inheritContext=True)
    contexts = [(await client.ok("GET", f"tasks/{task}/context_directory"))["b64Tgz"] for task in (parent, child)]
    assert contexts[0] == contexts[1] != ""
    queue = (await client.ok("GET", "job-queues-v2", resourcePool="default"))["jobs"]
    assert {job["full"]["workspaceId"] for job in queue} == {workspace_id}


async def test_mistakes_are_refused(client: Client) -> None:
    """With the right status, and nothing is stored."""
    command_body = {"config": {"entrypoint": ["x"], "resources": {"slots": 0}}}
    command = (await client.ok("POST", "commands", command_body))["command"]["id"]
    for body, status in (
        ({}, 400),
        ({"config": "{"}, 400),
        ({"config": "{resources: {slots: 0}}"}, 400),
        ({"config": "{entrypoint: [x], nope: 1}"}, 400),
        ({"config": "{entrypoint: [x], resources: {slots: 3}}"}, 400),
        ({"config": "{resources: 3}", "forkedFrom": "nope"}, 404),
        ({"config": CONFIG, "projectId": 99}, 404),
        ({"config": CONFIG, "parentId": "nope"}, 404),
        ({"config": CONFIG, "parentId": command}, 400),
        ({"config": CONFIG, "inheritContext": True}, 400),
    ):
        answer = await client.post("generic-tasks", body)
        assert answer.status == status, f"{body}: {answer.text}"
    for act in ("kill", "pause", "unpause"):
        assert (await client.post(f"tasks/nope/{act}", {})).status == 404
        assert (await client.post(f"tasks/{command}/{act}", {})).status == 400
    assert (await client.get("tasks/nope/config")).status == 404
