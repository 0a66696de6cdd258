"""Replay of a stored search log: every entry decided again from the seed, with the reasons, and compared with what was stored.

replay = Replay(inputs)                 # the event of entry 0
step = replay.step(seq, event, actions) # for each entry in order, entry 0 included; texts as they are stored
"""

from collections.abc import Mapping
from typing import Any

from undeterred.base import json
from undeterred.base.struct import Struct
from undeterred.core.search.actions import Action, Note
from undeterred.core.search.log import action_from_json, action_to_json, event_from_json
from undeterred.core.search.registry import Lookup, method_for


class Explained(Struct, frozen=True):
    """One entry of the log: what happened, what was decided and why, and whether it is decided the same again."""

    seq: int
    event: Mapping[str, Any]
    """As stored; the first entry's is what the search began with."""
    actions: list[Action]
    """What was decided then."""
    notes: list[Note]
    """What was left alone, and why, as found on replay."""
    progress: float
    """0 to 1, of the search after this entry, without what trials say of their own progress."""
    difference: str = ""
    """How the replay decides otherwise; empty when it decides the same bit for bit."""


class Replay:
    """One pass over a log."""

    def __init__(self, inputs: Mapping[str, Any], lookup: Lookup | None = None) -> None:
        """`inputs` is the event of the first entry; raises Invalid when its search cannot be made here."""
        self.search = method_for(inputs, extra=lookup)
        self._inputs = inputs

    def step(self, seq: int, event: str, actions: str) -> Explained:
        """Decide one entry again."""
        stored = json.loads(event)
        try:
            again = self.search.initial() if seq == 0 else self.search.apply(event_from_json(stored))
        except Exception as error:  # a method that fails now did not fail then: that is the difference
            difference = f"the replay fails here: {error}"
            again = []
        else:
            decided = json.dumps([action_to_json(action) for action in again])
            difference = "" if decided == actions else _difference(decided, actions)
        recorded = [action_from_json(action) for action in json.loads(actions)]
        return Explained(seq, stored, recorded, list(self.search.notes), self.search.progress(), difference)


def _difference(again: str, stored: str) -> str:
    """The first decision that is another one."""
    now, then = json.loads(again), json.loads(stored)
    for number, (one, other) in enumerate(zip(now, then, strict=False), 1):
        if one != other:
            return f"decision {number} was {_short(other)}, and is {_short(one)} on replay"
    if len(now) != len(then):
        return f"{len(then)} decisions were made, and {len(now)} on replay"
    return "the decisions are written otherwise"


def _short(action: Mapping[str, Any]) -> str:
    text = json.dumps(action)
    return text if len(text) <= 300 else text[:297] + "..."
