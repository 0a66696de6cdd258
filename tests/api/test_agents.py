"""Agents and slots: this machine as one, seen and switched."""

from typing import Any

import pytest

from tests.api.worlds import VIEWER, grant, user, workspace
from tests.conftest import make_settings
from tests.support import Client
from undeterred.api.views.agents import AgentViewer
from undeterred.app import App
from undeterred.base.settings import Settings
from undeterred.engine.agents import AgentView, SlotView
from undeterred.launch.spec import Device


@pytest.fixture
def settings() -> Settings:
    """This machine is an agent with two slots."""
    return make_settings(undeterred__agent=True, undeterred__slots=2)


async def the_agent(client: Client, **kwargs: Any) -> dict[str, Any]:
    """The one agent."""
    (agent,) = (await client.ok("GET", "agents", **kwargs))["agents"]
    found: dict[str, Any] = agent
    return found


async def test_this_machine_is_an_agent(client: Client) -> None:
    """With its slots under their paths, its pool, and sums by kind of device; slots may be left out."""
    agent = await the_agent(client)
    name = agent["id"]
    assert sorted(agent["slots"]) == [f"/agents/{name}/slots/{number}" for number in (0, 1)]
    assert (agent["enabled"], agent["draining"], agent["resourcePools"], agent["version"]) == (True, False, ["default"], "0.38.1")
    (kind,) = agent["slotStats"]["typeStats"].values()
    assert kind == {"states": {}, "draining": 0, "disabled": 0, "total": 2}
    assert (await client.ok("GET", f"agents/{name}"))["agent"] == agent
    assert (await the_agent(client, excludeSlots="true"))["slots"] == {}
    slots = (await client.ok("GET", f"agents/{name}/slots"))["slots"]
    assert [slot["id"] for slot in slots] == ["0", "1"]
    assert (await client.ok("GET", f"agents/{name}/slots/1"))["slot"] == slots[1]
    assert (await client.get("agents", sortBy=9)).error["code"] == 3
    assert (await client.get("agents", offset=2)).error["code"] == 3
    (pool,) = (await client.ok("GET", "resource-pools"))["resourcePools"]
    assert (pool["numAgents"], pool["slotsAvailable"], pool["auxContainerCapacity"]) == (1, 2, 100)


async def test_an_agent_and_its_slots_are_switched(client: Client) -> None:
    """Off and on again; a switched off agent has no slot that is on; the switches outlive a look at the machine."""
    name = (await the_agent(client))["id"]
    off = (await client.ok("POST", f"agents/{name}/disable", {"drain": True}))["agent"]
    assert (off["enabled"], off["draining"], {slot["enabled"] for slot in off["slots"].values()}) == (False, True, {False})
    on = (await client.ok("POST", f"agents/{name}/enable"))["agent"]
    assert (on["enabled"], on["draining"]) == (True, False)
    slot = (await client.ok("POST", f"agents/{name}/slots/1/disable", {}))["slot"]
    assert (slot["id"], slot["enabled"], slot["draining"]) == ("1", False, False)
    agent = await the_agent(client)
    assert [one["enabled"] for one in agent["slots"].values()] == [True, False]
    assert next(iter(agent["slotStats"]["typeStats"].values()))["disabled"] == 1
    assert (await client.ok("POST", f"agents/{name}/slots/1/enable"))["slot"]["enabled"] is True


async def test_what_is_unknown_or_not_allowed(client: Client) -> None:
    """Writes of members are refused before anything is looked for; reads say "not found"."""
    name = (await the_agent(client, user="determined"))["id"]
    for path in ("agents/nope", "agents/nope/slots", "agents/nope/slots/0", f"agents/{name}/slots/7", f"agents/{name}/slots/x"):
        assert (await client.get(path, user="determined")).error["code"] == 5
    for path in ("nope/enable", "nope/disable", "nope/slots/0/enable", f"{name}/slots/7/disable"):
        assert (await client.post(f"agents/{path}", {})).error["code"] == 5
        assert (await client.post(f"agents/{path}", {}, user="determined")).error["code"] == 7


async def test_members_get_no_addresses(client: Client) -> None:
    """Only administrators see them."""
    assert len((await the_agent(client))["addresses"]) == 1
    assert (await the_agent(client, user="determined"))["addresses"] == []


class Row:
    """What the view asks of the work behind an allocation."""

    def __init__(self, state: str) -> None:
        self.state = state


def test_work_that_is_hidden_is_shown_as_taken() -> None:
    """A container without an id that says so; the visible one has its devices; serial numbers of devices are starred."""
    device = Device(0, "cuda", "H100", "GPU-1")
    slots = (SlotView(0, device, True, False, "t.1"), SlotView(1, Device(1, "cuda", "H100", "GPU-2"), True, False, "s.1"))
    view = AgentView("a", "10.0.0.1", "default", True, False, 1, slots, ("t.1", "s.1"))
    viewer = AgentViewer({"t.1": Row("RUNNING"), "s.1": Row("STARTING")}, lambda row: row.state == "RUNNING", sensitive=False)
    shown = viewer.agent(view)
    seen, hidden = (shown.slots[f"/agents/a/slots/{number}"].container for number in (0, 1))
    assert seen is not None
    assert hidden is not None
    assert (seen.id, seen.state, [device.id for device in seen.devices]) == ("t.1", "STATE_RUNNING", [0])
    assert (hidden.id, hidden.permission_denied, hidden.devices) == ("", True, [])
    assert shown.slots["/agents/a/slots/0"].device.uuid == "********"  # type: ignore[union-attr]
    assert shown.slot_stats is not None
    assert shown.slot_stats.brand_stats["H100"].states == {"STATE_RUNNING": 1, "STATE_STARTING": 1}


class TestRoles:
    """Where roles decide."""

    @pytest.fixture
    def settings(self) -> Settings:
        """Roles decide."""
        return make_settings(undeterred__agent=True, undeterred__slots=1, security__authz__type="rbac")

    async def test_a_viewer_sees_agents_and_switches_nothing(self, client: Client, app: App) -> None:
        """Without addresses."""
        ann = await user(client, "ann")
        await grant(client, ann, VIEWER, await workspace(client, "w"))
        agent = await the_agent(client, user="ann")
        assert agent["addresses"] == []
        assert (await client.post(f"agents/{agent['id']}/disable", {}, user="ann")).error["code"] == 7
