"""Sort orders of searches: `column=asc,other=desc`.

Rows without a value come last in both directions; rows that are equal in all keys go by id in the direction of the first key.
"""

from undeterred.base.errors import Invalid
from undeterred.base.struct import Struct
from undeterred.core.filters.columns import ATTRIBUTES, Column, Family, Table, resolve

MAX_KEYS = 20


class SortKey(Struct, frozen=True):
    """One column of a sort order. `user` sorts by the user's name, `state` by the order in which states follow each other."""

    column: Column
    descending: bool


def parse_sort(table: Table, text: str | None) -> tuple[SortKey, ...]:
    """The keys of a sort order, the first being the strongest; None is by ascending id. Raises Invalid."""
    if text is None:
        return (SortKey(resolve(table, "id"), descending=False),)
    parts = text.split(",")
    if len(parts) > MAX_KEYS:
        raise Invalid(f"sort: more than {MAX_KEYS} columns")
    return tuple(_key(table, part) for part in parts)


def _key(table: Table, part: str) -> SortKey:
    name, separator, direction = part.strip().rpartition("=")
    if not separator or direction not in ("asc", "desc"):
        raise Invalid(f"sort: {part[:100]!r} must be a column, then =asc or =desc")
    try:
        column = resolve(table, name)
    except Invalid as error:
        raise Invalid(f"sort: {error}") from None
    if column.family is Family.ATTRIBUTE and not ATTRIBUTES[table][name].sortable:
        raise Invalid(f"sort: {table.value} cannot be sorted by {name!r}")
    return SortKey(column, direction == "desc")
