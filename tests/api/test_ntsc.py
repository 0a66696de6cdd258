"""What notebooks, shells, commands and TensorBoards have in common."""

from typing import Any

import pytest

from tests.api import worlds
from tests.support import Client

CONFIGS: dict[str, dict[str, Any]] = {
    "command": {"entrypoint": ["sleep", "1"]},
    "notebook": {},
    "shell": {},
}
KINDS = list(CONFIGS)


async def launch(client: Client, kind: str, *, user: str = "admin", config: dict[str, Any] | None = None, **more: Any) -> Any:
    """A new task without slots."""
    full = {"resources": {"slots": 0}} | CONFIGS[kind] | (config or {})
    return await client.ok("POST", f"{kind}s", {"config": full} | more, user=user)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_new_task_waits_and_reads_back_the_same(client: Client, kind: str) -> None:
    """Launched into the first workspace with a description of its own, queued, and shown alike by get and list."""
    made = await launch(client, kind)
    task = made[kind]
    assert (task["state"], task["workspaceId"], task["exitStatus"], task["container"]) == ("STATE_QUEUED", 1, "", None)
    assert task["description"].endswith(")")
    assert await client.ok("GET", f"{kind}s/{task['id']}") == {kind: task, "config": made["config"]}
    assert (await client.ok("GET", f"{kind}s"))[f"{kind}s"] == [task]


@pytest.mark.parametrize("kind", KINDS)
async def test_killing_ends_it_and_can_be_repeated(client: Client, kind: str) -> None:
    """Anybody may kill in basic mode; a waiting task has ended with the answer, and stays in the list."""
    task = (await launch(client, kind))[kind]
    killed = (await client.ok("POST", f"{kind}s/{task['id']}/kill", user="determined"))[kind]
    assert (killed["state"], killed["exitStatus"]) == ("STATE_TERMINATED", "")
    again = (await client.ok("POST", f"{kind}s/{task['id']}/kill"))[kind]
    assert again["exitStatus"] == "allocation exited successfully"
    assert (await client.ok("GET", f"{kind}s"))[f"{kind}s"] == [again]


@pytest.mark.parametrize("kind", KINDS)
async def test_the_priority_is_shown_in_the_configuration(client: Client, kind: str) -> None:
    """Numbers outside 1 to 99 count as the nearest of those, and 0 as nothing."""
    task = (await launch(client, kind))[kind]
    for given, shown in ((30, 30), (0, 30), (200, 99), (-5, 1)):
        await client.ok("POST", f"{kind}s/{task['id']}/set_priority", {"priority": given})
        config = (await client.ok("GET", f"{kind}s/{task['id']}"))["config"]
        assert config["resources"]["priority"] == shown


@pytest.mark.parametrize("kind", KINDS)
async def test_unknown_ids_are_not_found(client: Client, kind: str) -> None:
    """Also when the id is that of a task of another kind."""
    other = "notebook" if kind == "command" else "command"
    foreign = (await launch(client, other))[other]["id"]
    for task_id in ("nope", foreign):
        assert (await client.get(f"{kind}s/{task_id}")).status == 404
        assert (await client.post(f"{kind}s/{task_id}/kill")).status == 404
        assert (await client.post(f"{kind}s/{task_id}/set_priority", {"priority": 5})).status == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"config": {"resources": {"slots": 1}}}, 400),
        ({"config": {"resources": {"slots": 0}, "nope": 1}}, 400),
        ({"config": {"resources": {"slots": 0, "resource_pool": "nope"}}}, 400),
        ({"config": {"resources": {"slots": 0}}, "templateName": "nope"}, 404),
        ({"config": {"resources": {"slots": 0}}, "workspaceId": 99}, 404),
        ({"config": {"resources": {"slots": 0}}, "files": [{"path": "../x", "type": 48, "content": "eA=="}]}, 400),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
async def test_mistakes_are_refused_and_leave_nothing(client: Client, kind: str, body: dict[str, Any], status: int) -> None:
    """Too many slots, unknown keys, pools, templates and workspaces, files that lead outside."""
    full = body | {"config": CONFIGS[kind] | body["config"]}
    assert (await client.post(f"{kind}s", full)).status == status
    assert (await client.ok("GET", f"{kind}s"))["pagination"]["total"] == 0


async def test_a_command_needs_something_to_run(client: Client) -> None:
    """The message names the entrypoint."""
    answer = await client.post("commands", {"config": {"resources": {"slots": 0}}})
    assert answer.status == 400
    assert "entrypoint" in answer.error["error"]


async def test_lists_are_filtered_sorted_and_cut(client: Client) -> None:
    """By owners' names or ids and by workspace; every sort key; pages as of other short lists."""
    workspace_id = await worlds.workspace(client, "lab")
    member = await worlds.user(client, "mia")
    first = (await launch(client, "command", config={"description": "b"}))["command"]["id"]
    second = (await launch(client, "command", user="mia", config={"description": "C"}, workspaceId=workspace_id))["command"]["id"]
    third = (await launch(client, "command", config={"description": "a"}, workspaceId=workspace_id))["command"]["id"]

    async def ids(**query: Any) -> list[str]:
        return [item["id"] for item in (await client.ok("GET", "commands", **query))["commands"]]

    assert await ids(sortBy="SORT_BY_START_TIME") == [first, second, third]
    assert await ids(sortBy="SORT_BY_START_TIME", orderBy="ORDER_BY_DESC", limit=1) == [third]
    assert await ids(sortBy="SORT_BY_START_TIME", offset=-1) == [third]
    assert await ids(sortBy="SORT_BY_DESCRIPTION") == [second, third, first]
    assert await ids(sortBy="SORT_BY_ID") == sorted([first, second, third])
    assert (await ids(sortBy="SORT_BY_WORKSPACE_ID"))[0] == first
    assert await ids(users="mia") == await ids(userIds=member) == [second]
    assert set(await ids(users="mia", userIds=1)) == {first, second, third}
    assert set(await ids(workspaceId=workspace_id)) == {second, third}
    assert (await client.get("commands", workspaceId=99)).status == 404
    for query in ({"offset": 4}, {"limit": -1}, {"sortBy": 99}, {"orderBy": 9}):
        assert (await client.get("commands", **query)).status == 400, query


async def test_a_template_fills_gaps_but_says_nothing_about_slots(client: Client) -> None:
    """Slots come from the request alone, one without any."""
    template = {"config": {"resources": {"slots": 0}, "work_dir": "/w"}, "workspaceId": 1}
    await client.ok("POST", "templates/t", template)
    assert (await client.post("commands", {"config": {"entrypoint": ["x"]}, "templateName": "t"})).status == 400
    assert (await launch(client, "command", templateName="t"))["config"]["work_dir"] == "/w"


async def test_config_policies_limit_slots_and_priority(client: Client) -> None:
    """At launch and when the priority is changed later."""
    body = {"workloadType": "NTSC", "configPolicies": "{constraints: {priority_limit: 30}}"}
    await client.ok("PUT", "config-policies/global/NTSC", body)
    better = {"config": {"entrypoint": ["x"], "resources": {"slots": 0, "priority": 20}}}
    assert (await client.post("commands", better)).status == 400
    task = (await launch(client, "command"))["command"]
    assert (await client.post(f"commands/{task['id']}/set_priority", {"priority": 29})).status == 400
    await client.ok("POST", f"commands/{task['id']}/set_priority", {"priority": 30})


async def test_an_archived_workspace_takes_nothing_new(client: Client) -> None:
    """Refused with the reason."""
    workspace_id = await worlds.workspace(client, "old")
    await client.ok("POST", f"workspaces/{workspace_id}/archive")
    body = {"config": {"entrypoint": ["x"], "resources": {"slots": 0}}, "workspaceId": workspace_id}
    assert "archived" in (await client.post("commands", body)).error["error"]


async def test_a_preview_of_a_notebook_starts_nothing(client: Client) -> None:
    """The configuration is complete, the notebook empty."""
    answer = await launch(client, "notebook", preview=True)
    assert (answer["notebook"]["id"], answer["config"]["resources"]["slots"]) == ("", 0)
    assert (await client.ok("GET", "notebooks"))["notebooks"] == []


async def test_notebooks_report_whether_they_are_idle(client: Client) -> None:
    """Known ones only."""
    task = (await launch(client, "notebook"))["notebook"]
    assert task["serviceAddress"].startswith(f"/proxy/{task['id']}/?token=")
    await client.ok("PUT", f"notebooks/{task['id']}/report_idle", {"idle": True})
    assert (await client.put("notebooks/nope/report_idle", {"idle": True})).status == 404
