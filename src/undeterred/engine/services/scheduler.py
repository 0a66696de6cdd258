"""Gives slots: reads a snapshot of each pool, lets the pure plan decide, applies each of its lines if it still holds."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from undeterred.base import json
from undeterred.core import schedule
from undeterred.core.pools import Pool
from undeterred.engine import agents, allocations, keys
from undeterred.engine.launchers import Launchers
from undeterred.launch.launcher import Node
from undeterred.store import allocations as rows
from undeterred.store import tasks
from undeterred.store.database import Database, Tx

LARGE = 500
"""Requests from which on a pass is worked out in another thread."""


class SchedulerService:
    """See the module."""

    name = "scheduler"
    period = 5.0
    wakes = (keys.SCHEDULER,)

    def __init__(self, db: Database, launchers: Launchers, pools: Sequence[Pool]) -> None:
        self._db = db
        self._launchers = launchers
        self._pools = tuple(pools)

    async def run_once(self) -> None:
        """One pass over each pool."""
        await self._launchers.look()
        nodes = self._launchers.nodes()
        snapshots = await self._db.read(lambda tx: snapshot_all(tx, self._pools, nodes))
        for pool in self._pools:
            snapshot = snapshots[pool.name]
            if not snapshot.waiting and not snapshot.running:
                continue
            if len(snapshot.waiting) + len(snapshot.running) > LARGE:
                plan = await asyncio.to_thread(schedule.plan, snapshot)
            else:
                plan = schedule.plan(snapshot)
            await self._db.write(lambda tx, pool=pool, plan=plan: apply(tx, pool.name, plan, nodes))  # type: ignore[misc]


def snapshot_all(tx: Tx, pools: Sequence[Pool], nodes: Sequence[Node]) -> dict[str, schedule.Snapshot]:
    """What the plans are made from, by pool."""
    open_rows = rows.open_with_jobs(tx)
    excluded = tasks.excluded_by_waiting(tx)
    machines = {view.id: view for view in agents.views(tx, nodes)}
    by_pool: dict[str, list[Any]] = {pool.name: [] for pool in pools}
    for row in open_rows:
        by_pool.get(row.resource_pool, []).append(row)
    return {
        pool.name: _snapshot(pool, by_pool[pool.name], [machines[node.id] for node in nodes if node.pool == pool.name], excluded)
        for pool in pools
    }


def apply(tx: Tx, pool: str, plan: schedule.Plan, nodes: Sequence[Node]) -> None:
    """Do what a plan says, line by line, as far as its allocations and slots are still as the plan saw them."""
    views = [view for view in agents.views(tx, nodes) if view.enabled]
    usable = {view.id for view in views}
    free = {(view.id, slot.id) for view in views for slot in view.slots if slot.enabled and slot.allocation_id is None}
    for allocation_id in plan.preempt:
        row = allocations.held(tx, allocation_id)
        if row.state != rows.ENDED and row.preempt_at is None:
            allocations.stop(tx, row, graceful=True, why=plan.because.get(allocation_id, "its slots are needed elsewhere"))
    for allocation_id, places in plan.start:
        wanted = {(agent, slot) for agent, slots in places for slot in slots}
        if not wanted <= free or any(agent not in usable for agent, _ in places):
            tx.wake(keys.SCHEDULER)
        elif allocations.assign(tx, allocation_id, places):
            free -= wanted
    rows.set_waiting_reasons(tx, pool, plan.waiting)


def _snapshot(
    pool: Pool, open_rows: Sequence[Any], machines: Sequence[agents.AgentView], excluded: Mapping[str, Collection[str]]
) -> schedule.Snapshot:
    groups: dict[str, schedule.Group] = {}
    waiting, running = [], []
    for row in open_rows:
        group_id = row.job_id or row.task_id
        groups[group_id] = _group(pool, group_id, row)
        request = schedule.Request(
            row.id,
            group_id,
            row.slots,
            row.queued_at,
            row.preemptible,
            row.single_node,
            frozenset(excluded.get(row.task_id, ())),
        )
        if row.state == "PENDING":
            waiting.append(request)
        else:
            places = tuple((agent, tuple(slots)) for agent, slots in json.loads(row.nodes))
            running.append(schedule.Running(request, places, row.preempt_at is not None or row.kill_at is not None))
    return schedule.Snapshot(
        tuple(_agent(pool, machine) for machine in machines),
        tuple(groups.values()),
        tuple(waiting),
        tuple(running),
        pool.scheduler,
        pool.preemption,
        pool.fitting,
        pool.heterogeneous_fits,
    )


def _group(pool: Pool, group_id: str, row: Any) -> schedule.Group:
    submitted = row.queued_at if row.submitted_at is None else row.submitted_at
    return schedule.Group(
        group_id,
        pool.default_priority if row.priority is None else row.priority,
        submitted if row.queue_position is None else row.queue_position,
        submitted,
        1.0 if row.weight is None else row.weight,
        row.max_slots,
    )


def _agent(pool: Pool, machine: agents.AgentView) -> schedule.Agent:
    slots = tuple(schedule.Slot(slot.id, slot.enabled, slot.draining) for slot in machine.slots)
    return schedule.Agent(machine.id, slots, pool.aux_containers_per_agent, machine.enabled, machine.draining)
