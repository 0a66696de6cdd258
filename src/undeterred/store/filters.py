"""Filters and sort orders of searches as SQL: conditions on sets of ids, never a look into JSON for each row."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from undeterred.base import json
from undeterred.base.struct import Struct
from undeterred.core.filters.columns import Column, Family, Kind, Table
from undeterred.core.filters.sort import SortKey
from undeterred.core.filters.tree import All, Condition, Node, Operator
from undeterred.core.filters.values import HUGE, CellKind, kept
from undeterred.store import dialect, search_columns
from undeterred.store.database import Tx
from undeterred.store.run_values import Values
from undeterred.store.schema.experiments import experiments, runs
from undeterred.store.search_columns import Attribute, Needs

_O = Operator
Sql = sa.ColumnElement[bool]
_COMPARE: dict[Operator, Callable[[Any, Any], Any]] = {
    _O.EQUAL: lambda column, value: column == value,
    _O.LESS: lambda column, value: column < value,
    _O.LESS_OR_EQUAL: lambda column, value: column <= value,
    _O.GREATER: lambda column, value: column > value,
    _O.GREATER_OR_EQUAL: lambda column, value: column >= value,
}
_OPPOSITES = {_O.NOT_EQUAL: _O.EQUAL, _O.NOT_CONTAINS: _O.CONTAINS}
_TEXTS = (int(CellKind.DATE), int(CellKind.TEXT), int(CellKind.BOOLEAN))
_WHOLE = 2**63
_CHAIN = 30


class Compiler(Struct):
    """Compiles for one table and one transaction.

    In a search of experiments `own` are the values of their hyperparameters and `best` those of their best runs; in a search
    of runs both are the same.
    """

    tx: Tx
    table: Table
    own: Values
    best: Values
    needs: Needs = Needs.RUN
    """What the conditions and keys made so far need of a query on runs."""

    @property
    def id(self) -> sa.Column[Any]:
        """What is searched, by its id."""
        return runs.c.id if self.table is Table.RUNS else experiments.c.id

    def condition(self, node: Node) -> Sql:
        """A filter's tree as one condition."""
        if isinstance(node, Condition):
            return self._attribute(node) if node.column.family is Family.ATTRIBUTE else self._value(node)
        parts = [self.condition(child) for child in node.children]
        return _joined(parts, sa.and_, sa.true()) if isinstance(node, All) else _joined(parts, sa.or_, sa.false())

    def order(self, keys: Sequence[SortKey]) -> tuple[list[Any], list[Any]]:
        """What to order by, and the joins (table, condition) that this takes."""
        by: list[Any] = []
        joins: list[Any] = []
        for key in keys:
            if key.column.family is Family.ATTRIBUTE:
                attribute = self._find(key.column)
                self._need(attribute.needs)
                by += [_directed(part, key).nulls_last() for part in attribute.keys(self.tx.now)]
            else:
                owner, values = self._place(key.column)
                cells = values.of(key.column)
                joins.append((cells, sa.and_(cells.c.owner == owner, cells.c.seq == 0)))
                by += [cells.c.kind.asc().nulls_last(), _directed(cells.c.number, key), _directed(cells.c.text, key)]
        return [*by, _directed(self.id, keys[0])], joins

    def _find(self, column: Column) -> Attribute:
        known = search_columns.RUNS if self.table is Table.RUNS else search_columns.EXPERIMENTS
        return known[column.key]

    def _need(self, needs: Needs) -> None:
        if needs is not Needs.RUN:
            self.needs = Needs.ALL

    def _place(self, column: Column) -> tuple[sa.ColumnElement[Any], Values]:
        """Whose values a column's are: of the run or experiment itself, or of the experiment's best run."""
        if self.table is Table.EXPERIMENTS and column.family is not Family.HYPERPARAMETER:
            return experiments.c.best_run_id, self.best
        return self.id, self.own

    def _attribute(self, condition: Condition) -> Sql:
        attribute = self._find(condition.column)
        expression = attribute.value(self.tx.now)
        labels = condition.column.kind is Kind.LIST
        made = self._labels(condition) if labels else _plain(self.tx, condition, expression)
        if self.table is Table.EXPERIMENTS or attribute.needs is Needs.RUN:
            return made
        if attribute.needs is Needs.EXPERIMENT:
            return runs.c.experiment_id.in_(sa.select(experiments.c.id).where(made))
        self._need(attribute.needs)
        return made

    def _labels(self, condition: Condition) -> Sql:
        """Labels are compared once for each different set of them."""
        operator, wanted = condition.operator, condition.value
        column = experiments.c.labels
        if operator in (_O.IS_EMPTY, _O.NOT_EMPTY):
            return column == "[]" if operator is _O.IS_EMPTY else column != "[]"
        positive = _OPPOSITES.get(operator, operator)
        text = str(wanted)
        matching = [
            labels
            for labels in self.tx.values(sa.select(column).distinct())
            if any(
                dialect.like_matches(label, f"%{text}%") if positive is _O.CONTAINS else label == text
                for label in json.loads(labels)
            )
        ]
        return column.in_(matching) if positive is operator else column.not_in(matching)

    def _value(self, condition: Condition) -> Sql:
        column, operator = condition.column, condition.operator
        owner, values = self._place(column)
        if operator is _O.IS_EMPTY and self.table is Table.EXPERIMENTS and column.family is Family.HYPERPARAMETER:
            return sa.false()  # clients of the compatible API never found an experiment by a hyperparameter that it lacks
        cells = values.of(column)
        present = sa.select(cells.c.owner)
        if operator is _O.IS_EMPTY:
            return sa.or_(owner.is_(None), owner.not_in(present))
        if operator is _O.NOT_EMPTY:
            return owner.in_(present)
        positive = _OPPOSITES.get(operator, operator)
        matching = sa.select(cells.c.owner).where(_cell(self.tx, column.kind, positive, condition.value, cells))
        found = owner.in_(matching)
        return found if positive is operator else sa.and_(owner.in_(present), owner.not_in(matching))


def _joined(parts: list[Sql], join: Callable[..., Sql], empty: Any) -> Sql:
    """The parts joined, many in groups of groups: a chain is as deep as it is long, and databases limit the depth.

    A group is a CASE, since SQLAlchemy would draw groups of the same kind together.
    """
    while len(parts) > _CHAIN:
        groups = [join(empty, *parts[start : start + _CHAIN]) for start in range(0, len(parts), _CHAIN)]
        parts = [sa.case((group, 1), else_=0) == 1 for group in groups]
    return join(empty, *parts)


def _plain(tx: Tx, condition: Condition, expression: Any) -> Sql:
    """An attribute that has one value in each row; rows that lack it match nothing but `isEmpty`."""
    operator, value, kind = condition.operator, condition.value, condition.column.kind
    present: Sql = expression.is_not(None)
    if kind is Kind.TEXT:
        present = sa.and_(present, expression != "")
    if operator is _O.IS_EMPTY:
        return sa.not_(present)
    if operator is _O.NOT_EMPTY:
        return present
    if kind is Kind.BOOLEAN:
        holds: Sql = expression.is_(sa.true())
        return holds if (value is True) == (operator is _O.EQUAL) else sa.not_(holds)
    positive = _OPPOSITES.get(operator, operator)
    if positive is _O.CONTAINS:
        made = dialect.ilike(tx.conn, expression, f"%{value}%")
    else:
        made = _COMPARE[positive](expression, _bindable(value))
    return sa.and_(present, made if positive is operator else sa.not_(made))


def _cell(tx: Tx, kind: Kind, operator: Operator, value: Any, cells: Any) -> Sql:
    """Whether a cell of a column compares so with a value of some kind."""
    if kind in (Kind.TEXT, Kind.ANY) or (kind is Kind.LIST and isinstance(value, str)):
        return _text_cell(tx, operator, str(value), cells)
    if kind is Kind.BOOLEAN:
        return sa.and_(cells.c.kind == int(CellKind.BOOLEAN), cells.c.number == float(bool(value)))
    number = _double(value)
    if number != number:
        return sa.and_(cells.c.kind == int(CellKind.NAN), sa.true() if operator is _O.EQUAL else sa.false())
    wanted = CellKind.DATE if kind is Kind.DATE else CellKind.NUMBER
    compare = _COMPARE[_O.EQUAL if operator is _O.CONTAINS else operator]
    return sa.and_(cells.c.kind == int(wanted), compare(cells.c.number, max(-HUGE, min(HUGE, number))))


def _text_cell(tx: Tx, operator: Operator, text: str, cells: Any) -> Sql:
    """Texts are compared with texts; a text that is a number also equals that number."""
    of_text = cells.c.kind.in_(_TEXTS)
    if operator is _O.CONTAINS:
        return sa.and_(of_text, dialect.ilike(tx.conn, cells.c.text, f"%{text}%"))
    made = sa.and_(of_text, _COMPARE[operator](cells.c.text, kept(text)))
    try:
        number = float(text)
    except ValueError:
        return made
    if operator is not _O.EQUAL or number != number:
        return made
    return sa.or_(made, sa.and_(cells.c.kind == int(CellKind.NUMBER), cells.c.number == max(-HUGE, min(HUGE, number))))


def _bindable(value: Any) -> Any:
    """A number that the database takes: integers beyond 64 bits as doubles."""
    return _double(value) if isinstance(value, int) and not -_WHOLE <= value < _WHOLE else value


def _double(value: Any) -> float:
    """A number as a double; one that is too large is infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _directed(expression: Any, key: SortKey) -> Any:
    return expression.desc() if key.descending else expression.asc()
