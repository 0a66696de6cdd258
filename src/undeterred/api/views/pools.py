"""Resource pools as clients see them."""

from collections.abc import Sequence
from typing import Any

from undeterred.api.views.agents import device_type
from undeterred.core.pools import FAIR_SHARE, Pool
from undeterred.engine.agents import AgentView
from undeterred.wire import messages as m


def pool_message(
    pool: Pool, agents: Sequence[AgentView], holding: Sequence[Any], counts: tuple[int, int], cluster: str
) -> m.ResourcePool:
    """A pool with its agents and the allocations (rows of `store.queue.holding`) that hold places in it."""
    slots = [slot for agent in agents for slot in agent.slots]
    kinds = {slot.device.kind for slot in slots}
    mine = [row for row in holding if row.resource_pool == pool.name]
    return m.ResourcePool(
        name=pool.name,
        description=pool.description,
        type=m.ResourcePoolType.RESOURCE_POOL_TYPE_STATIC,
        num_agents=len(agents),
        slots_available=len(slots),
        slots_used=sum(row.slots for row in mine),
        slot_type=device_type(kinds.pop()) if len(kinds) == 1 else m.DeviceType.TYPE_UNSPECIFIED,
        aux_container_capacity=pool.aux_containers_per_agent * len(agents),
        aux_containers_running=sum(1 for row in mine if not row.slots),
        default_compute_pool=pool.default_compute,
        default_aux_pool=pool.default_aux,
        slots_per_agent=-1,
        aux_container_capacity_per_agent=pool.aux_containers_per_agent,
        scheduler_type=_scheduler(pool),
        scheduler_fitting_policy=m.FittingPolicy[f"FITTING_POLICY_{pool.fitting.upper()}"],
        location="on-prem",
        details=m.ResourcePoolDetail(priority_scheduler=_priorities(pool)),
        stats=m.QueueStats(queued_count=counts[0], scheduled_count=counts[1]),
        cluster_name=cluster,
    )


def _scheduler(pool: Pool) -> m.SchedulerType:
    fair = pool.scheduler == FAIR_SHARE
    return m.SchedulerType.SCHEDULER_TYPE_FAIR_SHARE if fair else m.SchedulerType.SCHEDULER_TYPE_PRIORITY


def _priorities(pool: Pool) -> m.ResourcePoolPrioritySchedulerDetail | None:
    if pool.scheduler == FAIR_SHARE:
        return None
    return m.ResourcePoolPrioritySchedulerDetail(preemption=pool.preemption, default_priority=pool.default_priority)
