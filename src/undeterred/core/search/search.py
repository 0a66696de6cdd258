"""The part that all searches share: who exists and how they ended, repeated and late reports, progress, and the end.

The search is over when every trial it asked for is gone. It failed when every trial failed, was canceled when every trial was
canceled, and is completed otherwise.
"""

from collections.abc import Mapping
from typing import Any

from undeterred.base.errors import Invalid
from undeterred.core.search.actions import Action, Note, Shutdown, Stop
from undeterred.core.search.events import (
    Event,
    ExitReason,
    RequestId,
    Tell,
    TrialContinued,
    TrialCreated,
    TrialExited,
    TrialExitedEarly,
    TrialProgress,
    ValidationCompleted,
)
from undeterred.core.search.method import INVALID_LIMIT, SCALE, Book, Instructed, Strategy, Trial

SNAPSHOT_VERSION = 2


class Search:
    """A `SearchMethod`: the bookkeeping around one `Strategy`."""

    __slots__ = ("_best", "_book", "_outside", "_over", "_strategy", "name")

    def __init__(self, strategy: Strategy, book: Book) -> None:
        self.name = strategy.name
        self._strategy = strategy
        self._outside = strategy if isinstance(strategy, Instructed) else None
        self._book = book
        self._best = 0
        self._over = False

    @property
    def notes(self) -> list[Note]:
        """What the last call decided to leave alone, and why."""
        return self._book.notes

    @property
    def over(self) -> bool:
        """Whether `Shutdown` was given."""
        return self._over

    @property
    def strategy(self) -> Strategy:
        """The algorithm, for what only one of them offers."""
        return self._strategy

    @property
    def trial_count(self) -> int:
        """How many trials were asked for so far."""
        return len(self._book.trials)

    def trial_ids(self) -> list[RequestId]:
        """The request ids of all trials asked for so far, in order."""
        return list(self._book.trials)

    @property
    def size(self) -> int:
        """How many trials were asked for so far."""
        return len(self._book.trials)

    def initial(self) -> list[Action]:
        """The first actions; called once, before any event."""
        self._book.notes.clear()
        actions = self._strategy.initial()
        if not actions and self._outside is None:
            self._over = True
            actions = [Shutdown(reason="the search has no trial to run")]
        return actions

    def apply(self, event: Event) -> list[Action]:
        """Take one event and decide; raises Invalid for a trial that this search never created."""
        self._book.notes.clear()
        actions = self._instruct(event) if isinstance(event, Tell) else self._observe(event)
        self._mark_stops(actions)
        if self._due(event):
            self._over = True
            actions = [*actions, self._shutdown()]
        self._best = max(self._best, min(self._strategy.share(), SCALE))
        return actions

    def progress(self) -> float:
        """0 to 1; never falls while the search runs and is 1 once it is over."""
        return 1.0 if self._over else self._best / SCALE

    def slim(self, event: Event) -> Event | None:
        """The part of an event that a log must keep for the same decisions on replay; None when it decides nothing."""
        if isinstance(event, ValidationCompleted):
            metrics = self._strategy.slim(event.metrics)
            return None if metrics is None else ValidationCompleted(event.request_id, metrics)
        return None if isinstance(event, TrialCreated | TrialProgress) else event

    def snapshot(self) -> dict[str, Any]:
        """The whole state as JSON data, with its version."""
        book = self._book
        return {
            "version": SNAPSHOT_VERSION,
            "method": self.name,
            "rng": book.rng.snapshot(),
            "trials": [_dump_trial(trial) for trial in book.trials.values()],
            "invalid_run": book.invalid_run,
            "best": self._best,
            "over": self._over,
            "strategy": self._strategy.dump(),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take over a state; raises Invalid when it is of another method or of an unknown version."""
        if snapshot.get("version") != SNAPSHOT_VERSION:
            raise Invalid(f"this search state has version {snapshot.get('version')}; known is {SNAPSHOT_VERSION}")
        if snapshot["method"] != self.name:
            raise Invalid(f"this is the state of a {snapshot['method']} search, not of a {self.name} search")
        book = self._book
        book.rng.restore(snapshot["rng"])
        book.trials.clear()
        self._strategy.load(snapshot["strategy"])
        for number, row in enumerate(snapshot["trials"]):
            trial = self._load_trial(row, number)
            book.trials[trial.request_id] = trial
        self._count_again()
        book.invalid_run = snapshot["invalid_run"]
        self._best = snapshot["best"]
        self._over = snapshot["over"]

    def _observe(self, event: Event) -> list[Action]:
        """What happened to a trial."""
        assert not isinstance(event, Tell)
        trial = self._book.trials.get(event.request_id)
        if trial is None:
            raise Invalid(f"this search has no trial {event.request_id}")
        if isinstance(event, TrialContinued):
            self._reopen(trial)
        elif self._over:
            self._book.note(event.request_id, "the search is over")
        elif isinstance(event, ValidationCompleted):
            return self._validated(trial, event.metrics)
        elif isinstance(event, TrialExitedEarly):
            return self._exited_early(trial, event.reason)
        elif isinstance(event, TrialExited):
            return self._exited(trial)
        elif isinstance(event, TrialProgress) and not trial.closed and trial.early is not ExitReason.INVALID_HP:
            self._book.advance(trial, event.progress)
        return []

    def _instruct(self, event: Tell) -> list[Action]:
        """What an outside program says."""
        if self._outside is None:
            raise Invalid(f"a {self.name} search decides by itself; only a custom search is told what to do")
        if self._over:
            return []
        return self._outside.told(event)

    def _validated(self, trial: Trial, metrics: Mapping[str, Any]) -> list[Action]:
        if trial.closed or trial.early is not None or trial.faulted:
            self._book.note(trial.request_id, "a report after the trial's end decides nothing")
            return []
        if trial.stopped:
            self._book.note(trial.request_id, "a report after the stop enters no rung and makes no trial")
            return []
        return self._strategy.validated(trial, metrics)

    def _exited_early(self, trial: Trial, reason: ExitReason) -> list[Action]:
        book = self._book
        if trial.closed or trial.early is not None:
            book.note(trial.request_id, "the end of this trial was reported before")
            return []
        trial.early = reason
        self._count_early(reason, 1)
        if reason is ExitReason.INVALID_HP:
            book.invalid_run += 1
            book.void(trial)
        if trial.stopped:
            book.note(trial.request_id, "it had been told to stop before, so its end makes no trial")
            return []
        return self._strategy.exited_early(trial, reason)

    def _exited(self, trial: Trial) -> list[Action]:
        book = self._book
        if trial.closed:
            book.note(trial.request_id, "the end of this trial was reported before")
            return []
        trial.closed = True
        book.closed += 1
        if trial.early is not ExitReason.INVALID_HP:
            book.invalid_run = 0
            book.advance(trial, 1)
        return self._strategy.exited(trial)

    def _reopen(self, trial: Trial) -> None:
        """Undo the end of a trial that runs again."""
        if self._over:
            self._over, self._best = False, 0
        if trial.early is not None:
            self._count_early(trial.early, -1)
            trial.early = None
        if trial.closed:
            self._book.closed -= 1
            trial.closed = False
        trial.faulted = False
        self._book.void(trial)

    def _count_early(self, reason: ExitReason, step: int) -> None:
        if reason is ExitReason.ERRORED:
            self._book.failed += step
        elif reason is ExitReason.USER_CANCELED:
            self._book.canceled += step

    def _mark_stops(self, actions: list[Action]) -> None:
        """Remember who was told to stop; their share of the work counts as done."""
        for action in actions:
            if isinstance(action, Stop):
                trial = self._book.trials[action.request_id]
                trial.stopped = True
                self._book.advance(trial, 1)

    def _due(self, event: Event) -> bool:
        """Whether this event ended the search."""
        if self._over or self._book.closed != len(self._book.trials):
            return False
        if self._outside is not None:
            return self._outside.verdict is not None
        return isinstance(event, TrialExited)

    def _shutdown(self) -> Shutdown:
        book, asked = self._book, len(self._book.trials)
        facts = {"trials": asked, "failed": book.failed, "canceled": book.canceled}
        if self._outside is not None and (told := self._outside.verdict) is not None:
            return Shutdown(told.cancel, told.failure, told.reason, facts)
        if not book.may_replace():
            return Shutdown(failure=True, reason=f"{INVALID_LIMIT} samples in a row were reported as invalid", facts=facts)
        cancel, failure = book.canceled >= asked, book.failed >= asked
        reason = "every trial failed" if failure else "every trial was canceled" if cancel else "every trial has ended"
        return Shutdown(cancel, failure, reason, facts)

    def _load_trial(self, row: list[Any], number: int) -> Trial:
        request_id, flags, progress, early, place = row
        trial = Trial(request_id, number)
        trial.stopped, trial.faulted, trial.closed = bool(flags & 1), bool(flags & 2), bool(flags & 4)
        trial.progress = progress
        trial.early = None if early is None else ExitReason(early)
        trial.place = None if place is None else self._strategy.load_place(place)
        return trial

    def _count_again(self) -> None:
        """Fill the book's counters from its trials."""
        book, trials = self._book, list(self._book.trials.values())
        book.progress = sum(trial.progress for trial in trials)
        book.closed = sum(trial.closed for trial in trials)
        book.failed = sum(trial.early is ExitReason.ERRORED for trial in trials)
        book.canceled = sum(trial.early is ExitReason.USER_CANCELED for trial in trials)


def _dump_trial(trial: Trial) -> list[Any]:
    flags = trial.stopped | trial.faulted << 1 | trial.closed << 2
    early = None if trial.early is None else trial.early.value
    return [trial.request_id, flags, trial.progress, early, None if trial.place is None else trial.place.dump()]
