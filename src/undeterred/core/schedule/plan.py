"""One scheduling pass: a snapshot of a pool in, a plan out."""

from undeterred.base.errors import Invalid
from undeterred.core.schedule import fairshare, priority
from undeterred.core.schedule.model import Plan, Request, Snapshot
from undeterred.core.schedule.queue import ordered
from undeterred.core.schedule.state import Pass


def plan(snapshot: Snapshot) -> Plan:
    """What to start, whom to stop, and why the others wait.

    The same snapshot gives the same plan, in whatever order its parts are listed. No slot is given twice, an allocation gets all
    its slots or none, and none of a lower priority starts while one of a higher priority could. Requests without slots are placed
    independently of the others. Raises Invalid for an unknown scheduler or a request whose group is missing.
    """
    _check(snapshot)
    state = Pass(snapshot)
    order = ordered(snapshot.waiting, state.ranks)
    for request in order:
        if not request.slots and state.admit(request) and not state.start(request):
            state.wait_for_room(request)
    slotted = [request for request in order if request.slots]
    if snapshot.scheduler == "fair_share":
        fairshare.schedule(state, slotted)
    else:
        priority.schedule(state, slotted, preemption=snapshot.preemption)
    return state.plan(order)


def _check(snapshot: Snapshot) -> None:
    if snapshot.scheduler not in ("priority", "fair_share"):
        raise Invalid(f"the scheduler of a pool is priority or fair_share, not {snapshot.scheduler!r}")
    if snapshot.fit not in ("best", "worst"):
        raise Invalid(f"the fit of a pool is best or worst, not {snapshot.fit!r}")
    known = {group.id for group in snapshot.groups}
    requests: list[Request] = [*snapshot.waiting, *(one.request for one in snapshot.running)]
    for request in requests:
        if request.group_id not in known:
            raise Invalid(
                f"allocation {request.allocation_id} belongs to the group {request.group_id}, which is not in the snapshot"
            )
