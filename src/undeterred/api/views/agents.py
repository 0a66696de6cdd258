"""Agents, slots and what runs on them, as clients see them.

A container of the API is an allocation here: its id is the allocation's. Who may not see the work behind one gets a container
that says only that; who may not see sensitive things gets no addresses and no serial numbers of devices.
"""

from collections.abc import Callable, Mapping
from typing import Any

from undeterred import DETERMINED_VERSION
from undeterred.api.views.common import when
from undeterred.core.config.mask import STARS
from undeterred.engine.agents import AgentView, SlotView
from undeterred.launch.spec import Device
from undeterred.wire import messages as m

_TYPES = {"cpu": m.DeviceType.TYPE_CPU, "cuda": m.DeviceType.TYPE_CUDA, "rocm": m.DeviceType.TYPE_ROCM}
_S = m.ContainerState
_STATES = {
    "PENDING": _S.STATE_ASSIGNED,
    "ASSIGNED": _S.STATE_ASSIGNED,
    "PULLING": _S.STATE_PULLING,
    "STARTING": _S.STATE_STARTING,
    "RUNNING": _S.STATE_RUNNING,
    "WAITING": _S.STATE_RUNNING,
    "TERMINATING": _S.STATE_RUNNING,
    "TERMINATED": _S.STATE_TERMINATED,
}


class AgentViewer:
    """Shows agents to one caller."""

    def __init__(self, work: Mapping[str, Any], visible: Callable[[Any], bool], *, sensitive: bool) -> None:
        """`work` are rows of `store.queue.work_of`; `visible` says whether the caller may see the task of such a row."""
        self._work = work
        self._visible = visible
        self._sensitive = sensitive

    def agent(self, view: AgentView, *, slots: bool = True, containers: bool = True) -> m.Agent:
        """An agent; lists may leave slots and containers out."""
        shown = [self.slot(view, slot) for slot in view.slots]
        held = [self._container(view, name) for name in view.allocations] if containers else []
        return m.Agent(
            id=view.id,
            registered_time=when(view.registered_at),
            slots={f"/agents/{view.id}/slots/{slot.id}": slot for slot in shown} if slots else {},
            containers={one.id or str(number): one for number, one in enumerate(held)},
            addresses=[view.address] if self._sensitive else [],
            enabled=view.enabled,
            draining=view.draining,
            version=DETERMINED_VERSION,
            resource_pools=[view.pool],
            slot_stats=_stats(shown),
        )

    def slot(self, view: AgentView, slot: SlotView) -> m.Slot:
        """One slot of an agent; a switched off agent switches its slots off."""
        return m.Slot(
            id=str(slot.id),
            device=self._device(slot.device),
            enabled=slot.enabled and view.enabled,
            container=None if slot.allocation_id is None else self._container(view, slot.allocation_id),
            draining=slot.draining or view.draining,
        )

    def _container(self, view: AgentView, allocation_id: str) -> m.Container:
        row = self._work.get(allocation_id)
        state = _S.STATE_UNSPECIFIED if row is None else _STATES[row.state]
        if row is None or not self._visible(row):
            return m.Container(state=state, permission_denied=True)
        devices = [self._device(slot.device) for slot in view.slots if slot.allocation_id == allocation_id]
        return m.Container(id=allocation_id, state=state, devices=devices)

    def _device(self, device: Device) -> m.Device:
        uuid = device.uuid if self._sensitive or not device.uuid else STARS
        return m.Device(id=device.id, brand=device.brand, uuid=uuid, type=device_type(device.kind))


def device_type(kind: str) -> m.DeviceType:
    """How a kind of device (cpu, cuda, rocm) is called in the API."""
    return _TYPES.get(kind, m.DeviceType.TYPE_UNSPECIFIED)


def _stats(slots: list[m.Slot]) -> m.SlotStats:
    by_type: dict[str, m.DeviceStats] = {}
    by_brand: dict[str, m.DeviceStats] = {}
    for slot in slots:
        device = slot.device or m.Device()
        for key, group in ((str(device.type), by_type), (device.brand, by_brand)):
            stats = group.setdefault(key, m.DeviceStats())
            stats.total += 1
            stats.draining += slot.draining
            stats.disabled += not slot.enabled
            if slot.container is not None:
                state = str(slot.container.state)
                stats.states[state] = stats.states.get(state, 0) + 1
    return m.SlotStats(type_stats=by_type, brand_stats=by_brand)
