"""Many rows at once, bound as tuples through the driver: five times as fast as dictionaries through SQLAlchemy."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import sqlalchemy as sa

from undeterred.store import dialect
from undeterred.store.database import Tx

T = TypeVar("T")


def insert_rows(tx: Tx, table: sa.Table, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert plain tuples; columns that are not named get their defaults."""
    if rows:
        dialect.execute_many(tx.conn, _insert(table.name, columns, tx.conn.dialect.paramstyle), rows)


def update_rows(tx: Tx, table: sa.Table, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    """Set columns of rows by id; each tuple is the values, then the id."""
    listed = list(rows)
    if listed:
        dialect.execute_many(tx.conn, _update(table.name, columns, tx.conn.dialect.paramstyle), listed)


def chunks(ids: Collection[T], size: int = 1000) -> Iterator[Sequence[T]]:
    """The ids in pieces that fit one query: the number of parameters of a statement is limited."""
    listed = list(ids)
    for start in range(0, len(listed), size):
        yield listed[start : start + size]


@lru_cache(maxsize=256)
def _insert(table: str, columns: tuple[str, ...], paramstyle: str) -> str:
    marks = ", ".join([_mark(paramstyle)] * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 (names of our own tables)


@lru_cache(maxsize=256)
def _update(table: str, columns: tuple[str, ...], paramstyle: str) -> str:
    mark = _mark(paramstyle)
    return f"UPDATE {table} SET {', '.join(f'{c} = {mark}' for c in columns)} WHERE id = {mark}"  # noqa: S608


def _mark(paramstyle: str) -> str:
    return "?" if paramstyle == "qmark" else "%s"
