"""Adaptive halving: brackets, and what it costs."""

from random import Random
from typing import Any

import pytest

from tests.core.search.helpers import config, created, stopped, verdicts
from undeterred.base.errors import Invalid
from undeterred.core.search import TrialExited, ValidationCompleted, method_for
from undeterred.core.search.adaptive import bracket_rungs, shapes_of


def searcher(**more: Any) -> dict[str, Any]:
    """A resolved searcher section."""
    section: dict[str, Any] = config("adaptive_asha", **more)["searcher"]
    return section


@pytest.mark.parametrize(
    ("trials", "time", "shapes"),
    [
        (16, 64, [(3, 12, 8, [4, 16, 64]), (2, 4, 8, [16, 64])]),
        (100, 900, [(4, 70, 6, [14, 56, 225, 900]), (3, 22, 5, [56, 225, 900]), (2, 8, 5, [225, 900])]),
        (500, 1000, [(5, 354, 6, [3, 15, 62, 250, 1000]), (4, 110, 5, [15, 62, 250, 1000]), (3, 36, 5, [62, 250, 1000])]),
    ],
)
def test_known_brackets(trials: int, time: int, shapes: Any) -> None:
    """Rungs, trials, concurrency and units of published examples."""
    got = shapes_of(searcher(max_trials=trials, max_time=time))
    assert [(one.rungs, one.max_trials, one.at_once, [one.units(rung) for rung in range(one.rungs)]) for one in got] == shapes


@pytest.mark.parametrize(
    ("more", "rungs"),
    [
        ({"mode": "aggressive"}, [5]),
        ({"mode": "standard"}, [5, 4, 3]),
        ({"mode": "conservative"}, [5, 4, 3, 2, 1]),
        ({"bracket_rungs": [2, 7, 2]}, [7, 2, 2]),
        ({"max_rungs": 2}, [2, 1]),
        ({"max_trials": 3}, [1]),
        ({"max_time": 1000, "divisor": 10, "max_trials": 10**6}, [3, 2]),
    ],
)
def test_rungs_of_brackets(more: dict[str, Any], rungs: list[int]) -> None:
    """By mode or as given, most rungs first, capped by time and trials (with the rounding of float logarithms)."""
    assert bracket_rungs(searcher(**({"max_trials": 1000, "max_time": 1000} | more))) == rungs


@pytest.mark.parametrize(("at_once", "split"), [(16, [6, 5, 5]), (2, [1, 1, 1]), (0, [8, 8, 8]), (5, [2, 2, 1])])
def test_concurrency(at_once: int, split: list[int]) -> None:
    """The limit is split evenly, at least one per bracket; without one the last bracket's size counts."""
    got = shapes_of(searcher(max_trials=100, max_time=900, max_concurrent_trials=at_once))
    assert [one.at_once for one in got] == split


def test_every_bracket_has_a_trial() -> None:
    """With fewer trials than brackets each bracket still gets one."""
    got = shapes_of(searcher(max_trials=2, max_time=64, bracket_rungs=[3, 2, 1]))
    assert [one.max_trials for one in got] == [1, 1, 1]


@pytest.mark.parametrize(
    ("more", "words"), [({"mode": "bold"}, "'bold'"), ({"bracket_rungs": [0]}, "bracket_rungs"), ({"max_time": None}, "max_time")]
)
def test_refused(more: dict[str, Any], words: str) -> None:
    """Wrong sections are refused with the field in question."""
    with pytest.raises(Invalid, match=words):
        method_for(config("adaptive_asha", **({"max_trials": 9, "max_time": 9} | more)))


def units_spent(seed: int) -> int:
    """Units trained by 100 trials of at most 900, 16 at a time, validating every 10, of random quality; stops work at once."""
    search = method_for(config("adaptive_asha", {}, seed, max_trials=100, max_time=900))
    dice, quality = Random(seed), dict[str, float]()
    alive = dict.fromkeys(created(search.initial()), 0)
    spent = 0
    while alive:
        assert len(alive) <= 16
        for one in list(alive):
            quality.setdefault(one, dice.random())
            alive[one] += 10
            spent += 10
            actions = search.apply(ValidationCompleted(one, {"loss": quality[one], "time": alive[one]}))
            for gone in stopped(actions):
                del alive[gone]
                ends = search.apply(TrialExited(gone))
            alive |= dict.fromkeys(created(actions), 0)
    assert len(quality) == 100
    assert verdicts(ends) == [(False, False)]
    return spent


def test_working_stops_save_most_of_the_cost() -> None:
    """With stops that work, a typical search spends at most 15,000 of the 90,000 units of full training, 16 trials at a time.

    The cost depends on which trials happen to come first; the median over seeds is what is typical.
    """
    assert sorted(units_spent(seed) for seed in range(21))[10] <= 15_000
