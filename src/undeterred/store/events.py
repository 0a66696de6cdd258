"""The outbox: rows written with what caused them, taken by a service, removed when their work is done."""

from typing import Any

import sqlalchemy as sa

from undeterred.base import json
from undeterred.base.clock import Micros
from undeterred.store.database import Tx
from undeterred.store.schema.outbox import outbox


def put(tx: Tx, kind: str, payload: dict[str, Any], *, due_at: Micros | None = None) -> int:
    """Leave work of a kind; its id. It is due at once unless told otherwise."""
    due = tx.now if due_at is None else due_at
    return tx.insert(outbox, kind=kind, payload=json.dumps(payload), created_at=tx.now, due_at=due)


def due(tx: Tx, kind: str, limit: int = 100) -> list[Any]:
    """Work of a kind that is due now, oldest first."""
    query = sa.select(outbox).where(outbox.c.kind == kind, outbox.c.due_at <= tx.now)
    return tx.rows(query.order_by(outbox.c.id).limit(limit))


def next_due(tx: Tx, kind: str) -> Micros | None:
    """When the next work of a kind is due, or None."""
    found: Micros | None = tx.value(sa.select(sa.func.min(outbox.c.due_at)).where(outbox.c.kind == kind))
    return found


def done(tx: Tx, item_id: int) -> None:
    """Remove finished work."""
    tx.run(sa.delete(outbox).where(outbox.c.id == item_id))


def again(tx: Tx, item_id: int, due_at: Micros, error: str) -> None:
    """Try again later, because of this."""
    tx.run(
        sa.update(outbox).where(outbox.c.id == item_id).values(due_at=due_at, attempts=outbox.c.attempts + 1, error=error[:1000])
    )
