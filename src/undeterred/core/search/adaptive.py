"""Adaptive asynchronous halving: several brackets side by side, from early and sharp stopping to late and mild.

Each bracket is an asynchronous halving of its own number of rungs with its share of the trials and of the concurrency. The
bracket with the most rungs comes first.
"""

import math
from collections.abc import Mapping
from typing import Any

from undeterred.base.errors import Invalid
from undeterred.core.search.actions import Action
from undeterred.core.search.events import ExitReason
from undeterred.core.search.halving import MOST_RUNGS, Halving, Metric, Place, Shape, metric_of
from undeterred.core.search.method import Book, Setup, Trial, check_start
from undeterred.core.search.power import power


class Adaptive:
    """The brackets of one search; every trial belongs to the bracket that drew it."""

    name = "adaptive_asha"

    def __init__(self, book: Book, shapes: list[Shape], metric: Metric) -> None:
        self._brackets = [Halving(book, shape, metric, number) for number, shape in enumerate(shapes)]
        self._book = book
        self._budget = sum(shape.max_trials for shape in shapes)

    def initial(self) -> list[Action]:
        """The first trials of every bracket, in order."""
        return [action for bracket in self._brackets for action in bracket.initial()]

    def validated(self, trial: Trial, metrics: Mapping[str, Any]) -> list[Action]:
        """The trial's bracket decides."""
        return self._bracket(trial).validated(trial, metrics)

    def exited_early(self, trial: Trial, reason: ExitReason) -> list[Action]:
        """The trial's bracket decides."""
        return self._bracket(trial).exited_early(trial, reason)

    def exited(self, trial: Trial) -> list[Action]:
        """The trial's bracket decides."""
        return self._bracket(trial).exited(trial)

    def share(self) -> int:
        """The mean over the budgets of all brackets, trials to come included."""
        return self._book.progress // self._budget

    def slim(self, metrics: Mapping[str, Any]) -> dict[str, Any]:
        """The searcher metric and the time metric."""
        return self._brackets[0].slim(metrics)

    def dump(self) -> list[dict[str, Any]]:
        """The state of each bracket."""
        return [bracket.dump() for bracket in self._brackets]

    def load(self, state: list[dict[str, Any]]) -> None:
        """Take over what `dump` gave."""
        for bracket, inner in zip(self._brackets, state, strict=True):
            bracket.load(inner)

    def load_place(self, state: list[Any]) -> Place:
        """A trial's place from its dump."""
        return self._brackets[0].load_place(state)

    def _bracket(self, trial: Trial) -> Halving:
        place: Place = trial.place
        return self._brackets[place.bracket]


def bracket_rungs(searcher: Mapping[str, Any]) -> list[int]:
    """The number of rungs of each bracket, most first: as given, else by mode, capped by the time and the trials there are."""
    given = searcher.get("bracket_rungs")
    if given:
        if not all(1 <= int(rungs) <= MOST_RUNGS for rungs in given):
            raise Invalid(f"each of `bracket_rungs` is a number from 1 to {MOST_RUNGS}, not {list(given)}")
        return sorted((int(rungs) for rungs in given), reverse=True)
    divisor = float(searcher.get("divisor", 4))
    top = min(int(searcher.get("max_rungs", 5)), *(_log_cap(searcher[key], divisor) for key in ("max_time", "max_trials")))
    mode = searcher.get("mode", "standard")
    lowest = {"aggressive": top, "standard": (top - 1) // 2 + 1, "conservative": 1}.get(mode)
    if lowest is None:
        raise Invalid(f"the mode of an adaptive_asha search is aggressive, standard or conservative, not {mode!r}")
    return list(range(top, lowest - 1, -1))


def _log_cap(number: float, divisor: float) -> int:
    return int(math.log(number) / math.log(divisor)) + 1


def shapes_of(searcher: Mapping[str, Any]) -> list[Shape]:
    """The brackets of a resolved searcher section, most rungs first."""
    rungs = bracket_rungs(searcher)
    divisor = float(searcher.get("divisor", 4))
    trials = _split_trials(int(searcher["max_trials"]), divisor, rungs)
    at_once = _split_concurrency(int(searcher.get("max_concurrent_trials", 16)), divisor, trials)
    numbers = zip(rungs, trials, at_once, strict=True)
    return [Shape(count, budget, divisor, int(searcher["max_time"]), start) for count, budget, start in numbers]


def _split_trials(max_trials: int, divisor: float, rungs: list[int]) -> list[int]:
    """Trials per bracket, so that each bracket spends about the same time; what is left over goes to the first."""
    weights = [min(power(divisor, count - 1) / count, 1e300) for count in rungs]
    total = sum(weights)
    trials = [max(1, int(max_trials * weight / total)) for weight in weights]
    trials[0] += max(0, max_trials - sum(trials))
    return trials


def _split_concurrency(at_once: int, divisor: float, trials: list[int]) -> list[int]:
    """Concurrent trials per bracket: evenly, the first ones get what is left over; 0 leaves it to the last bracket's size."""
    if at_once <= 0:
        return [max(trials[-1], int(divisor))] * len(trials)
    share, rest = divmod(max(at_once, len(trials)), len(trials))
    return [share + (number < rest) for number in range(len(trials))]


def adaptive_search(setup: Setup) -> Adaptive:
    """The strategy of `searcher.name: adaptive_asha`."""
    metric, shapes = metric_of(setup.searcher), shapes_of(setup.searcher)
    check_start(sum(shape.first() for shape in shapes))
    return Adaptive(setup.book, shapes, metric)
