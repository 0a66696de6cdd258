"""Event logs as JSON data, and replay."""

import json
from typing import Any

import pytest

from tests.core.search.helpers import config, created
from undeterred.base.errors import Invalid
from undeterred.core.search import (
    Create,
    Event,
    ExitReason,
    Fail,
    NewTrial,
    Shutdown,
    Stop,
    Tell,
    TrialContinued,
    TrialCreated,
    TrialExited,
    TrialExitedEarly,
    TrialProgress,
    ValidationCompleted,
    action_from_json,
    action_to_json,
    event_from_json,
    event_to_json,
    method_for,
    recover,
    replay,
)

EVENTS: list[Event] = [
    TrialCreated("a"),
    ValidationCompleted("a", {"loss": 0.1, "time": 3}),
    TrialProgress("a", 0.5),
    TrialExitedEarly("a", ExitReason.INVALID_HP),
    TrialExited("a"),
    TrialContinued("a"),
    Tell("t", create=(NewTrial({"x": 1}), NewTrial(None, "id")), stop=("a", "b"), progress=0.5, shutdown=False, note="why"),
    Tell("u", shutdown=True, cancel=True),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_events_through_json(event: Event) -> None:
    """Every event comes back from JSON text as it was."""
    assert event_from_json(json.loads(json.dumps(event_to_json(event)))) == event


@pytest.mark.parametrize(
    "action",
    [
        Create("a", 7, {"x": [1]}, "why", {"rung": 1}, "b"),
        Stop("a", "why"),
        Fail("a", "message", "why"),
        Shutdown(True, False, "why"),
    ],
    ids=lambda action: type(action).__name__,
)
def test_actions_through_json(action: Any) -> None:
    """Every action comes back from JSON text as it was."""
    assert action_from_json(json.loads(json.dumps(action_to_json(action)))) == action


@pytest.mark.parametrize(
    "entry", [{}, {"type": "party"}, {"type": "trial_exited"}, {"type": "trial_exited", "request_id": "a", "x": 1}]
)
def test_broken_entries(entry: dict[str, Any]) -> None:
    """An entry of an unknown kind or with wrong fields is refused."""
    with pytest.raises(Invalid):
        event_from_json(entry)


def test_a_recorded_log_still_replays() -> None:
    """A log written by the first version of the search gives the decisions of that day, told in the same words."""
    conf = config(
        "async_halving",
        {"lr": {"type": "double", "minval": 0, "maxval": 1}},
        num_rungs=2,
        max_time=4,
        max_trials=4,
        max_concurrent_trials=2,
    )
    one, two, three = RECORDED
    log = [
        ValidationCompleted(one, {"loss": 0.5, "time": 1}),
        ValidationCompleted(two, {"loss": 0.7, "time": 1}),
        TrialExited(two),
    ]
    steps = list(replay(method_for(conf), log))
    assert created([action for step in steps for action in step.actions]) == [one, two, three]
    assert [action.reason for step in steps for action in step.actions] == [
        "sample 1 of 4 of a bracket of 2 rungs: one of the first trials",
        "sample 2 of 4 of a bracket of 2 rungs: one of the first trials",
        "rung 1 of 2 (1 units): rank 2 of 2, not among the best 1",
        "sample 3 of 4 of a bracket of 2 rungs: takes the place of a stopped trial",
    ]
    assert [note.reason for note in steps[1].notes] == [
        "rung 1 of 2 (1 units): rank 1 of 1, among the best 1: goes on",
        "1 of the 4 units of rung 2",
    ]


RECORDED = [
    "19c2a8c7-f629-4851-8396-3b70d3d06cfa",
    "b9ecd94e-8edd-4a89-970a-8d43486e4980",
    "da6ab844-88b3-4204-a74c-f87fe6971b87",
]


def test_recovery_of_many_trials() -> None:
    """A search of ten thousand trials comes back from its snapshot and the events after it."""
    conf = config("async_halving", {}, num_rungs=2, max_time=4, max_trials=10_000, max_concurrent_trials=10_000)
    search = method_for(conf)
    search.initial()
    ids = search.trial_ids()
    for place, one in enumerate(ids[:5000]):
        search.apply(ValidationCompleted(one, {"loss": place % 97, "time": 1}))
    state = json.loads(json.dumps(search.snapshot()))
    tail = [ValidationCompleted(one, {"loss": 3, "time": 1}) for one in ids[5000:5100]]
    for event in tail:
        search.apply(event)
    other = method_for(conf)
    recover(other, state, tail)
    assert other.snapshot() == search.snapshot()
