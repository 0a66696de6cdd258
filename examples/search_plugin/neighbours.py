"""A search method of one's own, in one file: random samples first, then neighbours of the best trial so far.

    searcher: {name: neighbours, metric: validation_loss, max_trials: 20, first: 8, reach: 0.2}

A factory gets the `searcher` section and a book in which to create trials. All chance comes from the book's stream and
everything that decides is kept in `dump`, so a search goes on exactly after a crash of the server, and its log can be replayed.
"""

import math
from collections.abc import Mapping
from typing import Any

from undeterred.base.errors import Invalid
from undeterred.core.search import Action, Book, Setup, Trial
from undeterred.core.search.metric import WORST, rank_value
from undeterred.core.search.random import RandomSearch
from undeterred.core.search.space import sample


class Neighbours(RandomSearch):
    """A random search that, once `first` trials are drawn, looks around the best one within `reach` of each range."""

    def __init__(self, book: Book, searcher: Mapping[str, Any]) -> None:
        super().__init__(book, int(searcher["max_trials"]), int(searcher.get("max_concurrent_trials", 2)), name="neighbours")
        self._metric = str(searcher["metric"])
        self._smaller = bool(searcher.get("smaller_is_better", True))
        self._first, self._reach = int(searcher.get("first", 5)), float(searcher.get("reach", 0.2))
        self._best: dict[str, Any] = {"value": WORST, "hparams": None}
        self._drawn: dict[str, Any] = {}
        if not 0 < self._reach <= 1:
            raise Invalid(f"`reach` of a neighbours search is above 0 and at most 1, not {self._reach}")

    def validated(self, trial: Trial, metrics: Mapping[str, Any]) -> list[Action]:
        """Remember the best; nothing is stopped."""
        value = rank_value(metrics, self._metric, self._smaller)
        if value < self._best["value"]:
            self._best = {"value": value, "hparams": self._drawn[trial.request_id]}
            self._book.note(trial.request_id, "the best trial so far", value=value)
        return []

    def slim(self, metrics: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The log needs the metric alone."""
        return {self._metric: metrics[self._metric]} if self._metric in metrics else None

    def dump(self) -> dict[str, Any]:
        """The whole state."""
        return {**super().dump(), "best": self._best, "drawn": self._drawn}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over what `dump` gave."""
        super().load(state)  # type: ignore[arg-type]
        self._best, self._drawn = dict(state["best"]), dict(state["drawn"])

    def _draw(self, why: str, replaces: str | None = None) -> Action:
        """A random sample, or a neighbour of the best."""
        best = self._best["hparams"]
        near = best is not None and self._counted >= self._first
        self._counted += 1
        hparams = self._near(best) if near else sample(self._book.space, self._book.rng)
        reason = f"trial {self._counted} of {self._max_trials}, {'near the best' if near else 'a random sample'}: {why}"
        create = self._book.create(reason, {"near": self._best["value"]} if near else {}, hparams=hparams, replaces=replaces)
        self._drawn[create.request_id] = hparams
        return create

    def _near(self, best: Mapping[str, Any]) -> dict[str, Any]:
        """A sample in which numbers are drawn towards the best ones (only members at the top of the space)."""
        point = sample(self._book.space, self._book.rng)
        for name, member in self._book.space.items():
            kind = member.get("type") if isinstance(member, Mapping) else None
            if kind == "log":
                point[name] = best[name] * math.pow(point[name] / best[name], self._reach)
            elif kind in ("int", "double"):
                moved = best[name] + (point[name] - best[name]) * self._reach
                point[name] = round(moved) if kind == "int" else moved
            elif kind == "categorical":
                point[name] = best[name]
        return point


def neighbours(setup: Setup) -> Neighbours:
    """The factory that the entry point names."""
    return Neighbours(setup.book, setup.searcher)
