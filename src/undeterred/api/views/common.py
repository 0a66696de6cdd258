"""Small conversions that every view needs."""

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

import msgspec

from undeterred.base.errors import Invalid
from undeterred.base.json import raw
from undeterred.store.paging import Page
from undeterred.wire import messages as m
from undeterred.wire.leaves import Double, Timestamp

UNSET = msgspec.UNSET
MAX_ITEMS = 10_000
"""Most ids, or other items of a list, that one request may name."""

T = TypeVar("T")


def when(micros: int | None) -> Timestamp | None:
    """A stored time, or null."""
    return None if micros is None else Timestamp(micros)


def when_set(micros: int | None) -> Timestamp | msgspec.UnsetType:
    """A stored time, or no key at all."""
    return UNSET if micros is None else Timestamp(micros)


def or_unset(value: Any) -> Any:
    """The value, or no key at all for None."""
    return UNSET if value is None else value


def given(value: T | msgspec.UnsetType) -> T | None:
    """The value of an optional field of a request, None where its key was absent."""
    return None if isinstance(value, msgspec.UnsetType) else value


def double(value: float | None) -> Double | None:
    """A stored float, or null."""
    return None if value is None else Double(value)


def free(text: str | None) -> msgspec.Raw | None:
    """Stored JSON text, copied into the answer as it is."""
    return raw(text)


def pagination(page: Page) -> m.Pagination:
    """The block that list answers carry."""
    return m.Pagination(offset=page.offset, limit=page.limit, start_index=page.start, end_index=page.end, total=page.total)


def choose(table: Mapping[Any, T], value: Any, name: str) -> T:
    """What a table says for the value of an enum field; raises Invalid for a number that is no value of it."""
    if value not in table:
        raise Invalid(f"{name}: {value} is not one of {', '.join(str(key) for key in table)}")
    return table[value]


def is_descending(order: m.OrderBy) -> bool:
    """Whether a list is wanted backwards; raises Invalid for a number that is no value of the enum."""
    return choose(
        {m.OrderBy.ORDER_BY_UNSPECIFIED: False, m.OrderBy.ORDER_BY_ASC: False, m.OrderBy.ORDER_BY_DESC: True}, order, "orderBy"
    )


def few(items: Collection[T], name: str, most: int = MAX_ITEMS) -> Collection[T]:
    """The same items of a list; raises Invalid when there are more than a request may name."""
    if len(items) > most:
        raise Invalid(f"{name}: {len(items)} are too many; at most {most} are allowed in one request")
    return items
