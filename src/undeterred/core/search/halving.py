"""Asynchronous successive halving that stops: a trial goes on while it is among the best 1/divisor of those that came as far.

Rung i of n needs `max_time / divisor**(n - 1 - i)` units of the time metric, at least one. When a validation shows that a trial
has reached its rung, its metric enters the rung's sorted list; from the place it takes there follows whether the trial goes on to
the next rung (at once, if it has reached that one as well) or is stopped. The last rung always stops. Whoever is stopped is
replaced by a new sample as long as the budget of trials lasts.
"""

from bisect import bisect_left
from collections.abc import Mapping
from typing import Any

from undeterred.base.errors import Invalid
from undeterred.base.struct import Struct
from undeterred.core.search.actions import Action, Fail, Stop
from undeterred.core.search.events import ExitReason
from undeterred.core.search.method import Book, Setup, Trial, check_start
from undeterred.core.search.metric import WORST, Metric
from undeterred.core.search.power import power

MOST_RUNGS = 1000


class Place:
    """Where a trial stands: its bracket, the rung it works towards, and what it has entered so far."""

    __slots__ = ("bracket", "entries", "rung")

    def __init__(self, bracket: int, rung: int = 0, entries: tuple[float, ...] = ()) -> None:
        self.bracket = bracket
        self.rung = rung
        self.entries = entries

    def dump(self) -> list[Any]:
        """As JSON data."""
        return [self.bracket, self.rung, list(self.entries)]


class Shape(Struct, frozen=True):
    """The numbers of one bracket; `at_once` 0 means divisor**(rungs - 1) trials, at most `max_trials`."""

    rungs: int
    max_trials: int
    divisor: float
    max_time: int
    at_once: int

    def units(self, rung: int) -> int:
        """Units of the time metric that a rung needs."""
        return max(1, int(self.max_time / power(self.divisor, self.rungs - 1 - rung)))

    def first(self) -> int:
        """Trials at the start."""
        if self.at_once > 0:
            return min(self.at_once, self.max_trials)
        return max(1, int(min(power(self.divisor, self.rungs - 1), self.max_trials)))


class Halving:
    """One bracket of asynchronous halving."""

    name = "async_halving"

    def __init__(self, book: Book, shape: Shape, metric: Metric, bracket: int = 0) -> None:
        self._book = book
        self._shape = shape
        self._metric = metric
        self._bracket = bracket
        self._units = [shape.units(rung) for rung in range(shape.rungs)]
        self._rungs: list[list[float]] = [[] for _ in range(shape.rungs)]
        self._known = 0
        self._invalid = 0

    def initial(self) -> list[Action]:
        """The first trials."""
        return [self._draw("one of the first trials") for _ in range(self._shape.first())]

    def validated(self, trial: Trial, metrics: Mapping[str, Any]) -> list[Action]:
        """Climb the rungs that the trial has reached; stop it where it falls behind, and draw another."""
        try:
            value, time = self._metric.read(metrics)
        except Invalid as problem:
            trial.faulted = True
            return [Fail(trial.request_id, str(problem), "the report cannot be ranked")]
        self._book.advance(trial, time / self._shape.max_time)
        stop = self._climb(trial, value, time)
        if stop is None:
            return []
        return [stop, *self._refill(trial, "takes the place of a stopped trial")]

    def exited_early(self, trial: Trial, reason: ExitReason) -> list[Action]:
        """A failed trial ranks worst in its rung, an invalid sample is taken out of all rungs; both are replaced."""
        place: Place = trial.place
        if reason is ExitReason.INVALID_HP:
            self._invalid += 1
            self._withdraw(place)
            if not self._book.may_replace():
                self._book.note(trial.request_id, "too many invalid samples in a row: no replacement")
                return []
            return self._refill(trial, "replaces an invalid sample")
        self._enter(place, WORST)
        return self._refill(trial, "takes the place of a trial that ended early")

    def exited(self, trial: Trial) -> list[Action]:
        """A trial that ended by itself is not replaced."""
        return []

    def share(self) -> int:
        """The mean over the budget, trials to come included."""
        return self._book.progress // self._shape.max_trials

    def slim(self, metrics: Mapping[str, Any]) -> dict[str, Any]:
        """The searcher metric and the time metric."""
        return {name: metrics[name] for name in (self._metric.name, self._metric.time_name) if name in metrics}

    def dump(self) -> dict[str, Any]:
        """Rungs and counts."""
        return {"rungs": [list(rung) for rung in self._rungs], "known": self._known, "invalid": self._invalid}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over what `dump` gave."""
        self._rungs = [[float(entry) for entry in rung] for rung in state["rungs"]]
        self._known, self._invalid = state["known"], state["invalid"]

    def load_place(self, state: list[Any]) -> Place:
        """A trial's place from its dump."""
        bracket, rung, entries = state
        return Place(bracket, rung, tuple(float(entry) for entry in entries))

    def _climb(self, trial: Trial, value: float, time: int) -> Stop | None:
        """Enter every rung reached, until one stops the trial or is not reached."""
        place: Place = trial.place
        while time >= self._units[place.rung]:
            rung = place.rung
            rank = self._enter(place, value)
            size = len(self._rungs[rung])
            keep = max(1, int(size / self._shape.divisor))
            facts = self._facts(rung, value, time) | {"rank": rank + 1, "of": size, "keep": keep, "quantile": (rank + 1) / size}
            text = f"rung {rung + 1} of {self._shape.rungs} ({self._units[rung]} units): rank {rank + 1} of {size}"
            if rung == self._shape.rungs - 1:
                return Stop(trial.request_id, f"{text}; the last rung is the end", facts)
            if rank >= keep:
                return Stop(trial.request_id, f"{text}, not among the best {keep}", facts)
            self._book.note(trial.request_id, f"{text}, among the best {keep}: goes on", **facts)
            place.rung = rung + 1
        needed = self._units[place.rung]
        self._book.note(
            trial.request_id, f"{time} of the {needed} units of rung {place.rung + 1}", **self._facts(place.rung, value, time)
        )
        return None

    def _facts(self, rung: int, value: float, time: int) -> dict[str, Any]:
        return {"bracket": self._bracket, "rung": rung, "units": self._units[rung], "time": time, "value": value}

    def _enter(self, place: Place, value: float) -> int:
        """Put a value into the trial's rung, in front of equal ones; its index there."""
        rung = self._rungs[place.rung]
        rank = bisect_left(rung, value)
        rung.insert(rank, value)
        place.entries = (*place.entries, value)
        return rank

    def _withdraw(self, place: Place) -> None:
        """Take all that a trial entered out again."""
        for rung, value in zip(self._rungs, place.entries, strict=False):
            del rung[bisect_left(rung, value)]
        place.entries = ()

    def _refill(self, trial: Trial, why: str) -> list[Action]:
        """A new sample, as long as the budget lasts."""
        if self._known - self._invalid < self._shape.max_trials:
            return [self._draw(why, trial.request_id)]
        self._book.note(trial.request_id, f"all {self._shape.max_trials} trials of the bracket have been drawn")
        return []

    def _draw(self, why: str, replaces: str | None = None) -> Action:
        self._known += 1
        count = self._known - self._invalid
        reason = f"sample {count} of {self._shape.max_trials} of a bracket of {self._shape.rungs} rungs: {why}"
        facts = {"bracket": self._bracket, "sample": count, "of": self._shape.max_trials}
        create = self._book.create(reason, facts, replaces=replaces)
        self._book.trials[create.request_id].place = Place(self._bracket)
        return create


def metric_of(searcher: Mapping[str, Any]) -> Metric:
    """The metric section that both halving searches share; raises Invalid when the time is not given."""
    if searcher.get("max_time") is None or not searcher.get("time_metric"):
        raise Invalid(f"a search {searcher['name']} needs both `max_time` and `time_metric`")
    return Metric(searcher["metric"], bool(searcher.get("smaller_is_better", True)), searcher["time_metric"])


def halving_search(setup: Setup) -> Halving:
    """The strategy of `searcher.name: async_halving`."""
    searcher = setup.searcher
    metric = metric_of(searcher)
    rungs = int(searcher["num_rungs"])
    if not 1 <= rungs <= MOST_RUNGS:
        raise Invalid(f"`num_rungs` is a number from 1 to {MOST_RUNGS}, not {rungs}")
    shape = Shape(
        rungs=rungs,
        max_trials=int(searcher["max_trials"]),
        divisor=float(searcher.get("divisor", 4)),
        max_time=int(searcher["max_time"]),
        at_once=int(searcher.get("max_concurrent_trials", 16)),
    )
    check_start(shape.first())
    return Halving(setup.book, shape, metric)
