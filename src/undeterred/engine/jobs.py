"""What users may change of a job while it waits or runs: its priority, weight, limit of slots, place in the queue, and pool.

The stored configuration of an experiment follows, so that it shows what holds.
"""

from typing import Any

from undeterred.base import json
from undeterred.base.errors import Invalid, Refused
from undeterred.engine import allocations, keys
from undeterred.store import allocations as allocation_rows
from undeterred.store import experiments, jobs, runs
from undeterred.store.database import Tx


def set_priority(tx: Tx, job_id: str, priority: int) -> None:
    """1 (first) to 99 (last); the job takes the place of its submission among those of the new priority. Raises Invalid."""
    if not 1 <= priority <= 99:
        raise Invalid(f"priority must be between 1 and 99, not {priority}")
    jobs.get(tx, job_id)
    jobs.update(tx, job_id, priority=priority, queue_position=None)
    _configure(tx, job_id, priority=priority)
    tx.wake(keys.SCHEDULER)


def set_weight(tx: Tx, job_id: str, weight: float) -> None:
    """The job's share under fair-share scheduling, at least 0. Raises Invalid."""
    if not 0 <= weight < float("inf"):
        raise Invalid(f"weight must be a number of at least 0, not {weight}")
    jobs.get(tx, job_id)
    jobs.update(tx, job_id, weight=float(weight))
    _configure(tx, job_id, weight=float(weight))
    tx.wake(keys.SCHEDULER)


def set_max_slots(tx: Tx, job_id: str, max_slots: int | None) -> None:
    """Slots of all its allocations together; None lifts the limit. Raises Invalid."""
    if max_slots is not None and max_slots < 0:
        raise Invalid(f"max_slots must be at least 0, not {max_slots}")
    jobs.get(tx, job_id)
    jobs.update(tx, job_id, max_slots=max_slots)
    _configure(tx, job_id, max_slots=max_slots)
    tx.wake(keys.SCHEDULER)


def set_position(tx: Tx, job_id: str, position: float | None) -> None:
    """A place among the jobs of its priority, compared with their submission times in microseconds; None: its own."""
    jobs.get(tx, job_id)
    jobs.update(tx, job_id, queue_position=position)
    tx.wake(keys.SCHEDULER)


def move_pool(tx: Tx, job_id: str, pool: str) -> None:
    """Let a job's experiment run in another pool: what runs is asked to leave and joins that queue.

    The caller has checked that the pool exists and may be used. Raises Refused for jobs that are no experiments, and for the
    same pool.
    """
    job = jobs.get(tx, job_id)
    experiment = experiments.of_job(tx, job_id)
    if experiment is None:
        raise Refused("only experiments can be moved to another resource pool")
    if job.resource_pool == pool:
        raise Refused(f"the job is in the resource pool {pool} already")
    experiments.locked(tx, experiment.id)
    jobs.update(tx, job_id, resource_pool=pool)
    experiments.update(tx, experiment.id, resource_pool=pool)
    _configure(tx, job_id, resource_pool=pool)
    for run in runs.of_experiment(tx, experiment.id, ["ACTIVE"]):
        row = allocation_rows.open_of_task(tx, runs.task_ids(tx, run.id)[-1])
        if row is not None:
            allocations.stop(tx, row, graceful=True, why=f"its job moves to the resource pool {pool}")
    tx.wake(keys.SCHEDULER)


def _configure(tx: Tx, job_id: str, **changes: Any) -> None:
    experiment = experiments.of_job(tx, job_id)
    if experiment is not None:
        config = json.loads(experiment.config)
        config["resources"] = {**(config.get("resources") or {}), **changes}
        experiments.update(tx, experiment.id, config=json.dumps(config))
