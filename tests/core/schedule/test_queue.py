"""The order of the queue."""

from decimal import Decimal

from undeterred.core.schedule import Group, Request, group_ranks, ordered


def test_order_of_jobs() -> None:
    """Priority first (1 before 99), then position, then submission, then id."""
    groups = [
        Group("e", 42, Decimal("1.5"), 0),
        Group("a", 50, 0, 0),
        Group("b", 42, 2, 0),
        Group("d", 42, 1, 9),
        Group("c", 42, 1, 3),
        Group("f", 42, 1, 9),
        Group("g", 1, 99, 99),
    ]
    assert list(group_ranks(groups)) == ["g", "c", "d", "f", "e", "b", "a"]


def test_order_of_requests() -> None:
    """By job, then by time of the request, then by id."""
    requests = [Request("z", "a", 1, 5), Request("y", "b", 1, 0), Request("x", "a", 1, 7), Request("w", "a", 1, 7)]
    assert [one.allocation_id for one in ordered(requests, {"a": 0, "b": 1})] == ["z", "w", "x", "y"]
