"""From which checkpoint a trial goes on."""

from typing import Any

import sqlalchemy as sa

from undeterred.store.database import Tx
from undeterred.store.schema.registry import checkpoints


def latest(tx: Tx, run_id: int) -> Any | None:
    """The complete checkpoint of a trial with the most steps (of equals the newest): `uuid` and `steps_completed`, or None."""
    return tx.row(
        sa.select(checkpoints.c.uuid, checkpoints.c.steps_completed)
        .where(checkpoints.c.run_id == run_id, checkpoints.c.state == "COMPLETED", ~checkpoints.c.doomed)
        .order_by(checkpoints.c.steps_completed.desc(), checkpoints.c.id.desc())
        .limit(1)
    )


def complete(tx: Tx, uuid: str) -> bool:
    """Whether there is a checkpoint of this uuid with all its files."""
    present = (checkpoints.c.state == "COMPLETED", ~checkpoints.c.doomed)
    return tx.value(sa.select(checkpoints.c.id).where(checkpoints.c.uuid == uuid.lower(), *present)) is not None
