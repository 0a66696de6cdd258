"""Who runs next: `plan(snapshot) -> Plan`, a pure function of one resource pool's state.

    Snapshot(agents, groups, waiting, running, scheduler="priority", preemption=False)
    Plan.start    ((allocation id, ((agent id, (slot, ...)), ...)), ...)   in queue order
    Plan.preempt  (allocation id, ...)   to stop gracefully; reasons in Plan.because
    Plan.waiting  {allocation id: why it waits, in words}   in queue order

Running allocations that have been told to stop stay in `running` with `releasing=True` until their slots are free. One that
was preempted and waits again must come back in the transaction that frees its slots, or the next in the queue gets them.
"""

from undeterred.core.schedule.model import Agent, Group, Places, Plan, Request, Running, Slot, Snapshot
from undeterred.core.schedule.plan import plan
from undeterred.core.schedule.queue import group_ranks, ordered

__all__ = ["Agent", "Group", "Places", "Plan", "Request", "Running", "Slot", "Snapshot", "group_ranks", "ordered", "plan"]
