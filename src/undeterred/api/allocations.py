"""What a running task and the server tell each other about its allocation: readiness, preemption, who its peers are."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import msgspec

from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.api.views.allocations import allocation_message
from undeterred.base import json
from undeterred.base.errors import Invalid, NotFound, Refused
from undeterred.core.rights import Right
from undeterred.engine import allocations as lifecycle
from undeterred.engine import keys, logs
from undeterred.engine.waiters import wait
from undeterred.store import allocations, tasks
from undeterred.store.database import Tx
from undeterred.wire import messages as m

T = TypeVar("T")
Data = dict[str, Any] | msgspec.Raw

EDIT = (Right.UPDATE_EXPERIMENT, Right.UPDATE_NSC)
VIEW = (Right.VIEW_EXPERIMENT_METADATA, Right.VIEW_NSC)
LONGEST_POLL = 24 * 3600


@operation("GetAllocation", needs=VIEW, task=True)
async def get_allocation(call: Call, req: m.GetAllocationRequest) -> m.GetAllocationResponse:
    """One start of a task: its state, its times, how it ended."""
    row = await call.read(lambda tx: _target(call, tx, req.allocation_id, VIEW))
    return m.GetAllocationResponse(allocation=allocation_message(row))


@operation("AllocationReady", needs=EDIT, task=True)
async def ready(call: Call, req: m.AllocationReadyRequest) -> m.AllocationReadyResponse:
    """The task says that its service can be used."""

    def work(tx: Tx) -> None:
        row = _target(call, tx, req.allocation_id, EDIT)
        lifecycle.ready(tx, row.id)
        if not row.is_ready:
            logs.say(tx, row.task_id, f"Service of {row.id} is available", allocation_id=row.id)

    await call.write(work)
    return m.AllocationReadyResponse()


@operation("AllocationWaiting", needs=EDIT, task=True)
async def waiting(call: Call, req: m.AllocationWaitingRequest) -> m.AllocationWaitingResponse:
    """The task says that it holds its slots and waits for something outside."""
    await call.write(lambda tx: lifecycle.waiting(tx, _target(call, tx, req.allocation_id, EDIT).id))
    return m.AllocationWaitingResponse()


@operation("AllocationPreemptionSignal", needs=VIEW, task=True, waits=True)
async def preemption_signal(call: Call, req: m.AllocationPreemptionSignalRequest) -> m.AllocationPreemptionSignalResponse:
    """Whether the task should save its work and leave; waits up to `timeoutSeconds` for it, 0 gives the present answer.

    An allocation that does not exist is never preempted. The first question of a task tells that it listens.
    """
    allocation_id = _checked(req.allocation_id)
    clock = call.engine.clock
    end = clock.monotonic() + min(max(req.timeout_seconds, 0), LONGEST_POLL)
    with call.engine.waiters.on(keys.allocation(allocation_id)) as event:
        row = await call.read(lambda tx: _listening(call, tx, allocation_id))
        if row is not None and not row.is_ready and call.who.allocation_id == allocation_id:
            await call.write(lambda tx: lifecycle.ready(tx, allocation_id))
        while row is not None and not _leaving(row) and (left := end - clock.monotonic()) > 0:
            if not await wait(event, left):
                break
            event.clear()
            row = await call.read(lambda tx: allocations.find(tx, allocation_id))
    return m.AllocationPreemptionSignalResponse(preempt=row is not None and _leaving(row))


@operation("AckAllocationPreemptionSignal", needs=EDIT, task=True)
async def acknowledge(call: Call, req: m.AckAllocationPreemptionSignalRequest) -> m.AckAllocationPreemptionSignalResponse:
    """The task says that it leaves because it was asked to: its clean exit will not mean that its work is done."""
    await call.write(lambda tx: lifecycle.acknowledge(tx, _target(call, tx, req.allocation_id, EDIT).id))
    return m.AckAllocationPreemptionSignalResponse()


@operation("AllocationPendingPreemptionSignal", needs=EDIT, task=True)
async def pending_preemption(
    call: Call, req: m.AllocationPendingPreemptionSignalRequest
) -> m.AllocationPendingPreemptionSignalResponse:
    """The task asks to be preempted: the machine it runs on is about to take its place away."""

    def work(tx: Tx) -> None:
        row = _target(call, tx, req.allocation_id, EDIT)
        lifecycle.stop(tx, lifecycle.held(tx, row.id), graceful=True, why="the machine it runs on asked for its place")

    await call.write(work)
    return m.AllocationPendingPreemptionSignalResponse()


@operation("MarkAllocationResourcesDaemon", needs=EDIT, task=True)
async def mark_daemon(call: Call, req: m.MarkAllocationResourcesDaemonRequest) -> m.MarkAllocationResourcesDaemonResponse:
    """One node of several says that it only serves the others. The node that leads decides how a task ends in any case."""
    await call.read(lambda tx: _target(call, tx, req.allocation_id, EDIT))
    return m.MarkAllocationResourcesDaemonResponse()


@operation("PostAllocationProxyAddress", needs=EDIT, task=True)
async def proxy_address(call: Call, req: m.PostAllocationProxyAddressRequest) -> m.PostAllocationProxyAddressResponse:
    """The task says under which address the proxy reaches it."""

    def work(tx: Tx) -> None:
        row = _target(call, tx, req.allocation_id, EDIT)
        allocations.update(tx, row.id, proxy_address=req.proxy_address)

    await call.write(work)
    return m.PostAllocationProxyAddressResponse()


@operation("PostAllocationAcceleratorData", needs=EDIT, task=True)
async def accelerator_data(call: Call, req: m.PostAllocationAcceleratorDataRequest) -> m.PostAllocationAcceleratorDataResponse:
    """The task says which accelerators it was given; one entry for each container, the newest counts."""
    data = req.accelerator_data
    if data is None:
        raise Invalid("acceleratorData: required, an object")

    def work(tx: Tx) -> None:
        row = _target(call, tx, req.allocation_id, EDIT)
        known = [entry for entry in json.loads(row.accelerators or "[]") if entry["container_id"] != data.container_id]
        entry = {
            "container_id": data.container_id,
            "allocation_id": row.id,
            "node_name": data.node_name,
            "task_id": row.task_id,
            "accelerator_type": data.accelerator_type,
            "accelerator_uuids": list(data.accelerator_uuids),
            "resource_pool": row.resource_pool,
        }
        allocations.update(tx, row.id, accelerators=json.dumps([*known, entry]))

    await call.write(work)
    return m.PostAllocationAcceleratorDataResponse()


@operation("AllocationRendezvousInfo", needs=VIEW, task=True, waits=True)
async def rendezvous(call: Call, req: m.AllocationRendezvousInfoRequest) -> m.AllocationRendezvousInfoResponse:
    """Addresses and slots of all nodes of the allocation, by rank; waits until all of them run and have asked."""
    row = await call.read(lambda tx: _target(call, tx, req.allocation_id, VIEW))
    if row.state in ("PENDING", "ASSIGNED"):
        raise Refused(f"allocation {row.id} has not started")
    nodes = json.loads(row.nodes)
    rank = _rank(row, req.resources_id, len(nodes))
    await _while_open(call, row.id, call.engine.rendezvous.meet(row.id, str(rank), len(nodes), rank))
    row = await _while_open(call, row.id, _with_addresses(call, row.id))
    await call.write(lambda tx: lifecycle.ready(tx, row.id))
    slots = [len(ids) for _, ids in nodes]
    info = m.RendezvousInfo(addresses=json.loads(row.addresses), rank=rank, slots=slots)
    return m.AllocationRendezvousInfoResponse(rendezvous_info=info)


@operation("AllocationAllGather", needs=EDIT, task=True, waits=True)
async def all_gather(call: Call, req: m.AllocationAllGatherRequest) -> m.AllocationAllGatherResponse:
    """Each process brings data and gets those of all, once `numPeers` of them have come."""
    data = await _gather(call, req.allocation_id, req.request_uuid, req.num_peers, req.data)
    await call.write(lambda tx: lifecycle.ready(tx, req.allocation_id))
    return m.AllocationAllGatherResponse(data=data)


@operation("NotifyContainerRunning", needs=EDIT, task=True, waits=True)
async def container_running(call: Call, req: m.NotifyContainerRunningRequest) -> m.NotifyContainerRunningResponse:
    """Each node says that it runs; all get the data of all once the last one has come."""
    data = await _gather(call, req.allocation_id, req.request_uuid, req.num_peers, req.data)
    return m.NotifyContainerRunningResponse(data=data)


async def _gather(call: Call, allocation_id: str, request_uuid: str, peers: int, data: Data | None) -> list[Data]:
    row = await call.read(lambda tx: _target(call, tx, allocation_id, EDIT))
    if not request_uuid:
        raise Invalid("requestUuid must not be empty")
    return await _while_open(call, row.id, call.engine.gatherings.meet(row.id, request_uuid, peers, data or {}))


async def _while_open(call: Call, allocation_id: str, meeting: Coroutine[Any, Any, T]) -> T:
    """Wait for a meeting as long as the allocation is open; raises Refused when it ends before."""
    task = asyncio.ensure_future(meeting)
    with call.engine.waiters.on(keys.allocation(allocation_id)) as event:
        try:
            while True:
                event.clear()
                row = await call.read(lambda tx: allocations.find(tx, allocation_id))
                if row is None or row.state == allocations.ENDED:
                    raise Refused(f"allocation {allocation_id} is over")
                change = asyncio.ensure_future(event.wait())
                try:
                    await asyncio.wait({task, change}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    change.cancel()
                if task.done():
                    return task.result()
        finally:
            task.cancel()


async def _with_addresses(call: Call, allocation_id: str) -> Any:
    """The allocation's row once all its nodes run."""
    with call.engine.waiters.on(keys.allocation(allocation_id)) as event:
        while True:
            event.clear()
            row = await call.read(lambda tx: allocations.find(tx, allocation_id))
            if row is None or json.loads(row.addresses):
                return row
            await event.wait()


def _rank(row: Any, resources_id: str, nodes: int) -> int:
    """The rank that a resources id names: the allocation's own id on one node, with `.<rank>` behind it on several."""
    names = {f"{row.id}.{rank}": rank for rank in range(nodes)}
    if nodes == 1:
        names[row.id] = 0
    if resources_id not in names:
        raise NotFound(f"allocation {row.id} has no resources {resources_id[:120]!r}")
    return names[resources_id]


def _leaving(row: Any) -> bool:
    """Whether the task is to leave. A closed allocation answers yes, so that nobody waits for it."""
    return row.preempt_at is not None or row.kill_at is not None or row.state == allocations.ENDED


def _listening(call: Call, tx: Tx, allocation_id: str) -> Any | None:
    """The allocation that may be asked to leave, or None when there is none; raises Refused when it cannot be asked."""
    row = allocations.find(tx, allocation_id)
    if row is None:
        call.rights_used.update(VIEW)
        return None
    _require(call, tx, row, VIEW)
    if not row.preemptible:
        raise Refused(f"allocation {allocation_id} cannot be preempted")
    if row.state == "PENDING":
        raise Refused(f"allocation {allocation_id} has not started")
    return row


def _checked(allocation_id: str) -> str:
    """An allocation id: a task's id, a dot and a number."""
    task_id, dot, number = allocation_id.rpartition(".")
    if not (task_id.strip() and dot and number.isdigit() and number.isascii()):
        raise Invalid(f"{allocation_id[:120]!r} is no allocation id: it is a task's id, a dot and a number")
    return allocation_id


def _target(call: Call, tx: Tx, allocation_id: str, rights: tuple[Right, Right]) -> Any:
    row = allocations.get(tx, _checked(allocation_id))
    _require(call, tx, row, rights)
    return row


def _require(call: Call, tx: Tx, row: Any, rights: tuple[Right, Right]) -> None:
    """Check the right that belongs to the kind of the allocation's task: the first for trials, the second for others."""
    task = tasks.get(tx, row.task_id)
    call.rights_used.update(rights)
    call.require(
        tx,
        rights[0] if task.task_type == "TRIAL" else rights[1],
        workspace=task.workspace_id,
        owner=task.user_id,
        workspace_owner=task.workspace_owner,
        missing=f"allocation {row.id} not found",
        tasks=(row.task_id,),
    )
