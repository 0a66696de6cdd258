"""Searches as they run: events in commit order, a log of them, snapshots, and the live state in memory.

The log is the truth. The state in memory is used only while it stands at the log's last entry; a transaction that failed leaves
it ahead of the log, and then the next event rebuilds it from the snapshot and the entries after it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from undeterred.base import json
from undeterred.base.errors import Failure, Invalid, Refused
from undeterred.base.struct import Struct
from undeterred.core.lifecycle.experiment import ExperimentState
from undeterred.core.search import (
    Action,
    CustomSearch,
    Event,
    RequestId,
    Search,
    Tell,
    TrialExitedEarly,
    TrialProgress,
    action_to_json,
    event_from_json,
    event_to_json,
    method_for,
    recover,
)
from undeterred.core.search.explain import Replay
from undeterred.core.search.registry import Lookup
from undeterred.core.search.search import SNAPSHOT_VERSION
from undeterred.engine import keys
from undeterred.engine.facts import SearchDecided, ValidationReported
from undeterred.store import experiments, runs, searches
from undeterred.store.database import Tx

DECIDING = frozenset({ExperimentState.ACTIVE, ExperimentState.PAUSED})
"""States in which a search is still told what happens."""

EVENTS_PER_SNAPSHOT = 400
"""Entries between two snapshots at least; with many trials a quarter of their number, because a snapshot holds them all."""


def validation(tx: Tx, run: Any, metrics: Mapping[str, Any]) -> None:
    """Tell the search of a validation that was stored just now (`run` has `id`, `experiment_id`, `request_id`, `unmanaged`)."""
    if not run.unmanaged:
        tx.fact(ValidationReported(run.id, run.experiment_id, run.request_id, metrics))


class Told(Struct, frozen=True):
    """What came of an instruction: the request ids of the trials that it made, in its order."""

    made: tuple[RequestId, ...]
    repeated: bool = False
    """It had been carried out before, and nothing was done now."""


class SearchBroken(Exception):
    """A search method failed by itself: its experiment cannot go on."""


class _Live(Struct):
    search: Search
    seq: int
    snapshot_seq: int


class Searches:
    """All searches of this process. Call inside transactions, with the experiment's row locked."""

    def __init__(self, lookup: Lookup | None = None) -> None:
        """`lookup` finds search methods beside the built-in ones."""
        self._lookup = lookup
        self._live: dict[int, _Live] = {}
        self._due: set[int] = set()

    def begin(self, tx: Tx, experiment: Any) -> list[Action]:
        """The first actions of a new search."""
        config = json.loads(experiment.config)
        inputs = {
            "type": "start",
            "searcher": config["searcher"],
            "hyperparameters": config.get("hyperparameters") or {},
            "reproducibility": {"experiment_seed": config["reproducibility"]["experiment_seed"]},
        }
        search = self._new(inputs)
        with _breaking():
            actions = search.initial()
        self._append(tx, experiment.id, 0, inputs, actions)
        self._live[experiment.id] = _Live(search, 0, 0)
        return actions

    def apply(self, tx: Tx, experiment: Any, *events: Event) -> list[Action]:
        """Tell what happened; the decisions. Raises SearchBroken, and then nothing is remembered."""
        live = self._at_log_end(tx, experiment)
        actions = [action for event in events for action in self._apply_one(tx, experiment, live, event)]
        if not any(isinstance(event, TrialExitedEarly) for event in events):  # an end without work is no progress by itself
            self._store_progress(tx, experiment, live.search)
        return actions

    def _apply_one(self, tx: Tx, experiment: Any, live: _Live, event: Event) -> list[Action]:
        if isinstance(event, TrialProgress):
            with _breaking():
                return live.search.apply(event)
        kept = live.search.slim(event)
        if kept is None:
            return []
        with _breaking():
            decided = live.search.apply(kept)
        return self._log(tx, experiment, live, kept, decided)

    def tell(self, tx: Tx, experiment: Any, tell: Tell) -> Told:
        """Do what the program of a custom search decided, once for each id; what came of it, or had come of it before.

        Raises Invalid for other searches and wrong instructions, Refused when the search is over, NotFound or Exists for wrong
        trials; nothing is done then.
        """
        live = self._at_log_end(tx, experiment)
        custom = _custom(live.search)
        before = custom.made_by(tell.tell_id)
        if live.search.over or experiment.state not in DECIDING:
            self.forget(experiment.id)
            if before is None:
                raise Refused(f"experiment {experiment.id} is {experiment.state}: its search takes no more instructions")
        if before is not None:
            return Told(before, repeated=True)
        actions = self._log(tx, experiment, live, tell, live.search.apply(tell))
        self._store_progress(tx, experiment, live.search)
        if actions:
            tx.fact(SearchDecided(experiment.id, tuple(actions)))
        return Told(custom.made_by(tell.tell_id) or ())

    def check(self, config: Mapping[str, Any]) -> None:
        """Raises Invalid when the search of a resolved configuration cannot be made here."""
        try:
            method_for(config, extra=self._lookup)
        except Failure:
            raise
        except Exception as error:
            raise Invalid(f"the search {config['searcher'].get('name')} cannot be made: {error}") from error

    def replay(self, inputs: Mapping[str, Any]) -> Replay:
        """A pass over a log that began with these inputs; raises Invalid when its search cannot be made here."""
        return Replay(inputs, self._lookup)

    def search(self, tx: Tx, experiment: Any) -> Search:
        """The live state, for reading only."""
        return self._at_log_end(tx, experiment).search

    def forget(self, experiment_id: int) -> None:
        """Free the memory of a search."""
        self._live.pop(experiment_id, None)

    def take_due(self) -> list[int]:
        """Experiments whose search has gone far beyond its snapshot; each is named once."""
        due: set[int] = set()
        while self._due:  # the writer may add one at any time
            due.add(self._due.pop())
        return sorted(due)

    def make_snapshot(self, tx: Tx, experiment: Any) -> tuple[int, str]:
        """The state at the log's end and the number of its last entry, made from the log beside the live search.

        For a reading transaction: with many trials it takes a while.
        """
        seq = searches.last_seq(tx, experiment.id)
        return seq, json.dumps(self._recover(tx, experiment, seq).search.snapshot())

    def _new(self, inputs: Mapping[str, Any]) -> Search:
        with _breaking():
            return method_for(inputs, extra=self._lookup)

    def _at_log_end(self, tx: Tx, experiment: Any) -> _Live:
        seq = searches.last_seq(tx, experiment.id)
        live = self._live.get(experiment.id)
        if live is None or live.seq != seq:
            live = self._live[experiment.id] = self._recover(tx, experiment, seq)
        return live

    def _recover(self, tx: Tx, experiment: Any, seq: int) -> _Live:
        """A search as its log tells it, with the progress of the trials that run (which no decision depends on)."""
        search = self._new(json.loads(searches.start(tx, experiment.id)))
        stored = searches.snapshot(tx, experiment.id)
        if stored is not None and (stored.version != SNAPSHOT_VERSION or stored.seq > seq):
            stored = None
        base = 0 if stored is None else stored.seq
        entries = searches.after(tx, experiment.id, base)
        progress = runs.with_progress(tx, experiment.id)
        with _breaking():
            state = None if stored is None else json.loads(stored.state)
            recover(search, state, (event_from_json(json.loads(entry.event)) for entry in entries))
            for run in progress:
                search.apply(TrialProgress(run.request_id, run.progress))
        return _Live(search, seq, base)

    def _log(self, tx: Tx, experiment: Any, live: _Live, event: Event, actions: list[Action]) -> list[Action]:
        """Write an event that was applied, and now and then ask for a snapshot."""
        live.seq += 1
        self._append(tx, experiment.id, live.seq, event_to_json(event), actions)
        tx.wake(keys.search(experiment.id))
        if live.seq - live.snapshot_seq >= max(EVENTS_PER_SNAPSHOT, live.search.trial_count // 4):
            live.snapshot_seq = live.seq
            self._due.add(experiment.id)
            tx.wake(keys.SNAPSHOTS)
        return actions

    def _append(self, tx: Tx, experiment_id: int, seq: int, event: Mapping[str, Any], actions: list[Action]) -> None:
        decided = json.dumps([action_to_json(action) for action in actions])
        searches.append(tx, experiment_id, seq, json.dumps(event), decided)

    def _store_progress(self, tx: Tx, experiment: Any, search: Search) -> None:
        """Keep the experiment's progress, which never falls."""
        progress = search.progress()
        if progress > (experiment.progress or 0.0):
            experiments.update(tx, experiment.id, progress=progress)


@contextmanager
def _breaking() -> Iterator[None]:
    """Whatever a search method raises here is its own failure."""
    try:
        yield
    except Exception as error:
        raise SearchBroken(str(error)) from error


def _custom(search: Search) -> CustomSearch:
    if not isinstance(search.strategy, CustomSearch):
        raise Invalid(f"a {search.name} search decides by itself; only a custom search is asked and told")
    return search.strategy
