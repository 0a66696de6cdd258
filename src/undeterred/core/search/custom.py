"""Custom search: a program outside decides. It asks what happened and tells what to do, and may go away and come back.

The search keeps numbered messages of what happened until the program says that it has seen them (`Ask`). What the program tells
(`Tell`) carries an id of its own, so that a repetition after a lost answer does nothing twice. Told to shut down, the search
stops the trials that are left and ends when the last one is gone.
"""

from collections.abc import Mapping
from typing import Any

from undeterred.base.errors import Exists, Invalid, NotFound
from undeterred.core.search.actions import Action, Create, Shutdown, Stop
from undeterred.core.search.events import Ask, ExitReason, NewTrial, Tell
from undeterred.core.search.method import SCALE, Book, Setup, Trial

REMEMBERED = 1000
"""How many ids of the last instructions are kept to recognise a repetition."""


class CustomSearch:
    """Messages out, instructions in."""

    name = "custom"

    def __init__(self, book: Book) -> None:
        self.verdict: Shutdown | None = None
        self._book = book
        self._messages: list[dict[str, Any]] = []
        self._seen = 0
        self._told: dict[str, None] = {}
        self._share = 0.0

    @property
    def seen(self) -> int:
        """Number of the last message that the program has confirmed."""
        return self._seen

    def messages(self, after: int) -> list[dict[str, Any]]:
        """What happened since message `after`, oldest first; each has its number in `id`. Raises Invalid when those are gone."""
        if after < self._seen:
            raise Invalid(f"messages up to {self._seen} were confirmed and are gone; ask for those after {self._seen}")
        return self._messages[after - self._seen :]

    def initial(self) -> list[Action]:
        """Nothing: the program begins."""
        return []

    def asked(self, ask: Ask) -> list[Action]:
        """Forget the messages that the program has seen; raises Invalid for a message that was never sent."""
        last = self._seen + len(self._messages)
        if not 0 <= ask.after <= last:
            raise Invalid(f"there is no message {ask.after}; the last one is {last}")
        if ask.after > self._seen:
            del self._messages[: ask.after - self._seen]
            self._seen = ask.after
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
        self._remember(tell.tell_id)
        told = tell.progress or 0.0
        self._share = max(self._share, min(told, 1.0) if told > 0 else 0.0)
        reason = tell.note or "decided by the program outside"
        actions: list[Action] = [self._create(new, reason) for new in tell.create]
        actions += self._stops(tell.stop, reason)
        if tell.shutdown:
            self.verdict = Shutdown(tell.cancel, tell.failure, reason)
            actions += self._stops(tuple(self._book.trials), "the program outside ended the search")
        return actions

    def validated(self, trial: Trial, metrics: Mapping[str, Any]) -> list[Action]:
        """Pass the report on."""
        return self._say("validation_completed", trial, metrics=dict(metrics))

    def exited_early(self, trial: Trial, reason: ExitReason) -> list[Action]:
        """Pass the reason on."""
        return self._say("trial_exited_early", trial, reason=reason.value)

    def exited(self, trial: Trial) -> list[Action]:
        """Pass the end on."""
        return self._say("trial_exited", trial)

    def share(self) -> int:
        """What the program told; the number of trials to come is unknown."""
        return int(self._share * SCALE)

    def slim(self, metrics: Mapping[str, Any]) -> Mapping[str, Any]:
        """The program may want any of them."""
        return metrics

    def dump(self) -> dict[str, Any]:
        """Messages and what was told."""
        verdict = self.verdict
        return {
            "messages": list(self._messages),
            "seen": self._seen,
            "told": list(self._told),
            "share": self._share,
            "verdict": None if verdict is None else [verdict.cancel, verdict.failure, verdict.reason],
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over what `dump` gave."""
        self._messages, self._seen = list(state["messages"]), state["seen"]
        self._told, self._share = dict.fromkeys(state["told"]), state["share"]
        self.verdict = None if state["verdict"] is None else Shutdown(*state["verdict"])

    def load_place(self, state: Any) -> None:
        """Trials have no place here."""

    def _check(self, tell: Tell) -> None:
        """Refuse an instruction before any part of it is carried out."""
        trials = self._book.trials
        for request_id in tell.stop:
            if request_id not in trials:
                raise NotFound(f"this search has no trial {request_id}")
        named = [new.request_id for new in tell.create if new.request_id is not None]
        for request_id in named:
            if request_id in trials or named.count(request_id) > 1:
                raise Exists(f"the request id {request_id} is taken")
        if tell.create and (self.verdict is not None or tell.shutdown):
            raise Invalid("a search that is shut down makes no trials")

    def _create(self, new: NewTrial, reason: str) -> Create:
        create = self._book.create(reason, hparams=new.hparams, request_id=new.request_id)
        self._say("trial_created", self._book.trials[create.request_id], hparams=dict(create.hparams))
        return create

    def _stops(self, request_ids: tuple[str, ...], reason: str) -> list[Action]:
        """Stops for those that still live and were not stopped before."""
        stops: list[Action] = []
        for request_id in dict.fromkeys(request_ids):
            trial = self._book.trials[request_id]
            if not (trial.stopped or trial.closed):
                trial.stopped = True
                stops.append(Stop(request_id, reason))
        return stops

    def _say(self, kind: str, trial: Trial, **more: Any) -> list[Action]:
        number = self._seen + len(self._messages) + 1
        self._messages.append({"id": number, "type": kind, "request_id": trial.request_id, **more})
        return []

    def _remember(self, tell_id: str) -> None:
        self._told[tell_id] = None
        while len(self._told) > REMEMBERED:
            del self._told[next(iter(self._told))]


def custom_search(setup: Setup) -> CustomSearch:
    """The strategy of `searcher.name: custom`."""
    return CustomSearch(setup.book)
