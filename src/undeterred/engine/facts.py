"""What happened, as values: a lifecycle function raises facts with `tx.fact`, `flow.py` carries them to those concerned."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from undeterred.core.lifecycle.exits import ExitFacts
from undeterred.core.loglines import LogLine
from undeterred.core.search.actions import Action
from undeterred.core.search.events import ExitReason


@dataclass(frozen=True, slots=True)
class ExperimentCreated:
    """A managed experiment has its row; its search has not begun."""

    experiment_id: int


@dataclass(frozen=True, slots=True)
class ExperimentStateChanged:
    """An experiment has another stored state."""

    experiment_id: int
    state: str


@dataclass(frozen=True, slots=True)
class ExperimentEnded:
    """An experiment reached a terminal state."""

    experiment_id: int
    state: str


@dataclass(frozen=True, slots=True)
class SearchDecided:
    """The search of an experiment wants this."""

    experiment_id: int
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class ValidationReported:
    """Validation metrics of a run are stored."""

    run_id: int
    experiment_id: int
    request_id: str
    metrics: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ProgressReported:
    """A run says which part of its work is done, 0 to 1."""

    run_id: int
    experiment_id: int
    request_id: str
    progress: float


@dataclass(frozen=True, slots=True)
class RunContinued:
    """A trial that had ended is to run again."""

    experiment_id: int
    run_id: int
    request_id: str


@dataclass(frozen=True, slots=True)
class RunEnded:
    """A trial is gone for good; `early` tells why when it had not done its work."""

    run_id: int
    early: ExitReason | None


@dataclass(frozen=True, slots=True)
class MaybeFinished:
    """A stopping experiment may have lost its last trial: looked at once nothing else is to be done."""

    experiment_id: int


@dataclass(frozen=True, slots=True)
class AllocationExited:
    """An allocation is over and its row closed."""

    allocation_id: str
    task_id: str
    exit: ExitFacts


@dataclass(frozen=True, slots=True)
class TaskEnded:
    """A task that is no trial is over."""

    task_id: str


@dataclass(frozen=True, slots=True)
class LinesStored:
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
