"""What all searches share: late, repeated and unknown reports, the end, continuing."""

from typing import Any

import pytest

from tests.core.search.helpers import brief, config, created, reborn, verdicts
from undeterred.base.errors import Invalid
from undeterred.core.search import (
    ExitReason,
    Tell,
    TrialContinued,
    TrialCreated,
    TrialExited,
    TrialExitedEarly,
    TrialProgress,
    ValidationCompleted,
    method_for,
)

TWO = config("random", {}, max_trials=2)


@pytest.mark.parametrize(
    ("reasons", "end"),
    [
        ([None, None], (False, False)),
        ([ExitReason.ERRORED, ExitReason.ERRORED], (False, True)),
        ([ExitReason.ERRORED, None], (False, False)),
        ([ExitReason.USER_CANCELED, ExitReason.USER_CANCELED], (True, False)),
        ([ExitReason.USER_CANCELED, ExitReason.ERRORED], (False, False)),
        ([ExitReason.USER_REQUESTED_STOP, ExitReason.USER_REQUESTED_STOP], (False, False)),
    ],
)
def test_how_a_search_ends(reasons: list[Any], end: tuple[bool, bool]) -> None:
    """It failed if all failed, was canceled if all were canceled, and is completed otherwise."""
    search = method_for(TWO)
    for request_id, reason in zip(created(search.initial()), reasons, strict=True):
        if reason is not None:
            search.apply(TrialExitedEarly(request_id, reason))
        actions = search.apply(TrialExited(request_id))
    assert verdicts(actions) == [end]
    assert search.over


def test_after_the_end_nothing_happens() -> None:
    """A search that is over answers every report with nothing and stays at progress 1."""
    search = method_for(config("single"))
    (only,) = created(search.initial())
    search.apply(TrialExited(only))
    for event in (
        TrialExited(only),
        TrialExitedEarly(only, ExitReason.ERRORED),
        ValidationCompleted(only, {}),
        TrialProgress(only, 0.1),
    ):
        assert search.apply(event) == []
    assert search.notes[0].reason == "the search is over"
    assert search.progress() == 1


def test_unknown_trial() -> None:
    """A report of a trial that the search never asked for is refused."""
    search = method_for(TWO)
    search.initial()
    with pytest.raises(Invalid, match="no trial 7"):
        search.apply(TrialExited("7"))


def test_told_although_it_decides_itself() -> None:
    """Only a custom search takes instructions."""
    search = method_for(TWO)
    with pytest.raises(Invalid, match="custom"):
        search.apply(Tell("a"))


def test_continued_single_trial() -> None:
    """A trial that runs again reopens its search, which then ends anew with the new outcome."""
    search = method_for(config("single"))
    (only,) = created(search.initial())
    search.apply(TrialExitedEarly(only, ExitReason.ERRORED))
    assert verdicts(search.apply(TrialExited(only))) == [(False, True)]
    assert search.apply(TrialContinued(only)) == []
    assert search.progress() == 0
    search.apply(TrialProgress(only, 0.5))
    assert search.progress() == 0.5
    assert verdicts(search.apply(TrialExited(only))) == [(False, False)]


def test_continued_after_a_cancel() -> None:
    """Trials whose end was never told run again, and the rest of the budget follows."""
    conf = config("random", {}, max_trials=3, max_concurrent_trials=1)
    search = method_for(conf)
    (first,) = created(search.initial())
    search = reborn(search, conf)
    assert search.apply(TrialContinued(first)) == []
    (second,) = created(search.apply(TrialExited(first)))
    (third,) = created(search.apply(TrialExited(second)))
    assert brief(search.apply(TrialExited(third))) == [("shutdown", False, False)]


def test_slim_keeps_what_decides() -> None:
    """A log needs no validations of searches that do not look at them, two metrics of those that do, and no progress."""
    search = method_for(config("async_halving", {}, num_rungs=1, max_time=1, max_trials=1))
    assert search.slim(ValidationCompleted("a", {"loss": 1, "time": 2, "more": 3})) == ValidationCompleted(
        "a", {"loss": 1, "time": 2}
    )
    assert method_for(TWO).slim(ValidationCompleted("a", {"loss": 1})) is None
    assert search.slim(TrialProgress("a", 0.5)) is None
    assert search.slim(TrialCreated("a")) is None
    assert search.slim(TrialExited("a")) == TrialExited("a")


def test_states_of_others() -> None:
    """A state of another method or version is refused."""
    state = method_for(TWO).snapshot()
    with pytest.raises(Invalid, match="random search, not of a grid"):
        method_for(config("grid", {})).restore(state)
    with pytest.raises(Invalid, match="version 99"):
        method_for(TWO).restore(state | {"version": 99})


def test_trials_in_order() -> None:
    """The search tells how many trials it asked for and which, in order."""
    search = method_for(config("random", {}, max_trials=3, max_concurrent_trials=2))
    ids = created(search.initial())
    ids += created(search.apply(TrialExited(ids[0])))
    assert (search.trial_count, search.trial_ids()) == (3, ids)
