"""Statements of the hot paths: compiled once and run through the driver, at a tenth of what building and running them costs.

    _BY_ID = Prepared(sa.select(runs).where(runs.c.id == sa.bindparam("id")))
    row = _BY_ID.first(tx, id=7)

Rows are named tuples with the values that SQLAlchemy would give.
"""

import enum
from collections import namedtuple
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.dml import ReturningUpdate

from undeterred.store import dialect
from undeterred.store.database import Tx

Query = sa.Select[Any] | ReturningUpdate[Any]


class Prepared:
    """A query, or a change that returns rows, with named parameters.

    `locked` holds its rows until the commit (those of `of` when it joins tables).
    """

    def __init__(self, query: Query, *, locked: bool = False, of: sa.Table | None = None) -> None:
        self._query = query
        self._locked = locked
        self._of = of
        self._compiled: dict[str, _Compiled] = {}

    def rows(self, tx: Tx, **values: Any) -> list[Any]:
        """All rows."""
        return self._for(tx).fetch(tx, values)

    def first(self, tx: Tx, **values: Any) -> Any | None:
        """The first row, or None."""
        rows = self._for(tx).fetch(tx, values)
        return rows[0] if rows else None

    def value(self, tx: Tx, **values: Any) -> Any:
        """The first column of the first row, or None."""
        rows = self._for(tx).fetch(tx, values)
        return rows[0][0] if rows else None

    def values(self, tx: Tx, **values: Any) -> list[Any]:
        """The first column of every row."""
        return [row[0] for row in self._for(tx).fetch(tx, values)]

    def _for(self, tx: Tx) -> "_Compiled":
        name = tx.conn.dialect.name
        known = self._compiled.get(name)
        if known is None:
            query = self._query
            if self._locked and isinstance(query, sa.Select):
                query = dialect.lock(tx.conn, query, self._of)
            known = self._compiled[name] = _Compiled(query, tx.conn.dialect)
        return known


_DOUBLE = 701
"""PostgreSQL's number of the type of our only columns that are no integers and no texts; other types do not look at it."""


class PreparedIn:
    """A query for the rows whose `column` is one of many values: compiled once for each of a few numbers of values."""

    def __init__(
        self, query: sa.Select[Any], column: "sa.Column[Any]", *, locked: bool = False, of: sa.Table | None = None
    ) -> None:
        self._query = query
        self._column = column
        self._locked = locked
        self._of = of
        self._sizes: dict[int, Prepared] = {}

    def rows(self, tx: Tx, among: Sequence[Any]) -> list[Any]:
        """All rows, for at most some hundred values."""
        if not among:
            return []
        size = 1 << (len(among) - 1).bit_length()
        given = {f"among_{number}": value for number, value in enumerate(among)}
        given |= {f"among_{number}": among[0] for number in range(len(among), size)}
        return self._of_size(size).rows(tx, **given)

    def _of_size(self, size: int) -> Prepared:
        known = self._sizes.get(size)
        if known is None:
            marks = [sa.bindparam(f"among_{number}", type_=self._column.type) for number in range(size)]
            query = self._query.where(self._column.in_(marks))
            known = self._sizes[size] = Prepared(query, locked=self._locked, of=self._of)
        return known


class _Compiled:
    """A query as text for one database, and how its rows are read."""

    def __init__(self, query: Query, of: sa.Dialect) -> None:
        compiled = query.compile(dialect=of)
        self._text = str(compiled)
        self._order = tuple(compiled.positiontup) if compiled.positiontup is not None else None
        self._fixed = {key: value for key, value in compiled.params.items() if value is not None}
        columns = list(query.selected_columns if isinstance(query, sa.Select) else query.exported_columns)
        names = [column.name for column in columns]
        self._row: Callable[[Any], Any] = getattr(namedtuple("Row", names, rename=True), "_make")  # noqa: B009
        processors = [column.type.dialect_impl(of).result_processor(of, _DOUBLE) for column in columns]
        self._processors = [(place, change) for place, change in enumerate(processors) if change is not None]

    def fetch(self, tx: Tx, values: dict[str, Any]) -> list[Any]:
        """Run it and read all rows."""
        given = {**self._fixed, **values} if self._fixed else values
        bound = given if self._order is None else tuple(given[name] for name in self._order)
        rows = dialect.execute(tx.conn, self._text, bound).fetchall()
        if not self._processors:
            return [self._row(row) for row in rows]
        return [self._row(self._processed(row)) for row in rows]

    def _processed(self, row: Any) -> list[Any]:
        out = list(row)
        for place, change in self._processors:
            out[place] = change(out[place])
        return out


def update_row(tx: Tx, table: sa.Table, key: Any, columns: dict[str, Any]) -> None:
    """Set columns of the row with this primary key (one column) to plain values."""
    if columns:
        text = _update_text(table, tuple(columns), tx.conn.dialect.paramstyle)
        dialect.execute(tx.conn, text, (*map(_plain, columns.values()), key))


def insert_row(tx: Tx, table: sa.Table, columns: dict[str, Any]) -> None:
    """Insert a row whose key is given; columns that are not named get their defaults."""
    dialect.execute(
        tx.conn, _insert_text(table, tuple(columns), tx.conn.dialect.paramstyle), tuple(map(_plain, columns.values()))
    )


def insert_counted(tx: Tx, table: sa.Table, columns: dict[str, Any]) -> int:
    """Insert a row whose key `id` the database counts; the key."""
    text = _insert_text(table, tuple(columns), tx.conn.dialect.paramstyle) + " RETURNING id"
    return int(dialect.execute(tx.conn, text, tuple(map(_plain, columns.values()))).fetchall()[0][0])


def delete_rows(tx: Tx, column: "sa.Column[Any]", value: Any) -> int:
    """Remove the rows of a table that have this value; how many there were."""
    table = column.table
    assert isinstance(table, sa.Table)
    text = f"DELETE FROM {table.name} WHERE {column.name} = {_mark(tx.conn.dialect.paramstyle)}"  # noqa: S608
    return int(dialect.execute(tx.conn, text, (_plain(value),)).rowcount)


def _plain(value: Any) -> Any:
    """A member of an enumeration as the text or number that it is."""
    return value.value if isinstance(value, enum.Enum) else value


@lru_cache(maxsize=1024)
def _update_text(table: sa.Table, columns: tuple[str, ...], paramstyle: str) -> str:
    (key,) = table.primary_key.columns
    mark = _mark(paramstyle)
    changes = ", ".join(f"{table.c[name].name} = {mark}" for name in columns)
    return f"UPDATE {table.name} SET {changes} WHERE {key.name} = {mark}"  # noqa: S608 (names of our own tables)


@lru_cache(maxsize=1024)
def _insert_text(table: sa.Table, columns: tuple[str, ...], paramstyle: str) -> str:
    names = ", ".join(table.c[name].name for name in columns)
    marks = ", ".join([_mark(paramstyle)] * len(columns))
    return f"INSERT INTO {table.name} ({names}) VALUES ({marks})"  # noqa: S608


def _mark(paramstyle: str) -> str:
    return "?" if paramstyle == "qmark" else "%s"
