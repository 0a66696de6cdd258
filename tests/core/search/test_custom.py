"""A search that a program outside decides."""

import json

import pytest

from tests.core.search.helpers import SPACE, brief, config, created, reborn, stopped
from undeterred.base.errors import Exists, Failure, Invalid, NotFound
from undeterred.core.search import (
    Create,
    CustomSearch,
    ExitReason,
    NewTrial,
    Tell,
    TrialExited,
    TrialExitedEarly,
    ValidationCompleted,
    method_for,
)
from undeterred.core.search.feed import Kind, Message, feed

CONF = config("custom")


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


def test_what_the_program_is_told() -> None:
    """Everything that happens and is done, in order; an instruction and its repetition are told apart by their entries."""
    search = method_for(CONF)
    tell = Tell("t", create=(NewTrial({"x": 1}),), note="why")
    (create,) = search.apply(tell)
    assert isinstance(create, Create)
    one = create.request_id
    assert feed(tell, [create]) == [Message(Kind.TRIAL_CREATED, one, {"x": 1}, tell_id="t")]
    for event, told in (
        (ValidationCompleted(one, {"loss": 0.5}), Message(Kind.VALIDATION_COMPLETED, one, metrics={"loss": 0.5})),
        (TrialExitedEarly(one, ExitReason.ERRORED), Message(Kind.TRIAL_EXITED_EARLY, one, reason="errored")),
        (TrialExited(one), Message(Kind.TRIAL_EXITED, one)),
    ):
        assert feed(event, search.apply(event)) == [told]
    end = Tell("end", shutdown=True, note="enough")
    assert feed(end, search.apply(end)) == [Message(Kind.SHUTDOWN, reason="enough", tell_id="end")]


def test_a_program_that_comes_back() -> None:
    """An instruction sent again does nothing, also over a crash of the server, and what it made is still known."""
    search = method_for(CONF)
    tell = Tell("1", create=(NewTrial({"x": 1}), NewTrial()))
    made = created(search.apply(tell))
    search = reborn(search, CONF)
    for number in range(2000):
        search.apply(Tell(f"more {number}"))
    assert search.apply(tell) == []
    assert search.notes[0].reason == "instruction 1 was carried out before"
    assert isinstance(search.strategy, CustomSearch)
    assert search.strategy.made_by("1") == tuple(made)
    assert search.strategy.made_by("2") is None


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
