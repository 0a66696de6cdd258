"""The filter of a search: JSON text of nested groups and fields, parsed and checked into a tree that knows no SQL.

`{"filterGroup": {"kind": "group", "conjunction": "and"|"or", "children": [...]}, "showArchived": false}`; a field child is
`{"kind": "field", "columnName", "location", "type", "operator", "value"}`.

What the operators mean, for whoever compiles the tree:
- text compares byte by byte; `contains` finds a part, ignoring case, in which `%` and `_` are wildcards;
- a list (tags, a metadata array) contains what one of its members contains, and is equal to what one of its members is;
- a missing value satisfies `isEmpty` and nothing else, neither `!=` nor `notContains`; an empty text or list is missing, too,
  except that an empty list of tags satisfies `!=` and `notContains`.
"""

import datetime as dt
import enum
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from undeterred.base import json
from undeterred.base.errors import Invalid
from undeterred.base.struct import Struct, replace
from undeterred.core.filters.columns import ATTRIBUTES, Column, Family, Kind, Table, resolve
from undeterred.core.metrics.checks import number

MAX_TEXT = 1_000_000
MAX_DEPTH = 50
MAX_FIELDS = 1_000

Value = str | int | float | bool | None


class Operator(enum.StrEnum):
    """How a field compares; the values are the words of the API."""

    EQUAL = "="
    NOT_EQUAL = "!="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    CONTAINS = "contains"
    NOT_CONTAINS = "notContains"
    IS_EMPTY = "isEmpty"
    NOT_EMPTY = "notEmpty"


_O = Operator
_EMPTINESS = frozenset({_O.IS_EMPTY, _O.NOT_EMPTY})
_EQUALITY = frozenset({_O.EQUAL, _O.NOT_EQUAL})
_CONTAINING = frozenset({_O.CONTAINS, _O.NOT_CONTAINS})
_ORDER = frozenset({_O.LESS, _O.LESS_OR_EQUAL, _O.GREATER, _O.GREATER_OR_EQUAL})

OPERATORS: dict[Kind, frozenset[Operator]] = {
    Kind.TEXT: _EQUALITY | _ORDER | _CONTAINING | _EMPTINESS,
    Kind.NUMBER: _EQUALITY | _ORDER | _EMPTINESS,
    Kind.DATE: _EQUALITY | _ORDER | _EMPTINESS,
    Kind.BOOLEAN: _EQUALITY | _EMPTINESS,
    Kind.LIST: _EQUALITY | _CONTAINING | _EMPTINESS,
    Kind.ANY: _EQUALITY | _ORDER | _CONTAINING | _EMPTINESS,
}
"""Kind of column -> operators that make sense for it."""


class Condition(Struct, frozen=True):
    """A column compared with a value: text, number, microseconds (dates) or truth value by the column's kind."""

    column: Column
    operator: Operator
    value: Value = None


class All(Struct, frozen=True):
    """Every child holds; without children, always."""

    children: "tuple[Node, ...]" = ()


class Some(Struct, frozen=True):
    """At least one child holds; there are always two or more."""

    children: "tuple[Node, ...]"


Node = Condition | All | Some


class Filter(Struct, frozen=True):
    """A parsed filter; archived rows are left out unless `show_archived`."""

    root: Node
    show_archived: bool


EVERYTHING = Filter(All(), show_archived=True)
"""What a search without any filter shows."""


def parse(table: Table, text: str | None) -> Filter:
    """The filter in `text`; None is no filter. Raises Invalid saying what is wrong and what is allowed."""
    if text is None:
        return EVERYTHING
    if len(text) > MAX_TEXT:
        raise Invalid(f"filter: longer than {MAX_TEXT} characters")
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"filter: not valid JSON: {error}") from None
    if not isinstance(given, dict):
        raise Invalid("filter: must be an object with filterGroup and showArchived")
    show_archived = given.get("showArchived")
    if show_archived is not None and not isinstance(show_archived, bool):
        raise Invalid("filter: showArchived must be true or false")
    group = given.get("filterGroup")
    root = None if group is None else _Parser(table).node(group, 0)
    return Filter(root or All(), show_archived=bool(show_archived))


def conditions(node: Node) -> Iterator[Condition]:
    """All conditions of a tree, from left to right."""
    if isinstance(node, Condition):
        yield node
    else:
        for child in node.children:
            yield from conditions(child)


class _Parser:
    """Walks one filter, counting its fields."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.fields = 0

    def node(self, given: Any, depth: int) -> Node | None:
        """A group or field; None for a group that says nothing."""
        if not isinstance(given, dict):
            raise Invalid("filter: groups and fields must be objects")
        if depth > MAX_DEPTH:
            raise Invalid(f"filter: groups are nested more than {MAX_DEPTH} deep")
        kind = given.get("kind") or ("field" if "columnName" in given else "group")
        if kind == "group":
            return self.group(given, depth)
        if kind == "field":
            self.fields += 1
            if self.fields > MAX_FIELDS:
                raise Invalid(f"filter: more than {MAX_FIELDS} fields")
            return _condition(self.table, given)
        raise Invalid(f"filter: kind must be group or field, not {str(kind)[:64]!r}")

    def group(self, given: Mapping[str, Any], depth: int) -> Node | None:
        """A group; empty groups vanish and a group of one is that one."""
        conjunction = given.get("conjunction") or "and"
        if conjunction not in ("and", "or"):
            raise Invalid(f"filter: conjunction must be and or or, not {str(conjunction)[:64]!r}")
        children = given.get("children") or []
        if not isinstance(children, list):
            raise Invalid("filter: children must be a list")
        nodes = tuple(node for child in children if (node := self.node(child, depth + 1)) is not None)
        if len(nodes) < 2:
            return nodes[0] if nodes else None
        return All(nodes) if conjunction == "and" else Some(nodes)


def _condition(table: Table, given: Mapping[str, Any]) -> Condition:
    name, location = given.get("columnName"), given.get("location")
    if not isinstance(name, str) or not isinstance(location, str | None):
        raise Invalid("filter: a field needs columnName and location, both text")
    try:
        column = resolve(table, name, location)
    except Invalid as error:
        raise Invalid(f"filter: {error}") from None
    column = replace(column, kind=_kind(column, given.get("type"), given.get("value")))
    operator = _operator(table, column, given.get("operator"))
    return Condition(column, operator, None if operator in _EMPTINESS else _value(column, given.get("value")))


_DECLARED = {
    "COLUMN_TYPE_TEXT": Kind.TEXT,
    "COLUMN_TYPE_NUMBER": Kind.NUMBER,
    "COLUMN_TYPE_DATE": Kind.DATE,
    "COLUMN_TYPE_ARRAY": Kind.LIST,
    "COLUMN_TYPE_UNSPECIFIED": Kind.ANY,
}


def _kind(column: Column, declared: Any, value: Any) -> Kind:
    """What is compared: what the column fixes, else what the filter declares, else what the value is."""
    if declared is not None and not (isinstance(declared, str) and declared in _DECLARED):
        raise Invalid(f"filter: unknown type {str(declared)[:64]!r}; types are {', '.join(_DECLARED)}")
    if column.kind is Kind.BOOLEAN and declared not in (None, "COLUMN_TYPE_UNSPECIFIED"):
        raise Invalid(f"filter: the type of {column.name!r} is COLUMN_TYPE_UNSPECIFIED, not {declared}")
    kind = column.kind if column.kind is not Kind.ANY else _DECLARED[declared or "COLUMN_TYPE_UNSPECIFIED"]
    if kind is not Kind.ANY or value is None:
        return kind
    return Kind.BOOLEAN if isinstance(value, bool) else Kind.NUMBER if isinstance(value, int | float) else Kind.TEXT


def _operator(table: Table, column: Column, word: Any) -> Operator:
    try:
        operator = Operator(word)
    except ValueError:
        raise Invalid(f"filter: unknown operator {str(word)[:64]!r}; operators are {', '.join(Operator)}") from None
    usable = OPERATORS[column.kind]
    if column.family is Family.ATTRIBUTE and not ATTRIBUTES[table][column.name].empty:
        usable = usable - _EMPTINESS
    if operator not in usable:
        words = ", ".join(sorted(usable))
        raise Invalid(f"filter: operator {operator} does not apply to {column.name!r}; those that do are {words}")
    return operator


def _value(column: Column, given: Any) -> Value:
    """The value in the form the column's kind asks for."""
    value = _READERS[column.kind](given)
    if value is None:
        raise Invalid(f"filter: {column.name!r} must be compared with {_WANTED[column.kind]}, not {str(given)[:64]!r}")
    return value


def _text(given: Any) -> str | None:
    return given if isinstance(given, str) else None


def _truth(given: Any) -> bool | None:
    return given if isinstance(given, bool) else None


def _number(given: Any) -> float | int | None:
    """A number; a text of one is taken, too, as databases take it."""
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    if isinstance(given, str) and number(given) is None:
        try:
            return float(given)
        except ValueError:
            return None
    return number(given)


def _member(given: Any) -> str | float | int | None:
    return given if isinstance(given, str) else _number(given)


def _date(given: Any) -> int | None:
    """Microseconds of a time; one without a zone is UTC, a day is its first moment."""
    try:
        moment = dt.datetime.fromisoformat(given)
    except (ValueError, TypeError):
        return None
    return (moment.replace(tzinfo=moment.tzinfo or dt.UTC) - _EPOCH) // dt.timedelta(microseconds=1)


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

_READERS: dict[Kind, Callable[[Any], Value]] = {
    Kind.TEXT: _text,
    Kind.LIST: _member,
    Kind.NUMBER: _number,
    Kind.DATE: _date,
    Kind.BOOLEAN: _truth,
    Kind.ANY: _text,
}

_WANTED = {
    Kind.TEXT: "a text",
    Kind.LIST: "a text or number",
    Kind.NUMBER: "a number",
    Kind.DATE: "a time such as 2020-01-31T12:00:00Z",
    Kind.BOOLEAN: "true or false",
    Kind.ANY: "a text, a number, or true or false",
}
