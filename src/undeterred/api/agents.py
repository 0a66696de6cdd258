"""Agents and their slots: looking at them, and switching them on and off."""

from typing import Any

from undeterred.api.call import Call
from undeterred.api.operation import Needs, operation
from undeterred.api.views.agents import AgentViewer
from undeterred.api.views.common import choose, is_descending, pagination
from undeterred.base.errors import NotFound
from undeterred.core.rights import Right
from undeterred.engine import agents
from undeterred.engine.agents import AgentView, SlotView
from undeterred.store import queue
from undeterred.store.database import Tx
from undeterred.store.paging import memory_page
from undeterred.wire import messages as m

_By = m.GetAgentsRequestSortBy
_SORTS = {_By.SORT_BY_UNSPECIFIED: "id", _By.SORT_BY_ID: "id", _By.SORT_BY_TIME: "registered_at"}


@operation("GetAgents", needs=Needs.LOGIN)
async def get_agents(call: Call, req: m.GetAgentsRequest) -> m.GetAgentsResponse:
    """All agents that are there."""
    sort, descending = choose(_SORTS, req.sort_by, "sortBy"), is_descending(req.order_by)
    views = sorted(await call.engine.inventory(), key=lambda view: (getattr(view, sort), view.id), reverse=descending)
    page = memory_page(req.offset, req.limit, len(views))
    views = views[page.start : page.end]
    viewer = await _viewer(call, views)
    shown = [viewer.agent(view, slots=not req.exclude_slots, containers=not req.exclude_containers) for view in views]
    return m.GetAgentsResponse(agents=shown, pagination=pagination(page))


@operation("GetAgent", needs=Needs.LOGIN)
async def get_agent(call: Call, req: m.GetAgentRequest) -> m.GetAgentResponse:
    """One agent."""
    return m.GetAgentResponse(agent=await _shown_agent(call, req.agent_id))


@operation("GetSlots", needs=Needs.LOGIN)
async def get_slots(call: Call, req: m.GetSlotsRequest) -> m.GetSlotsResponse:
    """The slots of an agent, by number."""
    view = await _find(call, req.agent_id)
    viewer = await _viewer(call, [view])
    return m.GetSlotsResponse(slots=[viewer.slot(view, slot) for slot in view.slots])


@operation("GetSlot", needs=Needs.LOGIN)
async def get_slot(call: Call, req: m.GetSlotRequest) -> m.GetSlotResponse:
    """One slot of an agent."""
    return m.GetSlotResponse(slot=await _shown_slot(call, req.agent_id, req.slot_id))


@operation("EnableAgent", needs=Right.UPDATE_AGENTS)
async def enable_agent(call: Call, req: m.EnableAgentRequest) -> m.EnableAgentResponse:
    """Give an agent work again."""
    await _admit(call)
    await _find(call, req.agent_id)
    await call.write(lambda tx: agents.enable(tx, req.agent_id))
    return m.EnableAgentResponse(agent=await _shown_agent(call, req.agent_id))


@operation("DisableAgent", needs=Right.UPDATE_AGENTS)
async def disable_agent(call: Call, req: m.DisableAgentRequest) -> m.DisableAgentResponse:
    """Give an agent no new work; what it holds is ended at once, or with `drain` may finish."""
    await _admit(call)
    await _find(call, req.agent_id)
    await call.write(lambda tx: agents.disable(tx, req.agent_id, drain=req.drain))
    return m.DisableAgentResponse(agent=await _shown_agent(call, req.agent_id))


@operation("EnableSlot", needs=Right.UPDATE_AGENTS)
async def enable_slot(call: Call, req: m.EnableSlotRequest) -> m.EnableSlotResponse:
    """Use a slot again."""
    await _admit(call)
    slot = _slot_of(await _find(call, req.agent_id), req.slot_id)
    await call.write(lambda tx: agents.set_slot(tx, req.agent_id, slot.id, enabled=True))
    return m.EnableSlotResponse(slot=await _shown_slot(call, req.agent_id, req.slot_id))


@operation("DisableSlot", needs=Right.UPDATE_AGENTS)
async def disable_slot(call: Call, req: m.DisableSlotRequest) -> m.DisableSlotResponse:
    """Use a slot for nothing new; what is on it is ended at once, or with `drain` may finish."""
    await _admit(call)
    slot = _slot_of(await _find(call, req.agent_id), req.slot_id)
    await call.write(lambda tx: agents.set_slot(tx, req.agent_id, slot.id, enabled=False, drain=req.drain))
    return m.DisableSlotResponse(slot=await _shown_slot(call, req.agent_id, req.slot_id))


async def _admit(call: Call) -> None:
    await call.read(lambda tx: call.require(tx, Right.UPDATE_AGENTS))


async def _find(call: Call, agent_id: str) -> AgentView:
    for view in await call.engine.inventory():
        if view.id == agent_id:
            return view
    raise NotFound(f"agent {agent_id[:80]!r} not found")


def _slot_of(view: AgentView, slot_id: str) -> SlotView:
    for slot in view.slots:
        if slot_id.isascii() and slot_id.isdigit() and int(slot_id) == slot.id:
            return slot
    raise NotFound(f"agent {view.id} has no slot {slot_id[:20]!r}; its slots are {', '.join(str(s.id) for s in view.slots)}")


async def _shown_agent(call: Call, agent_id: str) -> m.Agent:
    view = await _find(call, agent_id)
    return (await _viewer(call, [view])).agent(view)


async def _shown_slot(call: Call, agent_id: str, slot_id: str) -> m.Slot:
    view = await _find(call, agent_id)
    return (await _viewer(call, [view])).slot(view, _slot_of(view, slot_id))


async def _viewer(call: Call, views: list[AgentView]) -> AgentViewer:
    """What the caller may see of these agents."""
    held = {name for view in views for name in view.allocations}

    def load(tx: Tx) -> AgentViewer:
        trials, others = call.scope(tx, Right.VIEW_EXPERIMENT_METADATA), call.scope(tx, Right.VIEW_NSC)

        def visible(row: Any) -> bool:
            return (trials if row.task_type == "TRIAL" else others).admits(row.workspace_id)

        sensitive = call.allows(tx, Right.VIEW_SENSITIVE_AGENT_INFO)
        return AgentViewer(queue.work_of(tx, held), visible, sensitive=sensitive)

    return await call.read(load)
