"""A search that a program outside decides."""

import json
from typing import Any

import pytest

from tests.core.search.helpers import SPACE, brief, config, created, reborn, stopped
from undeterred.base.errors import Exists, Failure, Invalid, NotFound
from undeterred.core.search import (
    Ask,
    Create,
    CustomSearch,
    ExitReason,
    NewTrial,
    Search,
    Tell,
    TrialExited,
    TrialExitedEarly,
    ValidationCompleted,
    method_for,
)

CONF = config("custom")


def messages(search: Search, after: int = 0) -> list[dict[str, Any]]:
    """What the program would be shown."""
    assert isinstance(search.strategy, CustomSearch)
    return search.strategy.messages(after)


def test_begins_empty_and_stays_open() -> None:
    """Nothing happens until the program tells, and the search stays open when all trials have ended."""
    search = method_for(CONF)
    assert search.initial() == []
    (one,) = created(search.apply(Tell("1", create=(NewTrial(),))))
    assert search.apply(TrialExited(one)) == []
    assert not search.over


def test_trials_as_told() -> None:
    """Hyperparameters and request id are the program's; what it leaves out is drawn from the experiment's space and stream."""
    search = method_for(CONF)
    one, two = search.apply(Tell("1", create=(NewTrial({"x": 1}, "my-id"), NewTrial()), note="my reason"))
    assert isinstance(one, Create)
    assert isinstance(two, Create)
    assert (one.request_id, one.hparams, one.reason) == ("my-id", {"x": 1}, "my reason")
    assert two.hparams.keys() == SPACE.keys()


def test_messages() -> None:
    """Everything that happens to a trial is told in order, numbered from 1."""
    search = method_for(CONF)
    (one,) = created(search.apply(Tell("1", create=(NewTrial({"x": 1}),))))
    search.apply(ValidationCompleted(one, {"loss": 0.5}))
    search.apply(TrialExitedEarly(one, ExitReason.ERRORED))
    search.apply(TrialExited(one))
    assert messages(search) == [
        {"id": 1, "type": "trial_created", "request_id": one, "hparams": {"x": 1}},
        {"id": 2, "type": "validation_completed", "request_id": one, "metrics": {"loss": 0.5}},
        {"id": 3, "type": "trial_exited_early", "request_id": one, "reason": "errored"},
        {"id": 4, "type": "trial_exited", "request_id": one},
    ]


def test_a_program_that_comes_back() -> None:
    """Messages stay until they are confirmed, also over a crash of the server; an instruction sent again does nothing."""
    search = method_for(CONF)
    tell = Tell("1", create=(NewTrial({"x": 1}),))
    (one,) = created(search.apply(tell))
    search.apply(ValidationCompleted(one, {"loss": 0.5}))
    search = reborn(search, CONF)
    assert search.apply(tell) == []
    assert [message["id"] for message in messages(search)] == [1, 2]
    search.apply(Ask(1))
    search = reborn(search, CONF)
    assert [message["id"] for message in messages(search, 1)] == [2]
    search.apply(Ask(1))
    search.apply(TrialExited(one))
    assert [message["id"] for message in messages(search, 1)] == [2, 3]
    with pytest.raises(Invalid, match="up to 1"):
        messages(search, 0)
    with pytest.raises(Invalid, match="no message 9"):
        search.apply(Ask(9))


def test_stop_and_shutdown() -> None:
    """A stop is given once; the shutdown stops who is left, and the search ends as told when the last trial is gone."""
    search = method_for(CONF)
    one, two = created(search.apply(Tell("1", create=(NewTrial({}), NewTrial({})))))
    assert stopped(search.apply(Tell("2", stop=(one, one)))) == [one]
    assert search.apply(Tell("3", stop=(one,))) == []
    assert stopped(search.apply(Tell("4", shutdown=True, failure=True, note="enough"))) == [two]
    search = reborn(search, CONF)
    assert search.apply(TrialExited(two)) == []
    (end,) = search.apply(TrialExited(one))
    assert brief([end]) == [("shutdown", False, True)]
    assert end.reason == "enough"
    assert search.apply(Tell("5", create=(NewTrial(),))) == []


def test_shutdown_without_trials() -> None:
    """A search without trials ends at once when told."""
    search = method_for(CONF)
    assert brief(search.apply(Tell("1", shutdown=True))) == [("shutdown", False, False)]


def test_progress_is_what_is_told() -> None:
    """Progress is the program's word, never falls, and is 1 at the end."""
    search = method_for(CONF)
    seen = []
    for number, told in enumerate([0.25, None, 0.1, float("nan"), 0.5]):
        search.apply(Tell(str(number), progress=told))
        seen.append(search.progress())
    assert seen == [0.25, 0.25, 0.25, 0.25, 0.5]
    search.apply(Tell("end", shutdown=True))
    assert search.progress() == 1


@pytest.mark.parametrize(
    ("tell", "kind"),
    [
        (Tell("x", create=(NewTrial({}),), stop=("nobody",)), NotFound),
        (Tell("x", create=(NewTrial({}, "a"),)), Exists),
        (Tell("x", create=(NewTrial({}, "b"), NewTrial({}, "b"))), Exists),
        (Tell("x", create=(NewTrial({}),), shutdown=True), Invalid),
    ],
)
def test_refused_as_a_whole(tell: Tell, kind: type[Failure]) -> None:
    """An instruction with one wrong part changes nothing at all."""
    search = method_for(CONF)
    search.apply(Tell("1", create=(NewTrial({}, "a"),)))
    before = json.dumps(search.snapshot())
    with pytest.raises(kind):
        search.apply(tell)
    assert json.dumps(search.snapshot()) == before
