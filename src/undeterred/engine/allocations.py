"""The life of an allocation: it waits, gets slots, starts, runs, is asked or made to leave, and exits.

Every function is called inside a transaction with the task's other rows locked before (experiment, trial, allocation).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from undeterred.base import ids, json
from undeterred.base.clock import Micros
from undeterred.base.errors import Refused
from undeterred.base.struct import Struct
from undeterred.core.lifecycle.allocation import AllocationState, Stop, advance, how_to_stop
from undeterred.core.lifecycle.exits import Cause, ExitFacts
from undeterred.engine import keys, logs
from undeterred.engine.facts import AllocationExited
from undeterred.store import allocations, experiments, sessions
from undeterred.store.database import Tx

_A = AllocationState

GIVEN = (_A.ASSIGNED, _A.PULLING, _A.STARTING, _A.RUNNING, _A.WAITING, _A.TERMINATING)
"""States in which an allocation holds slots."""


class Ask(Struct, frozen=True, kw_only=True):
    """What a task asks of a resource pool."""

    task_id: str
    number: int
    """Of this start of the task; part of the allocation's id."""
    name: str
    """For the task's log."""
    resource_pool: str
    slots: int
    preemptible: bool
    single_node: bool = True
    preemption_timeout: Micros


def request(tx: Tx, ask: Ask) -> str:
    """Join the queue; the allocation's id."""
    allocation_id = ids.allocation_id(ask.task_id, ask.number)
    allocations.create(
        tx,
        allocation_id,
        ask.task_id,
        resource_pool=ask.resource_pool,
        slots=ask.slots,
        preemptible=ask.preemptible,
        single_node=ask.single_node,
        preemption_timeout=ask.preemption_timeout,
    )
    logs.say(tx, ask.task_id, f"Scheduling {ask.name} (id: {allocation_id})", allocation_id=allocation_id)
    tx.wake(keys.SCHEDULER, keys.task(ask.task_id))
    return allocation_id


def held(tx: Tx, allocation_id: str) -> Any:
    """An allocation's row to be stopped or closed: held until the commit, its experiment before it. Raises NotFound."""
    experiments.lock_of_task(tx, allocation_id.rpartition(".")[0])
    return allocations.locked(tx, allocation_id)


def assign(tx: Tx, allocation_id: str, nodes: Sequence[tuple[str, Sequence[int]]]) -> bool:
    """Give slots: agent and slot ids by rank. False when the allocation does not wait for them any more."""
    row = allocations.locked(tx, allocation_id)
    if row.state != _A.PENDING:
        return False
    agent_id, slot_ids = nodes[0]
    allocations.update(
        tx,
        allocation_id,
        state=_A.ASSIGNED,
        agent_id=agent_id,
        slot_ids=json.dumps(list(slot_ids)),
        nodes=json.dumps([[agent, list(slots)] for agent, slots in nodes]),
        start_time=tx.now,
        waiting_reason=None,
    )
    where = ", ".join(f"agent {agent}" for agent, _ in nodes)
    _say(tx, row, f"{row.id} was assigned to {where}")
    tx.wake(keys.LAUNCHER, keys.allocation(allocation_id))
    return True


def submitted(tx: Tx, allocation_id: str, handle: str, spec: str) -> None:
    """A launcher took it: remember its handle and what was launched (without secrets)."""
    row = allocations.locked(tx, allocation_id)
    allocations.update(tx, allocation_id, handle=handle, spec=spec, state=advance(_A(row.state), _A.STARTING))
    tx.wake(keys.OBSERVER, keys.LAUNCHER, keys.allocation(allocation_id))


def running(tx: Tx, allocation_id: str, addresses: Sequence[str], ports: Mapping[str, int]) -> None:
    """Its first process runs."""
    row = allocations.locked(tx, allocation_id)
    state = advance(_A(row.state), _A.RUNNING)
    if state != row.state:
        allocations.update(tx, allocation_id, state=state, addresses=json.dumps(list(addresses)), ports=json.dumps(dict(ports)))
        _say(tx, row, f"Resources for {row.id} have started")
        tx.wake(keys.allocation(allocation_id), keys.task(row.task_id))
    elif row.ports is None:
        allocations.update(tx, allocation_id, addresses=json.dumps(list(addresses)), ports=json.dumps(dict(ports)))


def ready(tx: Tx, allocation_id: str) -> None:
    """It serves (notebooks and the like), or listens for preemption (trials). Raises Refused while it waits for slots."""
    row = _placed(tx, allocation_id)
    if row.is_ready or row.state == _A.TERMINATED:
        return
    allocations.update(tx, allocation_id, is_ready=True, state=advance(_A(row.state), _A.RUNNING))
    tx.wake(keys.allocation(allocation_id), keys.task(row.task_id))


def waiting(tx: Tx, allocation_id: str) -> None:
    """It holds its slots and waits for something outside. Raises Refused while it waits for slots."""
    row = _placed(tx, allocation_id)
    allocations.update(tx, allocation_id, state=advance(_A(row.state), _A.WAITING))
    tx.wake(keys.allocation(allocation_id), keys.task(row.task_id))


def _placed(tx: Tx, allocation_id: str) -> Any:
    """The row of an allocation that has a place, or had one: one that waits in the queue has no process that could tell this."""
    row = allocations.locked(tx, allocation_id)
    if row.state == _A.PENDING:
        raise Refused(f"allocation {allocation_id} still waits for slots: nothing of it runs yet")
    return row


def acknowledge(tx: Tx, allocation_id: str) -> None:
    """It says that it leaves because it was asked to: a clean exit then does not mean that its work is done."""
    row = allocations.locked(tx, allocation_id)
    if row.preempt_acked_at is None and row.state != _A.TERMINATED:
        allocations.update(tx, allocation_id, preempt_acked_at=tx.now)


def stop(tx: Tx, row: Any, *, graceful: bool, why: str) -> None:
    """End an allocation (its locked row): out of the queue, asked to leave, or killed. Repeating it is harmless."""
    how = how_to_stop(_A(row.state), graceful=graceful, preemptible=row.preemptible, ready=row.is_ready)
    if how is Stop.DROP:
        exited(tx, row, ExitFacts(Cause.DROPPED, message=why))
    elif how is Stop.PREEMPT and row.preempt_at is None:
        allocations.update(tx, row.id, preempt_at=tx.now, end_cause=why)
        _say(tx, row, f"{row.id} is asked to leave: {why}")
        tx.wake(keys.allocation(row.id), keys.WATCHDOG, keys.SCHEDULER)
    elif how is Stop.KILL and row.kill_at is None:
        allocations.update(
            tx, row.id, kill_at=tx.now, end_cause=row.end_cause or why, state=advance(_A(row.state), _A.TERMINATING)
        )
        _say(tx, row, f"{row.id} is ended: {why}")
        tx.wake(keys.allocation(row.id), keys.LAUNCHER, keys.SCHEDULER)


def exited(tx: Tx, row: Any, facts: ExitFacts) -> None:
    """Close an allocation (its locked row): its slots are free, its credentials gone, its task is told."""
    if row.state == _A.TERMINATED:
        return
    facts = ExitFacts(
        facts.cause,
        facts.exit_code,
        preempted=row.preempt_at is not None,
        acked=row.preempt_acked_at is not None,
        message=facts.message,
    )
    failed = facts.cause is Cause.EXITED and facts.exit_code != 0
    allocations.update(
        tx,
        row.id,
        state=_A.TERMINATED,
        end_time=tx.now,
        cause=facts.cause.name,
        exit_code=facts.exit_code,
        exit_reason=_reason(row, facts),
        exit_error=facts.message if failed or facts.cause not in (Cause.EXITED, Cause.KILLED, Cause.DROPPED) else "",
    )
    sessions.delete_of_allocation(tx, row.id)
    _say(tx, row, f"{row.id} was terminated: {_reason(row, facts)}", level="ERROR" if failed else "INFO")
    tx.wake(keys.SESSIONS, keys.SCHEDULER, keys.allocation(row.id), keys.task(row.task_id))
    tx.fact(AllocationExited(row.id, row.task_id, facts))


def _reason(row: Any, facts: ExitFacts) -> str:
    """How it ended, for people."""
    if facts.cause is Cause.EXITED and facts.exit_code == 0:
        left = facts.acked and facts.preempted
        return "it left when it was asked to" if left else "resources exited successfully"
    if facts.cause is Cause.EXITED:
        code = "without an exit code" if facts.exit_code is None else f"with non-zero exit code: {facts.exit_code}"
        return f"resources failed {code}" + (f" ({facts.message})" if facts.message else "")
    why: str = facts.message or row.end_cause or ""
    return str(facts.cause.value) + (f" ({why})" if why else "")


def _say(tx: Tx, row: Any, text: str, level: str = "INFO") -> None:
    logs.say(tx, row.task_id, text, allocation_id=row.id, level=level)
