"""What happened, as values: a lifecycle function raises facts with `tx.fact`, `flow.py` carries them to those concerned."""

from collections.abc import Mapping
from typing import Any

from undeterred.base.struct import Struct
from undeterred.core.lifecycle.exits import ExitFacts
from undeterred.core.loglines import LogLine
from undeterred.core.search.actions import Action
from undeterred.core.search.events import ExitReason


class ExperimentCreated(Struct, frozen=True):
    """A managed experiment has its row; its search has not begun."""

    experiment_id: int


class ExperimentStateChanged(Struct, frozen=True):
    """An experiment has another stored state."""

    experiment_id: int
    state: str


class ExperimentEnded(Struct, frozen=True):
    """An experiment reached a terminal state."""

    experiment_id: int
    state: str


class SearchDecided(Struct, frozen=True):
    """The search of an experiment wants this."""

    experiment_id: int
    actions: tuple[Action, ...]


class ValidationReported(Struct, frozen=True):
    """Validation metrics of a run are stored."""

    run_id: int
    experiment_id: int
    request_id: str
    metrics: Mapping[str, Any]


class ProgressReported(Struct, frozen=True):
    """A run says which part of its work is done, 0 to 1."""

    run_id: int
    experiment_id: int
    request_id: str
    progress: float


class RunContinued(Struct, frozen=True):
    """A trial that had ended is to run again."""

    experiment_id: int
    run_id: int
    request_id: str


class RunEnded(Struct, frozen=True):
    """A trial is gone for good; `early` tells why when it had not done its work."""

    run_id: int
    early: ExitReason | None


class MaybeFinished(Struct, frozen=True):
    """A stopping experiment may have lost its last trial: looked at once nothing else is to be done."""

    experiment_id: int


class AllocationExited(Struct, frozen=True):
    """An allocation is over and its row closed."""

    allocation_id: str
    task_id: str
    exit: ExitFacts


class TaskEnded(Struct, frozen=True):
    """A task that is no trial is over."""

    task_id: str


class LinesStored(Struct, frozen=True):
    """New lines of a task's log are stored."""

    task_id: str
    lines: tuple[LogLine, ...]


Fact = (
    ExperimentCreated
    | ExperimentStateChanged
    | ExperimentEnded
    | SearchDecided
    | ValidationReported
    | ProgressReported
    | RunContinued
    | RunEnded
    | MaybeFinished
    | AllocationExited
    | TaskEnded
    | LinesStored
)
