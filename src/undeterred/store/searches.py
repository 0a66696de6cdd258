"""The event logs of searches and snapshots of their states."""

from typing import Any

import sqlalchemy as sa

from undeterred.base.errors import NotFound
from undeterred.store.database import Tx
from undeterred.store.fast import Prepared, insert_row
from undeterred.store.schema.experiments import search_events, search_snapshots

_LAST = Prepared(
    sa.select(sa.func.max(search_events.c.seq).label("seq")).where(search_events.c.experiment_id == sa.bindparam("experiment"))
)


def last_seq(tx: Tx, experiment_id: int) -> int:
    """Number of the last event; 0 for the start (the initial actions), -1 for a search that has not begun."""
    found = _LAST.value(tx, experiment=experiment_id)
    return -1 if found is None else int(found)


def start(tx: Tx, experiment_id: int) -> str:
    """The first entry's event, canonical JSON: what the search began with; raises NotFound for one that has not begun."""
    query = sa.select(search_events.c.event).where(search_events.c.experiment_id == experiment_id, search_events.c.seq == 0)
    found: str | None = tx.value(query)
    if found is None:
        raise NotFound(f"experiment {experiment_id} has no search")
    return found


def append(tx: Tx, experiment_id: int, seq: int, event: str, actions: str) -> None:
    """Add one entry: canonical JSON of the event (for the start: of the inputs) and of what was decided."""
    entry = {"experiment_id": experiment_id, "seq": seq, "at": tx.now, "event": event, "actions": actions}
    insert_row(tx, search_events, entry)


def after(tx: Tx, experiment_id: int, seq: int, limit: int | None = None) -> list[Any]:
    """Entries later than `seq`, in order."""
    query = (
        sa.select(search_events.c.seq, search_events.c.at, search_events.c.event, search_events.c.actions)
        .where(search_events.c.experiment_id == experiment_id, search_events.c.seq > seq)
        .order_by(search_events.c.seq)
    )
    return tx.rows(query if limit is None else query.limit(limit))


def snapshot(tx: Tx, experiment_id: int) -> Any | None:
    """The last snapshot (`seq`, `version`, `state`), or None."""
    return tx.row(sa.select(search_snapshots).where(search_snapshots.c.experiment_id == experiment_id))


def put_snapshot(tx: Tx, experiment_id: int, seq: int, version: int, state: str) -> None:
    """Replace the snapshot."""
    tx.upsert(search_snapshots, ["experiment_id"], experiment_id=experiment_id, seq=seq, version=version, state=state)


def drop_snapshot(tx: Tx, experiment_id: int) -> None:
    """Remove the snapshot; the log alone still tells everything."""
    tx.run(sa.delete(search_snapshots).where(search_snapshots.c.experiment_id == experiment_id))
