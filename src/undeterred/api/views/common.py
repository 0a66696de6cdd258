"""Small conversions that every view needs."""

from typing import Any

import msgspec

from undeterred.base.json import raw
from undeterred.store.paging import Page
from undeterred.wire import messages as m
from undeterred.wire.leaves import Double, Timestamp

UNSET = msgspec.UNSET


def when(micros: int | None) -> Timestamp | None:
    """A stored time, or null."""
    return None if micros is None else Timestamp(micros)


def when_set(micros: int | None) -> Timestamp | msgspec.UnsetType:
    """A stored time, or no key at all."""
    return UNSET if micros is None else Timestamp(micros)


def or_unset(value: Any) -> Any:
    """The value, or no key at all for None."""
    return UNSET if value is None else value


def double(value: float | None) -> Double | None:
    """A stored float, or null."""
    return None if value is None else Double(value)


def free(text: str | None) -> msgspec.Raw | None:
    """Stored JSON text, copied into the answer as it is."""
    return raw(text)


def pagination(page: Page) -> m.Pagination:
    """The block that list answers carry."""
    return m.Pagination(offset=page.offset, limit=page.limit, start_index=page.start, end_index=page.end, total=page.total)
