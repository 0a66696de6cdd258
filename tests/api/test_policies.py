"""Config policies of the cluster and of workspaces."""

from tests.api.worlds import user, workspace
from tests.support import Client

GOOD = "invariant_config:\n  description: fixed\nconstraints:\n  priority_limit: 40\n"
BAD = [
    "",
    "{{",
    "nope: 1",
    "constraints: 5",
    "invariant_config:\n  nope: 1",
    "constraints:\n  priority_limit: abc",
    "x" * 2_000_000,
]


async def test_a_policy_is_shown_as_it_was_given(client: Client) -> None:
    """YAML or JSON; a new one replaces the old one whole; deleting twice is fine."""
    path = "config-policies/global/EXPERIMENT"
    stored = {"invariant_config": {"description": "fixed"}, "constraints": {"priority_limit": 40}}
    assert (await client.ok("PUT", path, {"configPolicies": GOOD}))["configPolicies"] == stored
    assert (await client.ok("GET", path, user="determined"))["configPolicies"] == stored
    limits = '{"constraints": {"resources": {"max_slots": 2}}}'
    assert (await client.ok("PUT", path, {"configPolicies": limits}))["configPolicies"] == {
        "constraints": {"resources": {"max_slots": 2}}
    }
    assert (await client.ok("PUT", path, {"configPolicies": "{}"}))["configPolicies"] == {}
    for _ in range(2):
        await client.ok("DELETE", path)
    assert (await client.ok("GET", path))["configPolicies"] == {}


async def test_a_bad_policy_is_refused_and_the_old_one_stays(client: Client) -> None:
    """With its mistakes; invariants of notebooks and commands are not supported."""
    path = "config-policies/global/EXPERIMENT"
    await client.ok("PUT", path, {"configPolicies": GOOD})
    for text in BAD:
        assert (await client.put(path, {"configPolicies": text})).error["code"] == 3
    assert (await client.put("config-policies/global/NTSC", {"configPolicies": GOOD})).error["code"] == 3
    assert "invariant_config" in (await client.ok("GET", path))["configPolicies"]
    for method in ("GET", "PUT", "DELETE"):
        answer = await client.call(method, "config-policies/global/experiment", {"configPolicies": GOOD})
        assert answer.error["code"] == 3


async def test_a_workspace_has_its_own(client: Client) -> None:
    """Set by its owner, read by everybody; the cluster's only by administrators."""
    await user(client, "ann")
    mine, other = await workspace(client, "w", by="ann"), await workspace(client, "v")
    body = {"configPolicies": "constraints:\n  priority_limit: 60\n"}
    await client.ok("PUT", f"config-policies/workspaces/{mine}/NTSC", body, user="ann")
    shown = await client.ok("GET", f"config-policies/workspaces/{mine}/NTSC", user="determined")
    assert shown["configPolicies"] == {"constraints": {"priority_limit": 60}}
    assert (await client.ok("GET", f"config-policies/workspaces/{mine}/EXPERIMENT"))["configPolicies"] == {}
    for path in (f"workspaces/{other}", "global"):
        assert (await client.put(f"config-policies/{path}/NTSC", body, user="ann")).error["code"] == 7
        assert (await client.delete(f"config-policies/{path}/NTSC", user="ann")).error["code"] == 7
    for method in ("GET", "PUT", "DELETE"):
        assert (await client.call(method, "config-policies/workspaces/9999/NTSC", body)).error["code"] == 5
