"""Custom search: a program outside decides. It reads what happened and tells what to do, and may go away and come back.

What happened is the event log itself (see `feed.py`), so nothing is kept for the program here. What the program tells (`Tell`)
carries an id of its own: all ids are remembered, so that a repetition does nothing twice, whether it comes after a lost answer
or from a program that lost its memory and decides everything again from the first event. Told to shut down, the search stops
the trials that are left and ends when the last one is gone.
"""

from collections.abc import Mapping
from typing import Any

from undeterred.base.errors import Exists, Invalid, NotFound
from undeterred.core.search.actions import Action, Shutdown, Stop
from undeterred.core.search.events import ExitReason, RequestId, Tell
from undeterred.core.search.method import SCALE, Book, Setup, Trial


class CustomSearch:
    """Instructions in; what comes of them is in the log."""

    name = "custom"

    def __init__(self, book: Book) -> None:
        self.verdict: Shutdown | None = None
        self._book = book
        self._told: dict[str, tuple[RequestId, ...]] = {}
        self._share = 0.0

    def made_by(self, tell_id: str) -> tuple[RequestId, ...] | None:
        """The trials that an instruction made when it was carried out; None for one that was not."""
        return self._told.get(tell_id)

    def initial(self) -> list[Action]:
        """Nothing: the program begins."""
        return []

    def told(self, tell: Tell) -> list[Action]:
        """Do what the program decided.

        Raises NotFound for a trial to stop that does not exist, Exists for a request id that is taken, Invalid when trials are to
        be made after the shutdown; nothing is done then.
        """
        if tell.tell_id in self._told:
            self._book.note("", f"instruction {tell.tell_id} was carried out before")
            return []
        self._check(tell)
        told = tell.progress or 0.0
        self._share = max(self._share, min(told, 1.0) if told > 0 else 0.0)
        reason = tell.note or "decided by the program outside"
        made = [self._book.create(reason, hparams=new.hparams, request_id=new.request_id) for new in tell.create]
        self._told[tell.tell_id] = tuple(create.request_id for create in made)
        actions: list[Action] = [*made, *self._stops(tell.stop, reason)]
        if tell.shutdown:
            self.verdict = Shutdown(tell.cancel, tell.failure, reason)
            actions += self._stops(tuple(self._book.trials), "the program outside ended the search")
        return actions

    def validated(self, trial: Trial, metrics: Mapping[str, Any]) -> list[Action]:
        """The program reads it in the log."""
        return []

    def exited_early(self, trial: Trial, reason: ExitReason) -> list[Action]:
        """The program reads it in the log."""
        return []

    def exited(self, trial: Trial) -> list[Action]:
        """The program reads it in the log."""
        return []

    def share(self) -> int:
        """What the program told; the number of trials to come is unknown."""
        return int(self._share * SCALE)

    def slim(self, metrics: Mapping[str, Any]) -> Mapping[str, Any]:
        """The program may want any of them."""
        return metrics

    def dump(self) -> dict[str, Any]:
        """What was told."""
        verdict = self.verdict
        return {
            "told": {tell_id: list(made) for tell_id, made in self._told.items()},
            "share": self._share,
            "verdict": None if verdict is None else [verdict.cancel, verdict.failure, verdict.reason],
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over what `dump` gave."""
        self._told = {tell_id: tuple(made) for tell_id, made in state["told"].items()}
        self._share = state["share"]
        self.verdict = None if state["verdict"] is None else Shutdown(*state["verdict"])

    def load_place(self, state: Any) -> None:
        """Trials have no place here."""

    def _check(self, tell: Tell) -> None:
        """Refuse an instruction before any part of it is carried out."""
        trials = self._book.trials
        for request_id in tell.stop:
            if request_id not in trials:
                raise NotFound(f"this search has no trial {request_id}")
        named: set[RequestId] = set()
        for new in tell.create:
            if new.request_id is not None and (new.request_id in trials or new.request_id in named):
                raise Exists(f"the request id {new.request_id} is taken")
            named.add(new.request_id or "")
        if tell.create and (self.verdict is not None or tell.shutdown):
            raise Invalid("a search that is shut down makes no trials")

    def _stops(self, request_ids: tuple[RequestId, ...], reason: str) -> list[Stop]:
        """Stops for those that still live and were not stopped before."""
        stops: list[Stop] = []
        for request_id in dict.fromkeys(request_ids):
            trial = self._book.trials[request_id]
            if not (trial.stopped or trial.closed):
                trial.stopped = True
                stops.append(Stop(request_id, reason))
        return stops


def custom_search(setup: Setup) -> CustomSearch:
    """The strategy of `searcher.name: custom`."""
    return CustomSearch(setup.book)
