"""The narrow tables of values to search by: reading them together with what is newer, and bringing them up to date.

Whatever changes a run's hyperparameters, summaries, metadata or project marks it `values_stale` in the same write. A search
takes the values of stale runs from their JSON, and all others from the table, so it always sees what was stored; a service
brings stale runs up to date in the background. The same holds for the hyperparameters of experiments.
"""

from collections.abc import Callable, Collection
from typing import Any

import sqlalchemy as sa

from undeterred.base.struct import Struct
from undeterred.core.filters.columns import Column
from undeterred.core.filters.values import (
    Cell,
    CellKind,
    Form,
    column_key,
    experiment_cells,
    experiment_column,
    run_cells,
    run_column,
)
from undeterred.store import dialect
from undeterred.store.bulk import insert_rows
from undeterred.store.database import Tx
from undeterred.store.schema.base import Text
from undeterred.store.schema.experiments import experiments, runs
from undeterred.store.schema.run_values import experiment_values, run_values, value_columns

_ROW: dict[str, Any] = {
    "owner": sa.BigInteger(),
    "seq": sa.Integer(),
    "form": sa.Integer(),
    "kind": sa.Integer(),
    "number": sa.Double(),
    "text": Text,
}


class Owners(Struct, frozen=True):
    """Whose values: those of runs or of experiments."""

    table: sa.Table
    """Of the values."""
    owner: sa.Column[Any]
    """Its column with the owner's id."""
    source: sa.Table
    """Of the owners."""
    parts: tuple[sa.Column[Any], ...]
    """Columns of an owner from which its values are made."""
    cells: Callable[..., list[Cell]]
    one_column: Callable[..., list[Cell]]


RUNS = Owners(
    run_values,
    run_values.c.run_id,
    runs,
    (runs.c.hparams, runs.c.summary_metrics, runs.c.metadata),
    run_cells,
    run_column,
)
EXPERIMENTS = Owners(
    experiment_values,
    experiment_values.c.experiment_id,
    experiments,
    (experiments.c.config,),
    experiment_cells,
    experiment_column,
)


class Values:
    """The values of one kind of owner in some projects, as one transaction sees them."""

    def __init__(self, tx: Tx, owners: Owners, projects: sa.Select[Any] | int) -> None:
        """`projects` is the id of one, or a query of ids."""
        self._tx = tx
        self._owners = owners
        self._projects = projects
        self._stale: list[Any] | None = None
        self._made: dict[str, Any] = {}

    def of(self, column: Column) -> Any:
        """A table of a column's values, under a name of its own: owner, seq, form, kind, number, text."""
        key = column_key(column)
        if key not in self._made:
            self._made[key] = self._make(column)
        return self._made[key].alias()

    def _make(self, column: Column) -> Any:
        stored, fresh = self._stored(column), self._fresh(column)
        if fresh is not None:  # once for the whole query: it carries its rows in its text
            return (fresh if stored is None else sa.union_all(stored, fresh)).cte()
        if stored is not None:
            return stored.subquery()
        return sa.select(*(sa.cast(sa.null(), kind).label(name) for name, kind in _ROW.items())).where(sa.false()).subquery()

    def stale(self) -> list[Any]:
        """Id and parts of the owners that are newer than their stored values."""
        if self._stale is None:
            source = self._owners.source
            query = sa.select(source.c.id, *self._owners.parts).where(source.c.values_stale, self.within(source.c.project_id))
            self._stale = self._tx.rows(query)
        return self._stale

    def within(self, column: sa.Column[Any]) -> sa.ColumnElement[bool]:
        """Whether a project's id is one of those asked for."""
        return column == self._projects if isinstance(self._projects, int) else column.in_(self._projects)

    def valid(self, cells: Any) -> list[sa.ColumnElement[bool]]:
        """What holds of the stored values (a table of them, or an alias) that are their owners' present ones."""
        if not self.stale():
            return []
        source = self._owners.source
        return [cells.c[self._owners.owner.name].not_in(sa.select(source.c.id).where(source.c.values_stale))]

    def _stored(self, column: Column) -> sa.Select[Any] | None:
        key = column_key(column)
        column_id = self._tx.value(sa.select(value_columns.c.id).where(value_columns.c.key == key))
        if column_id is None:
            return None
        table = self._owners.table
        return sa.select(self._owners.owner.label("owner"), *(table.c[name] for name in list(_ROW)[1:])).where(
            self.within(table.c.project_id), table.c.column_id == column_id, *self.valid(table)
        )

    def _fresh(self, column: Column) -> sa.Select[Any] | None:
        rows = [
            (owner, cell.seq, cell.form, cell.kind, cell.number, cell.text)
            for owner, *parts in self.stale()
            for cell in self._owners.one_column(column, *parts)
        ]
        return dialect.table_of(self._tx.conn, _ROW, rows) if rows else None


class Found(Struct, frozen=True):
    """What stands in a column of a project."""

    kinds: frozenset[CellKind]
    forms: frozenset[Form]
    low: float | None
    """The least number, None where there is none."""
    high: float | None


def summarize(tx: Tx, owners: Owners, project_id: int) -> dict[str, Found]:
    """Key of each column with values in a project -> what is in it."""
    values = Values(tx, owners, project_id)
    found = _stored_summary(tx, owners, values)
    for _, *parts in values.stale():
        for cell in owners.cells(*parts):
            number = cell.number if cell.kind is CellKind.NUMBER else None
            one = Found(frozenset((cell.kind,)), frozenset((cell.form,)), number, number)
            found[cell.key] = _joined(found[cell.key], one) if cell.key in found else one
    return found


def _joined(one: Found, other: Found) -> Found:
    lows = [found.low for found in (one, other) if found.low is not None]
    highs = [found.high for found in (one, other) if found.high is not None]
    return Found(one.kinds | other.kinds, one.forms | other.forms, min(lows, default=None), max(highs, default=None))


def _stored_summary(tx: Tx, owners: Owners, values: Values) -> dict[str, Found]:
    """Of the stored values: from column to column and kind to kind, each a short look into the index."""
    columns = _columns_of(owners, values)
    cells = owners.table.alias("cells")
    here = [cells.c.column_id == columns.c.column_id, values.within(cells.c.project_id), *values.valid(cells)]
    number = int(CellKind.NUMBER)

    def first(value: sa.ColumnElement[Any], *order: Any, kind: int | None = None) -> Any:
        query = sa.select(value).where(*here, *([] if kind is None else [cells.c.kind == kind])).correlate(columns)
        return query.order_by(*order).limit(1).scalar_subquery()

    kinds = [first(cells.c.kind, cells.c.kind, kind=int(kind)).label(f"kind_{kind}") for kind in CellKind]
    rows = tx.rows(
        sa.select(
            value_columns.c.key,
            first(cells.c.number, cells.c.number.asc(), kind=number).label("low"),
            first(cells.c.number, cells.c.number.desc(), kind=number).label("high"),
            first(cells.c.form, cells.c.kind.asc()).label("first_form"),
            first(cells.c.form, cells.c.kind.desc()).label("last_form"),
            *kinds,
        ).join(columns, columns.c.column_id == value_columns.c.id)
    )
    return {
        row.key: Found(
            frozenset(CellKind(kind) for kind in row[5:] if kind is not None),
            frozenset((Form(row.first_form), Form(row.last_form))),
            row.low,
            row.high,
        )
        for row in rows
    }


def _columns_of(owners: Owners, values: Values) -> sa.CTE:
    """The ids of the columns that have values, each found behind the one before it."""
    cells, more = owners.table.alias("first_cells"), owners.table.alias("more_cells")
    start = sa.select(sa.func.min(cells.c.column_id).label("column_id"))
    found = start.where(values.within(cells.c.project_id), *values.valid(cells)).cte("columns", recursive=True)
    beyond = sa.select(sa.func.min(more.c.column_id)).where(
        values.within(more.c.project_id), more.c.column_id > found.c.column_id, *values.valid(more)
    )
    return found.union_all(sa.select(beyond.correlate(found).scalar_subquery()).where(found.c.column_id.is_not(None)))


def refresh(tx: Tx, owners: Owners, ids: Collection[int]) -> int:
    """Bring the stored values of some owners up to date; how many cells were written or removed."""
    source = owners.source
    query = sa.select(source.c.id, source.c.project_id, *owners.parts).where(source.c.id.in_(ids), source.c.values_stale)
    changed = 0
    for owner, project_id, *parts in tx.rows(dialect.lock(tx.conn, query.order_by(source.c.id))):
        cells = owners.cells(*parts)
        known = _column_ids(tx, {cell.key for cell in cells})
        wanted = {
            (project_id, known[cell.key], int(cell.kind), cell.number, cell.text, owner, cell.seq, int(cell.form))
            for cell in cells
        }
        changed += _replace(tx, owners, owner, wanted)
    tx.run(sa.update(source).where(source.c.id.in_(ids)).values(values_stale=False))
    return changed


def _replace(tx: Tx, owners: Owners, owner: int, wanted: set[tuple[Any, ...]]) -> int:
    table = owners.table
    names = tuple(column.name for column in table.c)
    present = {tuple(row) for row in tx.rows(sa.select(table).where(owners.owner == owner))}
    gone = present - wanted
    if gone:
        keys = [column for column in table.c if column.primary_key]
        statement = sa.delete(table).where(*(column == sa.bindparam(f"_{column.name}") for column in keys))
        tx.conn.execute(statement, [{f"_{name}": value for name, value in zip(names, row, strict=True)} for row in gone])
    insert_rows(tx, table, names, sorted(wanted - present))
    return len(gone) + len(wanted - present)


def _column_ids(tx: Tx, keys: set[str]) -> dict[str, int]:
    query = sa.select(value_columns.c.key, value_columns.c.id).where(value_columns.c.key.in_(keys))
    found = {row.key: row.id for row in tx.rows(query)}
    missing = sorted(keys - found.keys())
    if missing:
        for key in missing:
            tx.run(dialect.insert_ignore(tx.conn, value_columns).values(key=key))
        found = {row.key: row.id for row in tx.rows(query)}
    return found


def stale_runs(tx: Tx, quiet_since: int, limit: int) -> list[int]:
    """Runs to bring up to date: those that have ended or did not report since a time; the longest waiting first."""
    seen = sa.func.coalesce(runs.c.last_activity, runs.c.start_time)
    query = sa.select(runs.c.id).where(runs.c.values_stale, sa.or_(runs.c.end_time.is_not(None), seen < quiet_since))
    return tx.values(query.order_by(seen, runs.c.id).limit(limit))


def stale_experiments(tx: Tx, limit: int) -> list[int]:
    """Experiments to bring up to date, oldest first."""
    query = sa.select(experiments.c.id).where(experiments.c.values_stale)
    return tx.values(query.order_by(experiments.c.id).limit(limit))
