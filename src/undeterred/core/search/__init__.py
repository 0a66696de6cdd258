"""Which trials an experiment runs, and when one is stopped.

    search = method_for(config)                      # resolved configuration; seed from reproducibility.experiment_seed
    actions = search.initial()                       # once, in the transaction that makes the experiment
    actions = search.apply(TrialExited(request_id))  # per event, in commit order
    search.slim(event)                               # what the event log must keep of it, or None
    search.snapshot() / search.restore(data)         # JSON data; recover(search, snapshot, later_events) does both
    search.progress()                                # 0..1, never falls

Actions are `Create`, `Stop`, `Fail` and `Shutdown`. A trial's end is told as `TrialExitedEarly(request_id, reason)` when it did
not end by finishing (failed for good, killed, invalid hyperparameters), then always `TrialExited(request_id)` once it is gone.
A trial told to stop ends with `TrialExited` alone. Once an experiment is being canceled, killed or shut down, its search is told
nothing more; when the experiment is continued, `TrialContinued(request_id)` comes for each trial that runs again.
"""

from undeterred.core.search.actions import Action, Create, Fail, Note, Shutdown, Stop
from undeterred.core.search.custom import CustomSearch
from undeterred.core.search.events import (
    Event,
    ExitReason,
    NewTrial,
    RequestId,
    Tell,
    TrialContinued,
    TrialCreated,
    TrialExited,
    TrialExitedEarly,
    TrialProgress,
    ValidationCompleted,
)
from undeterred.core.search.log import Step, action_from_json, action_to_json, event_from_json, event_to_json, recover, replay
from undeterred.core.search.method import ENTRY_POINT_GROUP, Book, Factory, SearchMethod, Setup, Strategy, Trial
from undeterred.core.search.preview import Expected, preview
from undeterred.core.search.registry import Lookup, built_in, method_for
from undeterred.core.search.rng import Rng
from undeterred.core.search.search import SNAPSHOT_VERSION, Search
from undeterred.core.search.space import Grid, grid, sample

__all__ = [
    "ENTRY_POINT_GROUP",
    "SNAPSHOT_VERSION",
    "Action",
    "Book",
    "Create",
    "CustomSearch",
    "Event",
    "ExitReason",
    "Expected",
    "Factory",
    "Fail",
    "Grid",
    "Lookup",
    "NewTrial",
    "Note",
    "RequestId",
    "Rng",
    "Search",
    "SearchMethod",
    "Setup",
    "Shutdown",
    "Step",
    "Stop",
    "Strategy",
    "Tell",
    "Trial",
    "TrialContinued",
    "TrialCreated",
    "TrialExited",
    "TrialExitedEarly",
    "TrialProgress",
    "ValidationCompleted",
    "action_from_json",
    "action_to_json",
    "built_in",
    "event_from_json",
    "event_to_json",
    "grid",
    "method_for",
    "preview",
    "recover",
    "replay",
    "sample",
]
