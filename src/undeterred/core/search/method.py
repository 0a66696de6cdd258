"""The shape of a search: `SearchMethod`, which an engine drives, and `Strategy`, which one algorithm implements.

A search is `apply(event) -> actions`. The object that answers is mutable for speed, but it is a pure function of its
configuration, its seed and the events so far: the same events give the same actions, and `restore(snapshot())` on a fresh object
of the same configuration goes on exactly. All that is common to the algorithms (who exists, who ended and how, when the search is
over, progress, repeated reports) is kept by `undeterred.core.search.search.Search`; an algorithm is one file with a `Strategy`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from undeterred.base.errors import Invalid
from undeterred.base.struct import Struct, field
from undeterred.core.search.actions import Action, Create, Note, Shutdown
from undeterred.core.search.events import Event, ExitReason, RequestId, Tell
from undeterred.core.search.rng import Rng
from undeterred.core.search.space import sample

ENTRY_POINT_GROUP = "undeterred.search"
"""Entry points of this group are factories of further strategies; the entry point's name is the searcher's name."""

SCALE = 1_000_000_000
"""Progress is added up in billionths, as integers, so that no order of additions changes the sum."""

INVALID_LIMIT = 100
"""After this many invalid samples in a row no replacement is drawn: a space without a valid point must not run for ever."""


MOST_AT_ONCE = 1_000_000


def check_start(trials: int) -> None:
    """Raise Invalid when a search would begin with more trials than can be handled."""
    if trials > MOST_AT_ONCE:
        raise Invalid(f"this search would start {trials} trials at once; set `max_concurrent_trials` to at most {MOST_AT_ONCE}")


class SearchMethod(Protocol):
    """What an engine drives. No call waits, reads a clock, or depends on anything but the arguments and earlier calls."""

    name: str

    @property
    def notes(self) -> list[Note]:
        """What the last call decided to leave alone, and why."""

    def initial(self) -> list[Action]:
        """The first actions; called once, before any event."""

    def apply(self, event: Event) -> list[Action]:
        """Take one event and decide; raises Invalid for a trial that this search never created."""

    def progress(self) -> float:
        """0 to 1; never falls while the search runs and is 1 once it is over."""

    def slim(self, event: Event) -> Event | None:
        """The part of an event that a log must keep for the same decisions on replay; None when it decides nothing."""

    def snapshot(self) -> dict[str, Any]:
        """The whole state as JSON data, with its version."""

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take over a state; raises Invalid when it is of another method or of an unknown version."""


class Trial:
    """What a search knows of one trial. `place` belongs to the strategy and must be None or offer `dump()`."""

    __slots__ = ("closed", "early", "faulted", "number", "place", "progress", "request_id", "stopped")

    def __init__(self, request_id: RequestId, number: int) -> None:
        self.request_id = request_id
        self.number = number
        self.progress = 0
        self.stopped = False
        self.faulted = False
        self.closed = False
        self.early: ExitReason | None = None
        self.place: Any = None


class Book(Struct):
    """The trials of one search and the stream from which they are drawn."""

    rng: Rng
    space: Mapping[str, Any]
    trials: dict[RequestId, Trial] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    progress: int = 0
    closed: int = 0
    failed: int = 0
    canceled: int = 0
    invalid_run: int = 0

    def create(
        self,
        reason: str,
        facts: Mapping[str, Any] | None = None,
        *,
        hparams: Mapping[str, Any] | None = None,
        request_id: RequestId | None = None,
        replaces: RequestId | None = None,
    ) -> Create:
        """Draw a trial: its hyperparameters (unless given), then its request id (unless given), then its seed, in this order."""
        values = sample(self.space, self.rng) if hparams is None else hparams
        key = self.rng.request_id() if request_id is None else request_id
        seed = self.rng.randint(0, 2**31)
        self.trials[key] = Trial(key, len(self.trials))
        return Create(key, seed, values, reason, facts or {}, replaces)

    def advance(self, trial: Trial, fraction: float) -> None:
        """Raise the progress of a trial to `fraction` of its work; lower, negative and non-finite values change nothing."""
        if not 0 < fraction < float("inf"):
            return
        units = min(int(fraction * SCALE), SCALE)
        if units > trial.progress:
            self.progress += units - trial.progress
            trial.progress = units

    def void(self, trial: Trial) -> None:
        """Take back all progress of a trial."""
        self.progress -= trial.progress
        trial.progress = 0

    def may_replace(self) -> bool:
        """Whether an invalid sample may still be replaced (see `INVALID_LIMIT`)."""
        return self.invalid_run < INVALID_LIMIT

    def note(self, request_id: RequestId, reason: str, **facts: Any) -> None:
        """Say why nothing is done."""
        self.notes.append(Note(request_id, reason, facts))


class Strategy(Protocol):
    """One algorithm. `Search` calls these after it has sorted out repeated, late and unknown reports."""

    name: str

    def initial(self) -> list[Action]:
        """The first trials."""

    def validated(self, trial: Trial, metrics: Mapping[str, Any]) -> list[Action]:
        """A living trial, not told to stop, reported a validation."""

    def exited_early(self, trial: Trial, reason: ExitReason) -> list[Action]:
        """A trial that was not told to stop ends before its work is done. `exited` follows."""

    def exited(self, trial: Trial) -> list[Action]:
        """A trial is gone."""

    def share(self) -> int:
        """Progress in billionths (see `SCALE`), usually the book's progress by the number of trials of the whole search."""

    def slim(self, metrics: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The metrics of a validation that matter to decisions; None when validations do not matter."""

    def dump(self) -> Any:
        """The strategy's own state as JSON data (without the places of trials)."""

    def load(self, state: Any) -> None:
        """Take over what `dump` gave."""

    def load_place(self, state: Any) -> Any:
        """A trial's `place` from what its `dump()` gave."""


@runtime_checkable
class Instructed(Protocol):
    """What a strategy offers besides when an outside program decides: it alone knows when the search is over."""

    verdict: Shutdown | None
    """How the search ends once all trials are gone; None while trials may still come."""

    def told(self, tell: Tell) -> list[Action]:
        """The program decided."""


class Setup(Struct, frozen=True):
    """What a factory gets: the resolved `searcher` section, the space, the book in which to create trials, and the seed."""

    searcher: Mapping[str, Any]
    space: Mapping[str, Any]
    book: Book
    seed: int


Factory = Callable[[Setup], Strategy]
"""Makes a strategy; raises Invalid when the searcher section is incomplete or wrong."""
