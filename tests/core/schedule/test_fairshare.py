"""Fair shares."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.schedule.helpers import agents, settle, starts
from undeterred.core.schedule import Group, Request, Running, Snapshot, plan
from undeterred.core.schedule.fairshare import fill


@given(st.lists(st.tuples(st.integers(0, 12), st.sampled_from([0.5, 1.0, 2.0, 3.0])), max_size=6), st.integers(0, 40))
def test_shares(jobs: list[tuple[int, float]], capacity: int) -> None:
    """No slot is left while someone wants it, nobody gets more than wanted, nobody could get one more without passing another."""
    names = [f"g{number}" for number in range(len(jobs))]
    demands = dict(zip(names, (demand for demand, _ in jobs), strict=True))
    weights = dict(zip(names, (weight for _, weight in jobs), strict=True))
    shares = fill(demands, weights, {name: number for number, name in enumerate(names)}, capacity)
    assert sum(shares.values()) == min(capacity, sum(demands.values()))
    assert all(shares[name] <= demands[name] for name in names)
    for poor in names:
        for rich in names:
            if shares[poor] < demands[poor] and shares[rich]:
                assert shares[poor] / weights[poor] >= (shares[rich] - 1) / weights[rich]


def shared(weights: tuple[float, ...], wanted: tuple[tuple[int, ...], ...], size: int, **more: Any) -> Snapshot:
    """Jobs with weights, each with requests of so many slots, on one agent."""
    groups = tuple(Group(f"g{number}", position=number, submitted=number, weight=weight) for number, weight in enumerate(weights))
    waiting = tuple(
        Request(f"g{number}.{index}", f"g{number}", slots, index)
        for number, ones in enumerate(wanted)
        for index, slots in enumerate(ones)
    )
    return Snapshot(agents(size), groups, waiting, scheduler="fair_share", **more)


@pytest.mark.parametrize(
    ("weights", "wanted", "begun"),
    [
        ((1, 1), ((1,) * 8, (1,) * 8), (4, 4)),
        ((1, 3), ((1,) * 8, (1,) * 8), (2, 6)),
        ((1, 1), ((1,) * 8, (1,)), (7, 1)),
        ((1, 1), ((8,), (1,)), (0, 1)),
        ((1, 1), ((8,), (8,)), (1, 0)),
    ],
)
def test_starts_within_shares(weights: tuple[float, ...], wanted: tuple[tuple[int, ...], ...], begun: tuple[int, ...]) -> None:
    """Eight slots are shared by weight; a job that could start nothing with its share leaves it to the others."""
    got = [one.split(".")[0] for one in starts(plan(shared(weights, wanted, 8)))]
    assert tuple(got.count(f"g{number}") for number in range(len(weights))) == begun


def test_jobs_over_their_share_give_back() -> None:
    """A job that holds everything gives its newest allocations back when a second one comes, down to its share."""
    alone = settle(shared((1, 1), ((1,) * 4, ()), 4))
    both = Snapshot(
        alone.agents, alone.groups, (Request("new", "g1", 1), Request("newer", "g1", 1, 1)), alone.running, "fair_share"
    )
    decided = plan(both)
    assert decided.preempt == ("g0.3", "g0.2")
    assert decided.because["g0.3"] == "the fair share of its job is 2 slots and it uses more"
    assert set(decided.waiting) == {"new", "newer"}


def test_reason() -> None:
    """Who waits for a share is told its size."""
    decided = plan(shared((1, 1), ((1,) * 3, (1,) * 3), 4))
    assert decided.waiting["g0.2"] == "the fair share of its job is 2 slots, 2 are in use, and it needs 1"


def test_limit_caps_the_share() -> None:
    """A job with `max_slots` gets at most that, the rest goes to the others."""
    snapshot = shared((1, 1), ((1,) * 8, (1,) * 8), 8)
    limited = Snapshot(
        snapshot.agents, (Group("g0", max_slots=1), *snapshot.groups[1:]), snapshot.waiting, scheduler="fair_share"
    )
    got = [one.split(".")[0] for one in starts(plan(limited))]
    assert (got.count("g0"), got.count("g1")) == (1, 7)


def test_work_that_cannot_be_stopped_stays() -> None:
    """Over its share, a job keeps what cannot be stopped."""
    groups = (Group("a"), Group("b", position=1))
    running = (Running(Request("ra", "a", 2, preemptible=False), (("a0", (0, 1)),)),)
    assert plan(Snapshot(agents(2), groups, (Request("rb", "b", 1),), running, "fair_share")).preempt == ()


def test_slots_given_back_count_for_the_next() -> None:
    """A job whose gang goes beyond its share gives it back, and a smaller request of the same job then fits its share."""
    groups = (Group("a"), Group("b", position=1))
    running = (Running(Request("gang", "a", 3), (("a0", (0,)), ("a1", (0, 1)))),)
    waiting = (Request("small", "a", 1, 1), Request("other", "b", 1))
    decided = plan(Snapshot(agents(1, 2), groups, waiting, running, "fair_share"))
    assert decided.preempt == ("gang",)
    assert [reason[:18] for reason in decided.waiting.values()] == ["its slots are kept"] * 2


def test_limit_counts_what_is_being_released() -> None:
    """While an allocation is on its way out, its slots still count for `max_slots`."""
    running = (Running(Request("old", "a", 1), (("a0", (0,)),), releasing=True),)
    waiting = tuple(Request(f"w{number}", "a", 1, number) for number in range(2))
    decided = plan(Snapshot(agents(4), (Group("a", max_slots=2),), waiting, running, "fair_share"))
    assert list(starts(decided)) == ["w0"]
    assert "max_slots" in decided.waiting["w1"]
