"""Grid search: every point of the grid once, from the last to the first, some at a time."""

from collections.abc import Mapping
from typing import Any

from undeterred.core.search.actions import Action
from undeterred.core.search.events import ExitReason
from undeterred.core.search.method import Book, Setup, Trial, check_start
from undeterred.core.search.space import Grid, grid


class GridSearch:
    """Start `max_concurrent` points, then one for each trial that ends; an invalid point is not tried again."""

    name = "grid"

    def __init__(self, book: Book, points: Grid, max_concurrent: int) -> None:
        """`max_concurrent` 0 means all at once."""
        self._book = book
        self._grid = points
        self._left = points.size
        self._at_once = min(points.size, max_concurrent or points.size)

    def initial(self) -> list[Action]:
        """The first points."""
        return [self._next("one of the first points") for _ in range(self._at_once)]

    def validated(self, trial: Trial, metrics: Mapping[str, Any]) -> list[Action]:
        """Metrics decide nothing here."""
        return []

    def exited_early(self, trial: Trial, reason: ExitReason) -> list[Action]:
        """The point stays used; the next one follows when the trial is gone."""
        return []

    def exited(self, trial: Trial) -> list[Action]:
        """One point for one that ended."""
        if not self._left:
            self._book.note(trial.request_id, f"all {self._grid.size} points have been tried")
            return []
        return [self._next("takes the place of a trial that ended", trial.request_id)]

    def share(self) -> int:
        """The mean over all points, trials to come included."""
        return self._book.progress // self._grid.size

    def slim(self, metrics: Mapping[str, Any]) -> None:
        """Validations do not matter."""

    def dump(self) -> dict[str, int]:
        """Points not yet tried."""
        return {"left": self._left}

    def load(self, state: Mapping[str, int]) -> None:
        """Take over what `dump` gave."""
        self._left = state["left"]

    def load_place(self, state: Any) -> None:
        """Trials have no place here."""

    def _next(self, why: str, replaces: str | None = None) -> Action:
        self._left -= 1
        size = self._grid.size
        reason = f"point {self._left + 1} of {size}, counted from the last: {why}"
        facts = {"point": self._left, "of": size}
        return self._book.create(reason, facts, hparams=self._grid.point(self._left), replaces=replaces)


def grid_search(setup: Setup) -> GridSearch:
    """The strategy of `searcher.name: grid`."""
    points, at_once = grid(setup.space), int(setup.searcher.get("max_concurrent_trials", 16))
    check_start(min(points.size, at_once or points.size))
    return GridSearch(setup.book, points, at_once)
