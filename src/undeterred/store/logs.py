"""Lines of task logs: appended in their order, read by page, filtered, never held in a cursor."""

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from undeterred.base.struct import Struct
from undeterred.core.loglines import LogLine
from undeterred.store import bulk, dialect
from undeterred.store.database import Tx
from undeterred.store.schema.logs import task_logs

_COLUMNS = ("task_id", "time", "text", "level", "source", "stdtype", "rank", "agent_id", "container_id", "allocation_id")


def append(tx: Tx, task_id: str, lines: Sequence[LogLine]) -> None:
    """Add lines at the end of a task's log, in their order: who has read up to a line has missed none before it."""
    dialect.take_turns(tx.conn, f"log of {task_id}")
    rows = [
        (
            task_id,
            line.time,
            line.text.replace("\0", "\\u0000") + ("\n" if line.ended else ""),
            line.level,
            line.source,
            line.stdtype,
            line.rank,
            line.agent_id,
            line.container_id,
            line.allocation_id,
        )
        for line in lines
    ]
    bulk.insert_rows(tx, task_logs, _COLUMNS, rows)


class LogFilter(Struct, frozen=True):
    """Which lines; within a field any value fits, all fields that are given must."""

    allocation_ids: tuple[str, ...] = ()
    agent_ids: tuple[str, ...] = ()
    container_ids: tuple[str, ...] = ()
    rank_ids: tuple[int, ...] = ()
    levels: tuple[str, ...] = ()
    stdtypes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    before: int | None = None
    after: int | None = None
    """Bounds of the time, both inclusive."""
    search: str = ""
    """A part of the text, ignoring case; `%` is a wildcard."""


_LISTS = (
    ("allocation_ids", "allocation_id"),
    ("agent_ids", "agent_id"),
    ("container_ids", "container_id"),
    ("rank_ids", "rank"),
    ("levels", "level"),
    ("stdtypes", "stdtype"),
    ("sources", "source"),
)


def page(tx: Tx, task_ids: Collection[str], which: LogFilter, after_id: int | None, limit: int, *, descending: bool) -> list[Any]:
    """At most `limit` lines behind the line `after_id` (None: from the start), in the order of arrival or its reverse."""
    c = task_logs.c
    conditions: list[sa.ColumnElement[bool]] = [c.task_id.in_(task_ids)]
    conditions += [c[column].in_(getattr(which, name)) for name, column in _LISTS if getattr(which, name)]
    if which.before is not None:
        conditions.append(c.time <= which.before)
    if which.after is not None:
        conditions.append(c.time >= which.after)
    if which.search:
        conditions.append(dialect.ilike(tx.conn, c.text, f"%{which.search}%"))
    if after_id is not None:
        conditions.append(c.id < after_id if descending else c.id > after_id)
    return tx.rows(sa.select(task_logs).where(*conditions).order_by(c.id.desc() if descending else c.id).limit(limit))


def fields(tx: Tx, task_ids: Collection[str]) -> dict[str, list[Any]]:
    """Column -> the distinct values that the lines of these tasks have, sorted."""
    c = task_logs.c
    columns = (c.allocation_id, c.agent_id, c.container_id, c.rank, c.stdtype, c.source)
    found: dict[str, list[Any]] = {}
    for column in columns:
        query = sa.select(column).where(c.task_id.in_(task_ids), column.is_not(None), sa.cast(column, sa.Text) != "").distinct()
        found[column.name] = sorted(tx.values(query))
    return found


def delete_of_tasks(tx: Tx, task_ids: Collection[str], limit: int) -> int:
    """Remove at most `limit` lines; how many were removed."""
    oldest = sa.select(task_logs.c.id).where(task_logs.c.task_id.in_(task_ids)).limit(limit)
    return tx.run(sa.delete(task_logs).where(task_logs.c.id.in_(oldest)))
