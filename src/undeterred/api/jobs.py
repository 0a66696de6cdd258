"""The queues of the resource pools: who stands where, and what may be changed of a job while it waits or runs."""

from collections.abc import Callable
from typing import Any

from undeterred.api.call import Call
from undeterred.api.operation import Needs, operation
from undeterred.api.views.common import choose, few, given, is_descending, pagination
from undeterred.api.views.jobs import in_order, job_message, job_state, limited_job
from undeterred.base.errors import Invalid, NotFound
from undeterred.core import pools as pool_rules
from undeterred.core.config import policy
from undeterred.core.pools import Pool
from undeterred.core.rights import Right
from undeterred.engine import jobs as lifecycle
from undeterred.engine import usage as accounting
from undeterred.store import jobs, policies, pools, queue
from undeterred.store.database import Tx
from undeterred.store.paging import Page, queue_page
from undeterred.wire import messages as m
from undeterred.wire.leaves import Double

_STATES = {state: state for state in m.JobState}
QUEUE_DAYS = 30
"""Days for which the time spent in the queue is shown."""

Placed = tuple[Any, int]
"""A row of the queue and the number of jobs ahead of it."""


@operation("GetJobs", needs=Needs.LOGIN)
async def get_jobs(call: Call, req: m.GetJobsRequest) -> m.GetJobsResponse:
    """The queue of a pool (the default pool for compute when none is named), without jobs that the caller may not see."""
    pool, states, descending = _asked(call, req.resource_pool, req.states, req.order_by)

    def load(tx: Tx) -> m.GetJobsResponse:
        visible = _visible(call, tx)
        placed, page = _page(tx, pool, states, descending, req.offset, req.limit, only=visible)
        return m.GetJobsResponse(jobs=[job_message(row, pool, ahead) for row, ahead in placed], pagination=pagination(page))

    return await call.read(load)


@operation("GetJobsV2", needs=Needs.LOGIN)
async def get_jobs_v2(call: Call, req: m.GetJobsV2Request) -> m.GetJobsV2Response:
    """The queue of a pool; jobs that the caller may not see are shown without what they are."""
    pool, states, descending = _asked(call, req.resource_pool, req.states, req.order_by)

    def load(tx: Tx) -> m.GetJobsV2Response:
        visible = _visible(call, tx)
        placed, page = _page(tx, pool, states, descending, req.offset, req.limit)
        shown = [
            m.RBACJob(full=job_message(row, pool, ahead)) if visible(row) else m.RBACJob(limited=limited_job(row, pool, ahead))
            for row, ahead in placed
        ]
        return m.GetJobsV2Response(jobs=shown, pagination=pagination(page))

    return await call.read(load)


@operation("GetJobQueueStats", needs=Needs.LOGIN)
async def get_job_queue_stats(call: Call, req: m.GetJobQueueStatsRequest) -> m.GetJobQueueStatsResponse:
    """How many jobs wait and run in each pool, and how long allocations waited, on average, day by day."""
    names = [pool.name for pool in call.engine.pools]
    wanted = [name for name in few(req.resource_pools, "resourcePools") if name in names] if req.resource_pools else names

    def load(tx: Tx) -> m.GetJobQueueStatsResponse:
        counts = queue.counts(tx)
        waits = accounting.queue_times(tx, wanted, QUEUE_DAYS)
        return m.GetJobQueueStatsResponse(results=[_stats(name, counts, waits) for name in wanted])

    return await call.read(load)


@operation("UpdateJobQueue", needs=Needs.LOGIN)
async def update_job_queue(call: Call, req: m.UpdateJobQueueRequest) -> m.UpdateJobQueueResponse:
    """Change priority, weight or pool of jobs: all of the changes, or none when one of them is refused."""
    updates = few(req.updates, "updates")

    def change(tx: Tx) -> None:
        for update in updates:
            _update(call, tx, update)

    await call.write(change)
    return m.UpdateJobQueueResponse()


def _asked(call: Call, name: str, states: list[m.JobState], order: m.OrderBy) -> tuple[Pool, set[m.JobState], bool]:
    found = pool_rules.find(call.engine.pools, name) if name else pool_rules.default_for(call.engine.pools, 1)
    if found is None:
        raise _no_pool(call, name)
    return found, {choose(_STATES, state, "states") for state in few(states, "states")}, is_descending(order)


def _no_pool(call: Call, name: str) -> NotFound:
    known = ", ".join(pool.name for pool in call.engine.pools)
    return NotFound(f"there is no resource pool {name[:80]!r}; the pools are {known}")


def _page(
    tx: Tx,
    pool: Pool,
    states: set[m.JobState],
    descending: bool,
    offset: int,
    limit: int,
    only: Callable[[Any], bool] | None = None,
) -> tuple[list[Placed], Page]:
    """The wanted part of a pool's queue; the number of jobs ahead counts all, shown or not."""
    rows = in_order(queue.open_jobs(tx, pool.name), pool)
    placed = [
        (row, ahead) for ahead, row in enumerate(rows) if (only is None or only(row)) and (not states or job_state(row) in states)
    ]
    if descending:
        placed.reverse()
    page = queue_page(offset, limit, len(placed))
    return placed[page.start : page.end], page


def _visible(call: Call, tx: Tx) -> Callable[[Any], bool]:
    """Whether the caller may see the work of a job."""
    experiments, others = call.scope(tx, Right.VIEW_EXPERIMENT_METADATA), call.scope(tx, Right.VIEW_NSC)
    return lambda row: (experiments if row.kind == "EXPERIMENT" else others).admits(row.workspace_id)


def _stats(pool: str, counts: dict[str, tuple[int, int]], waits: dict[str, list[tuple[str, int]]]) -> m.RPQueueStat:
    queued, scheduled = counts.get(pool, (0, 0))
    return m.RPQueueStat(
        stats=m.QueueStats(queued_count=queued, scheduled_count=scheduled),
        resource_pool=pool,
        aggregates=[m.AggregateQueueStats(period_start=day, seconds=Double(seconds)) for day, seconds in waits[pool]],
    )


def _update(call: Call, tx: Tx, update: m.QueueControl) -> None:
    job = jobs.get(tx, update.job_id)
    right = Right.UPDATE_EXPERIMENT if job.kind == "EXPERIMENT" else Right.UPDATE_NSC
    call.require(tx, right, workspace=job.workspace_id, owner=job.user_id, missing=f"job {update.job_id[:80]} not found")
    if call.settings.security.authz.strict_job_queue_control:
        call.require(tx, Right.CONTROL_STRICT_JOB_QUEUE)
    priority, weight, pool = given(update.priority), given(update.weight), given(update.resource_pool)
    if given(update.ahead_of) is not None or given(update.behind_of) is not None:
        raise Invalid("aheadOf and behindOf are not supported; change the priority instead")
    if priority is None and weight is None and pool is None:
        raise Invalid("nothing to change: give priority, weight or resourcePool")
    _check_policies(tx, job, priority, weight)
    if priority is not None:
        lifecycle.set_priority(tx, job.id, priority)
    if weight is not None:
        lifecycle.set_weight(tx, job.id, weight)
    if pool is not None:
        _check_pool(call, tx, pool, job.workspace_id)
        lifecycle.move_pool(tx, job.id, pool)


def _check_policies(tx: Tx, job: Any, priority: int | None, weight: float | None) -> None:
    """The config policies of the cluster and of the job's workspace hold for later changes, too."""
    workload = "EXPERIMENT" if job.kind == "EXPERIMENT" else "NTSC"
    rules = policies.both(tx, job.workspace_id, workload)
    policy.check_constraints(policy.constraints(*rules), priority=priority)
    for key, value in (("priority", priority), ("weight", weight)):
        if value is not None:
            policy.check_unfixed(rules, ("resources", key), value)


def _check_pool(call: Call, tx: Tx, name: str, workspace_id: int | None) -> None:
    known = [pool.name for pool in call.engine.pools]
    if name not in known:
        raise _no_pool(call, name)
    if workspace_id is not None and name not in pools.usable(tx, known, workspace_id):
        raise Invalid(f"the resource pool {name} serves other workspaces only")
