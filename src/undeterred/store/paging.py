"""The ways lists are cut into pages (the wire calls all of them `offset` and `limit`), and the block that tells what was cut.

| | limit 0 | limit -1 | limit -2 | offset beyond the total | negative offset |
|---|---|---|---|---|---|
| `memory_page` | all | refused | refused | refused | counts from the end |
| `sql_page` | at most 100 | all | none | empty page at the end | counts from the end |
| `group_page` | refused | all | refused | empty page at the offset | counts as 0, but is shown |
| `queue_page` | 100, and says so | refused | refused | refused | counts from the end |
| `bound_page` | all | all | all | empty page at the end | counts as 0 |
"""

from undeterred.base.errors import Invalid
from undeterred.base.struct import Struct

SQL_DEFAULT = 100
GROUP_MAX = 500


class Page(Struct, frozen=True):
    """The half-open range `start:end` of a list of `total` items, and the request that led to it."""

    offset: int
    limit: int
    start: int
    end: int
    total: int


def memory_page(offset: int, limit: int, total: int) -> Page:
    """Pages of lists that are small by nature (users, workspaces, pools)."""
    if limit < 0:
        raise Invalid(f"limit must not be negative, got {limit}; 0 means all")
    start = offset + total if offset < 0 else offset
    if not 0 <= start <= total:
        raise Invalid(f"offset {offset} is outside the {total} items")
    return Page(offset, limit, start, total if limit == 0 else min(start + limit, total), total)


def sql_page(offset: int, limit: int, total: int) -> Page:
    """Pages of lists that may be long (experiments, runs, trials, templates)."""
    start = offset + total if offset < 0 else offset
    if not 0 <= start <= total:
        return Page(offset, limit, total, total, total)
    if limit == -2:
        return Page(offset, limit, start, start, total)
    if limit < 0:
        return Page(offset, limit, start, total, total)
    return Page(offset, limit, start, min(start + (limit or SQL_DEFAULT), total), total)


def group_page(offset: int, limit: int, total: int) -> Page:
    """Pages of groups and roles: the items from `max(start, 0)` on, `end - start` of them; the indexes repeat the offset."""
    if not 1 <= limit <= GROUP_MAX and limit != -1:
        raise Invalid(f"limit must be 1 to {GROUP_MAX}, or -1 for all, got {limit}")
    rest = max(total - max(offset, 0), 0)
    return Page(offset, limit, offset, offset + (rest if limit == -1 else min(limit, rest)), total)


def queue_page(offset: int, limit: int, total: int) -> Page:
    """Pages of the job queue."""
    return memory_page(offset, limit or SQL_DEFAULT, total)


def bound_page(offset: int, limit: int, total: int) -> Page:
    """Pages of what pools and workspaces are bound to; no request is out of range."""
    start = min(max(offset, 0), total)
    return Page(offset, limit, start, total if limit <= 0 else min(start + limit, total), total)
