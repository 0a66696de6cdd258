"""Pages of lists, as the wire's table says."""

import pytest

from undeterred.base.errors import Invalid
from undeterred.store.paging import group_page, memory_page, sql_page


@pytest.mark.parametrize(
    ("offset", "limit", "start", "end"),
    [(0, 0, 0, 250), (0, 10, 0, 10), (245, 10, 245, 250), (-5, 2, 245, 247), (250, 5, 250, 250)],
)
def test_small_lists(offset: int, limit: int, start: int, end: int) -> None:
    """Limit 0 is all; a negative offset counts from the end; an offset at the end is an empty page."""
    page = memory_page(offset, limit, 250)
    assert (page.start, page.end, page.total) == (start, end, 250)


@pytest.mark.parametrize(("offset", "limit"), [(251, 0), (-251, 0), (0, -1), (0, -2)])
def test_small_lists_refuse(offset: int, limit: int) -> None:
    """Outside the list, and negative limits, are the caller's mistake."""
    with pytest.raises(Invalid):
        memory_page(offset, limit, 250)


@pytest.mark.parametrize(
    ("offset", "limit", "start", "end"),
    [(0, 0, 0, 100), (0, -1, 0, 250), (0, -2, 0, 0), (300, 5, 250, 250), (-300, 5, 250, 250), (-5, 0, 245, 250)],
)
def test_long_lists(offset: int, limit: int, start: int, end: int) -> None:
    """Limit 0 is at most 100, -1 is all, -2 none; outside the list is an empty page at its end."""
    page = sql_page(offset, limit, 250)
    assert (page.start, page.end, page.total) == (start, end, 250)


@pytest.mark.parametrize(
    ("offset", "limit", "start", "end"),
    [(0, 5, 0, 5), (1, 2, 1, 3), (248, 5, 248, 250), (300, 5, 300, 300), (-1, 2, -1, 1), (0, -1, 0, 250), (240, -1, 240, 250)],
)
def test_lists_of_groups(offset: int, limit: int, start: int, end: int) -> None:
    """Indexes are counted from the offset as given, even beyond the end or negative; -1 is all."""
    page = group_page(offset, limit, 250)
    assert (page.start, page.end, page.total) == (start, end, 250)


@pytest.mark.parametrize("limit", [0, 501, -2])
def test_lists_of_groups_need_a_limit(limit: int) -> None:
    """1 to 500, or -1."""
    with pytest.raises(Invalid):
        group_page(0, limit, 250)
