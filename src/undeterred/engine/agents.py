"""Agents and their slots: which may get new work, and what happens to the work they hold."""

from collections.abc import Mapping, Sequence
from typing import Any

from undeterred.base import json
from undeterred.base.clock import Micros
from undeterred.base.errors import NotFound
from undeterred.base.struct import Struct
from undeterred.engine import allocations, keys
from undeterred.launch.launcher import Node
from undeterred.launch.spec import Device
from undeterred.store import agents as machines
from undeterred.store import allocations as allocation_rows
from undeterred.store.database import Tx


class SlotView(Struct, frozen=True):
    """One slot as it is now."""

    id: int
    device: Device
    enabled: bool
    draining: bool
    allocation_id: str | None
    """Who holds it."""


class AgentView(Struct, frozen=True):
    """One agent as it is now."""

    id: str
    address: str
    pool: str
    enabled: bool
    draining: bool
    registered_at: Micros
    slots: tuple[SlotView, ...]
    allocations: tuple[str, ...]
    """Ids of all allocations on it, those without slots too."""


def register(tx: Tx, nodes: Sequence[Node]) -> None:
    """Note that these machines, and no others, are there; what users switched off stays off."""
    for node in nodes:
        machines.register(tx, node.id, node.pool, node.slots)
    machines.keep_only(tx, [node.id for node in nodes])
    tx.wake(keys.SCHEDULER)


def views(tx: Tx, nodes: Sequence[Node]) -> list[AgentView]:
    """The machines with their switches and what they hold, in the order given."""
    rows = {row.id: row for row in machines.every(tx)}
    held: dict[str, dict[int, str]] = {}
    on_agent: dict[str, list[str]] = {}
    for one in allocation_rows.holding(tx):
        for agent_id, slots in json.loads(one.nodes):
            on_agent.setdefault(agent_id, []).append(one.id)
            held.setdefault(agent_id, {}).update(dict.fromkeys(slots, one.id))
    return [_view(node, rows.get(node.id), held.get(node.id, {}), on_agent.get(node.id, [])) for node in nodes]


def _view(node: Node, row: Any | None, held: Mapping[int, str], on_agent: Sequence[str]) -> AgentView:
    off: dict[str, Any] = {} if row is None else json.loads(row.disabled_slots)
    slots = tuple(
        SlotView(
            device.id,
            device,
            str(device.id) not in off,
            bool(off.get(str(device.id), {}).get("draining")),
            held.get(device.id),
        )
        for device in node.devices
    )
    enabled, draining = (True, False) if row is None else (row.enabled, row.draining)
    since = 0 if row is None else row.registered_at
    return AgentView(node.id, node.address, node.pool, enabled, draining, since, slots, tuple(on_agent))


def enable(tx: Tx, agent_id: str) -> None:
    """The agent gets work again. Raises NotFound."""
    _known(tx, agent_id)
    machines.update(tx, agent_id, enabled=True, draining=False)
    tx.wake(keys.SCHEDULER)


def disable(tx: Tx, agent_id: str, *, drain: bool) -> None:
    """The agent gets no new work; what it holds is ended at once, or may finish (`drain`). Raises NotFound."""
    _known(tx, agent_id)
    machines.update(tx, agent_id, enabled=False, draining=drain)
    if not drain:
        for row in allocation_rows.on_agent(tx, agent_id):
            allocations.stop(tx, row, graceful=False, why=f"agent {agent_id} was disabled")
    tx.wake(keys.SCHEDULER)


def set_slot(tx: Tx, agent_id: str, slot_id: int, *, enabled: bool, drain: bool = False) -> None:
    """Switch one slot. Disabling ends the work on it at once unless it is to be drained. Raises NotFound for the agent."""
    agent = _known(tx, agent_id)
    off = json.loads(agent.disabled_slots)
    off.pop(str(slot_id), None)
    if not enabled:
        off[str(slot_id)] = {"draining": drain}
    machines.update(tx, agent_id, disabled_slots=json.dumps(off))
    if not enabled and not drain:
        for row in allocation_rows.on_agent(tx, agent_id):
            if slot_id in _slots_on(row, agent_id):
                allocations.stop(tx, row, graceful=False, why=f"slot {slot_id} of agent {agent_id} was disabled")
    tx.wake(keys.SCHEDULER)


def _known(tx: Tx, agent_id: str) -> Any:
    row = machines.locked(tx, agent_id)
    if row is None:
        raise NotFound(f"agent {agent_id[:80]} not found")
    return row


def _slots_on(row: Any, agent_id: str) -> list[int]:
    return [slot for agent, slots in json.loads(row.nodes) if agent == agent_id for slot in slots]
