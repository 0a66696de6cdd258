"""Random search: independent samples of the space, a fixed number of them, some at a time."""

from collections.abc import Mapping
from typing import Any

from undeterred.core.search.actions import Action
from undeterred.core.search.events import ExitReason
from undeterred.core.search.method import Book, Setup, Trial, check_start


class RandomSearch:
    """Start `max_concurrent` trials, then one for each that ends, `max_trials` in all; an invalid sample does not count."""

    def __init__(
        self, book: Book, max_trials: int, max_concurrent: int, *, replace_invalid: bool = True, name: str = "random"
    ) -> None:
        """`max_concurrent` 0 means as many as there are trials."""
        self.name = name
        self._book = book
        self._max_trials = max_trials
        self._at_once = min(max_trials, max_concurrent or max_trials)
        self._replace_invalid = replace_invalid
        self._counted = 0

    def initial(self) -> list[Action]:
        """The first trials."""
        return [self._draw("one of the first trials") for _ in range(self._at_once)]

    def validated(self, trial: Trial, metrics: Mapping[str, Any]) -> list[Action]:
        """Metrics decide nothing here."""
        return []

    def exited_early(self, trial: Trial, reason: ExitReason) -> list[Action]:
        """An invalid sample gives its place in the budget back; the replacement is drawn when the trial is gone."""
        if reason is ExitReason.INVALID_HP and self._replace_invalid:
            if self._book.may_replace():
                self._counted -= 1
            else:
                self._book.note(trial.request_id, "too many invalid samples in a row: no replacement")
        return []

    def exited(self, trial: Trial) -> list[Action]:
        """One trial for one that ended, as long as the budget lasts."""
        if self._counted >= self._max_trials:
            self._book.note(trial.request_id, f"all {self._max_trials} trials have been drawn")
            return []
        why = "replaces an invalid sample" if trial.early is ExitReason.INVALID_HP else "takes the place of a trial that ended"
        return [self._draw(why, trial.request_id)]

    def share(self) -> int:
        """The mean over the budget, trials to come included."""
        return self._book.progress // self._max_trials

    def slim(self, metrics: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Validations do not matter."""
        return None

    def dump(self) -> dict[str, int]:
        """Trials counted against the budget."""
        return {"counted": self._counted}

    def load(self, state: Mapping[str, int]) -> None:
        """Take over what `dump` gave."""
        self._counted = state["counted"]

    def load_place(self, state: Any) -> None:
        """Trials have no place here."""

    def _draw(self, why: str, replaces: str | None = None) -> Action:
        self._counted += 1
        reason = f"sample {self._counted} of {self._max_trials}: {why}"
        return self._book.create(reason, {"sample": self._counted, "of": self._max_trials}, replaces=replaces)


def random_search(setup: Setup) -> RandomSearch:
    """The strategy of `searcher.name: random`."""
    max_trials, at_once = int(setup.searcher["max_trials"]), int(setup.searcher.get("max_concurrent_trials", 16))
    check_start(min(max_trials, at_once or max_trials))
    return RandomSearch(setup.book, max_trials, at_once)
