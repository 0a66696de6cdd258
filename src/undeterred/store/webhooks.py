"""Webhooks with their triggers, and their deliveries."""

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from undeterred.base import json
from undeterred.base.clock import Micros
from undeterred.base.errors import NotFound
from undeterred.base.struct import Struct
from undeterred.core.rights import Scope
from undeterred.core.webhooks import Trigger
from undeterred.store import dialect
from undeterred.store.database import Tx
from undeterred.store.schema.experiments import experiments, runs
from undeterred.store.schema.spaces import projects, workspaces
from undeterred.store.schema.tasks import run_tasks, tasks
from undeterred.store.schema.webhooks import webhook_deliveries, webhook_fired, webhook_triggers, webhooks

_SHOWN = sa.select(webhooks, workspaces.c.user_id.label("workspace_owner")).select_from(
    webhooks.outerjoin(workspaces, workspaces.c.id == webhooks.c.workspace_id)
)


class NewTrigger(Struct, frozen=True):
    """A trigger to be stored."""

    kind: str
    condition: str
    """JSON text."""


def get(tx: Tx, webhook_id: int) -> Any:
    """A webhook with the owner of its workspace (`workspace_owner`); raises NotFound."""
    row = tx.row(_SHOWN.where(webhooks.c.id == webhook_id))
    if row is None:
        raise NotFound(f"webhook {webhook_id} not found")
    return row


def every(tx: Tx, scope: Scope) -> list[Any]:
    """All webhooks in the scope, by id."""
    query = _SHOWN.order_by(webhooks.c.id)
    return tx.rows(query if scope.everywhere else query.where(webhooks.c.workspace_id.in_(scope.workspaces)))


def triggers_of(tx: Tx, webhook_ids: Collection[int]) -> dict[int, list[Any]]:
    """Webhook id -> rows of its triggers, by id."""
    found: dict[int, list[Any]] = {}
    query = sa.select(webhook_triggers).where(webhook_triggers.c.webhook_id.in_(webhook_ids)).order_by(webhook_triggers.c.id)
    for row in tx.rows(query):
        found.setdefault(row.webhook_id, []).append(row)
    return found


def create(tx: Tx, triggers: Sequence[NewTrigger], **columns: Any) -> int:
    """Store a new webhook with its triggers; its id."""
    webhook_id = tx.insert(webhooks, created_at=tx.now, **columns)
    for trigger in triggers:
        tx.insert(webhook_triggers, webhook_id=webhook_id, kind=trigger.kind, condition=trigger.condition)
    return webhook_id


def set_url(tx: Tx, webhook_id: int, url: str) -> None:
    """Send to another address from now on, also what waits."""
    tx.run(sa.update(webhooks).where(webhooks.c.id == webhook_id).values(url=url))


def delete(tx: Tx, webhook_id: int) -> None:
    """Remove a webhook, its triggers, and what waits for delivery."""
    tx.run(sa.delete(webhooks).where(webhooks.c.id == webhook_id))


def triggers(tx: Tx) -> list[Trigger]:
    """Every trigger with its webhook, by id."""
    query = sa.select(
        webhook_triggers.c.id,
        webhook_triggers.c.kind,
        webhook_triggers.c.condition,
        webhooks.c.id.label("webhook_id"),
        webhooks.c.name,
        webhooks.c.kind.label("form"),
        webhooks.c.mode,
        webhooks.c.workspace_id,
    ).join(webhooks, webhooks.c.id == webhook_triggers.c.webhook_id)
    return [
        Trigger(row.id, row.kind, json.loads(row.condition), row.webhook_id, row.name, row.form, row.mode, row.workspace_id)
        for row in tx.rows(query.order_by(webhook_triggers.c.id))
    ]


def fire_once(tx: Tx, trigger_id: int, subject: str) -> bool:
    """Note that a trigger fires for a task or run; False when it did so before."""
    statement = dialect.insert_ignore(tx.conn, webhook_fired).returning(webhook_fired.c.trigger_id)
    return tx.row(statement.values(trigger_id=trigger_id, subject=subject)) is not None


def experiment(tx: Tx, experiment_id: int) -> Any | None:
    """What is told of an experiment: names of where it is, times, size, its configuration; None when it is gone."""
    query = (
        sa.select(
            *(experiments.c[name] for name in ("id", "state", "name", "start_time", "end_time", "resource_pool", "config")),
            experiments.c.slots_per_trial,
            projects.c.name.label("project_name"),
            projects.c.workspace_id,
            workspaces.c.name.label("workspace_name"),
        )
        .join(projects, projects.c.id == experiments.c.project_id)
        .join(workspaces, workspaces.c.id == projects.c.workspace_id)
    )
    return tx.row(query.where(experiments.c.id == experiment_id))


def place_of_task(tx: Tx, task_id: str) -> Any | None:
    """Workspace and, for a trial, experiment of a task (`workspace_id`, `experiment_id`); None when it is gone."""
    query = (
        sa.select(tasks.c.workspace_id, runs.c.experiment_id)
        .select_from(
            tasks.outerjoin(run_tasks, run_tasks.c.task_id == tasks.c.id).outerjoin(runs, runs.c.id == run_tasks.c.run_id)
        )
        .where(tasks.c.id == task_id)
    )
    return tx.row(query)


def experiment_of_run(tx: Tx, run_id: int) -> int | None:
    """The experiment of a run, or None."""
    found: int | None = tx.value(sa.select(runs.c.experiment_id).where(runs.c.id == run_id))
    return found


def enqueue(tx: Tx, webhook_id: int, event_id: str, event_type: str, body: str) -> None:
    """Leave an event for delivery, due at once."""
    tx.insert(
        webhook_deliveries,
        webhook_id=webhook_id,
        event_id=event_id,
        event_type=event_type,
        body=body,
        state="PENDING",
        created_at=tx.now,
        due_at=tx.now,
    )


def due(tx: Tx, limit: int) -> list[Any]:
    """Deliveries that are due, with the address they go to now (`url`), oldest first."""
    waiting = (webhook_deliveries.c.state == "PENDING") & (webhook_deliveries.c.due_at <= tx.now)
    query = sa.select(webhook_deliveries, webhooks.c.url).join(webhooks, webhooks.c.id == webhook_deliveries.c.webhook_id)
    return tx.rows(query.where(waiting).order_by(webhook_deliveries.c.due_at, webhook_deliveries.c.id).limit(limit))


def next_due(tx: Tx) -> Micros | None:
    """When the next delivery is due, or None."""
    waiting = webhook_deliveries.c.state == "PENDING"
    found: Micros | None = tx.value(sa.select(sa.func.min(webhook_deliveries.c.due_at)).where(waiting))
    return found


def tried(tx: Tx, delivery_id: int, status: int | None, error: str, *, again_at: Micros | None = None) -> None:
    """Note an attempt: delivered without an error, else to be tried again at a time, or given up."""
    state = "PENDING" if again_at is not None else "FAILED" if error else "DELIVERED"
    values: dict[str, Any] = {
        "attempts": webhook_deliveries.c.attempts + 1,
        "status": status,
        "error": error[:1000],
        "state": state,
    }
    values |= {"finished_at": tx.now} if again_at is None else {"due_at": again_at}
    tx.run(sa.update(webhook_deliveries).where(webhook_deliveries.c.id == delivery_id).values(**values))


def count_deliveries(tx: Tx, webhook_id: int) -> int:
    """How many deliveries of a webhook are remembered."""
    query = sa.select(sa.func.count()).select_from(webhook_deliveries).where(webhook_deliveries.c.webhook_id == webhook_id)
    return int(tx.value(query))


def deliveries(tx: Tx, webhook_id: int, limit: int = 100, offset: int = 0) -> list[Any]:
    """The newest deliveries of a webhook, the latest first."""
    query = sa.select(webhook_deliveries).where(webhook_deliveries.c.webhook_id == webhook_id)
    return tx.rows(query.order_by(webhook_deliveries.c.id.desc()).limit(limit).offset(offset))


def forget_finished(tx: Tx, before: Micros) -> int:
    """Remove deliveries that were finished before a time; how many."""
    return tx.run(sa.delete(webhook_deliveries).where(webhook_deliveries.c.finished_at < before))
