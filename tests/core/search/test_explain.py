"""Replays of stored logs: reasons, and differences."""

from typing import Any

import pytest

from tests.core.search.helpers import config, created
from undeterred.base import json
from undeterred.base.errors import Invalid
from undeterred.core.search import (
    Event,
    TrialExited,
    ValidationCompleted,
    action_to_json,
    event_to_json,
    method_for,
)
from undeterred.core.search.explain import Explained, Replay

CONF = config("async_halving", num_rungs=2, max_time=4, max_trials=4, max_concurrent_trials=2)
Entries = list[tuple[str, str]]


def recorded() -> Entries:
    """The log of a short search, as it is stored."""
    search = method_for(CONF)
    first = search.initial()
    one, two = created(first)
    entries = [(json.dumps({"type": "start"} | CONF), texts(first))]
    events: list[Event] = [
        ValidationCompleted(one, {"loss": 0.5, "time": 1}),
        ValidationCompleted(two, {"loss": "NaN", "time": 1}),
        TrialExited(two),
        ValidationCompleted(one, {"loss": 0.4, "time": 4}),
        TrialExited(one),
    ]
    return entries + [(json.dumps(event_to_json(event)), texts(search.apply(event))) for event in events]


def texts(actions: list[Any]) -> str:
    """Actions as they are stored."""
    return json.dumps([action_to_json(action) for action in actions])


def replayed(entries: Entries, conf: Any = CONF) -> list[Explained]:
    """Every entry explained."""
    replay = Replay(conf)
    return [replay.step(seq, event, actions) for seq, (event, actions) in enumerate(entries)]


def test_a_log_is_decided_the_same_again() -> None:
    """Bit for bit, with the reasons of what was done and of what was left alone."""
    steps = replayed(recorded())
    assert [step.difference for step in steps] == [""] * 6
    stop = steps[2].actions[0]
    assert stop.reason == "rung 1 of 2 (1 units): rank 2 of 2, not among the best 1"
    assert (stop.facts["rank"], stop.facts["of"], stop.facts["keep"], stop.facts["quantile"]) == (2, 2, 1, 1.0)
    assert steps[1].notes[0].reason == "rung 1 of 2 (1 units): rank 1 of 1, among the best 1: goes on"


@pytest.mark.parametrize(
    ("entry", "old", "new", "words"),
    [
        (0, '"seed":', '"seed":1', "decision 1 was"),
        (2, '"rank":2', '"rank":1', 'decision 1 was {"type":"stop"'),
        (2, "[{", '[{"type":"stop","request_id":"x"},{', "decision 1 was"),
        (3, "[]", '[{"type":"shutdown"}]', "1 decisions were made, and 0 on replay"),
        (3, "[]", "[ ]", "written otherwise"),
    ],
)
def test_what_is_decided_otherwise_is_told(entry: int, old: str, new: str, words: str) -> None:
    """A changed entry is named with what differs, and the others are compared all the same."""
    entries = recorded()
    event, actions = entries[entry]
    assert old in actions
    entries[entry] = (event, actions.replace(old, new, 1))
    differences = [step.difference for step in replayed(entries)]
    assert words in differences.pop(entry)
    assert set(differences) == {""}


def test_another_seed_is_another_search() -> None:
    """Replayed from another seed the first entry differs, and what follows names trials that are not there."""
    steps = replayed(recorded(), CONF | {"reproducibility": {"experiment_seed": 8}})
    assert steps[0].difference.startswith("decision 1 was")
    assert "the replay fails here: this search has no trial" in steps[1].difference


def test_a_search_that_is_not_installed() -> None:
    """Nothing can be replayed, and the method is named."""
    with pytest.raises(Invalid, match="elsewhere"):
        Replay(CONF | {"searcher": {"name": "elsewhere"}})
