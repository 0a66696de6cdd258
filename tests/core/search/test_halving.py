"""Asynchronous halving that stops."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.search.helpers import brief, config, created, stopped
from undeterred.base.errors import Invalid
from undeterred.core.search import (
    Action,
    Create,
    ExitReason,
    Fail,
    Search,
    Stop,
    TrialContinued,
    TrialExited,
    TrialExitedEarly,
    ValidationCompleted,
    method_for,
)


def halving(**more: Any) -> tuple[Search, list[str]]:
    """A search of two rungs (1 and 4 units) at its start, and its first trials."""
    given = {"num_rungs": 2, "max_time": 4, "max_trials": 12, "max_concurrent_trials": 12} | more
    search = method_for(config("async_halving", {}, **given))
    return search, created(search.initial())


def report(search: Search, request_id: str, loss: Any, time: Any = 1) -> list[Action]:
    """Tell of a validation."""
    return search.apply(ValidationCompleted(request_id, {"loss": loss, "time": time}))


def test_a_trial_behind_is_stopped_and_replaced() -> None:
    """The first in a rung goes on; the next one, being worse, is stopped, and a new trial takes its place."""
    search, (one, two) = halving(max_trials=3, max_concurrent_trials=2)
    assert report(search, one, 0.5) == []
    assert search.notes[0].facts["rank"] == 1
    stop, create = report(search, two, 0.6)
    assert isinstance(stop, Stop)
    assert (stop.request_id, stop.facts["rank"], stop.facts["of"], stop.facts["keep"]) == (two, 2, 2, 1)
    assert stop.reason == "rung 1 of 2 (1 units): rank 2 of 2, not among the best 1"
    assert isinstance(create, Create)
    assert create.replaces == two


def test_budget() -> None:
    """A stop without budget left makes no trial; trials that end by themselves are not replaced."""
    search, (one, two) = halving(max_trials=2, max_concurrent_trials=2)
    report(search, one, 0.5)
    assert brief(report(search, two, 0.6)) == [("stop", two)]
    assert search.apply(TrialExited(two)) == []
    assert brief(search.apply(TrialExited(one))) == [("shutdown", False, False)]


def test_ties_go_in_front() -> None:
    """A value equal to the best so far takes its place and goes on."""
    search, (one, two, *_) = halving()
    report(search, one, 0.5)
    assert report(search, two, 0.5) == []


def test_several_rungs_at_once() -> None:
    """A late first validation climbs every rung it has reached; the last one stops it."""
    search, (one, *_) = halving(num_rungs=3, max_time=16)
    actions = report(search, one, 0.5, 99)
    assert stopped(actions) == [one]
    assert [note.facts["rung"] for note in search.notes[:2]] == [0, 1]


def test_not_there_yet() -> None:
    """A validation before the rung's units enters nothing; a fraction of a unit does not count."""
    search, (one, two, *_) = halving(max_time=8)
    assert report(search, one, 9, 1.99) == []
    assert report(search, two, 10, 2) == []
    assert report(search, one, 11, 2) != []


def test_a_stop_is_given_once() -> None:
    """Reports after a stop enter no rung, stop nobody and make no trial; nor does the end of that trial, whatever it is."""
    search, (one, two, three, *_) = halving()
    report(search, one, 0.5)
    assert stopped(report(search, two, 0.6)) == [two]
    before = search.snapshot()["strategy"]
    for loss in (0.1, 0.9, math.nan):
        assert report(search, two, loss, 4) == []
    assert search.apply(TrialExitedEarly(two, ExitReason.ERRORED)) == []
    assert search.apply(TrialExited(two)) == []
    assert search.snapshot()["strategy"] == before
    assert stopped(report(search, three, 0.55)) == [three]


def test_missing_metric_fails_the_trial_alone() -> None:
    """A report without the searcher metric or the time metric ends that trial once, with a message that names the metric."""
    search, (one, two, *_) = halving()
    (fail,) = search.apply(ValidationCompleted(one, {"time": 1, "accuracy": 1}))
    assert isinstance(fail, Fail)
    assert "'loss'" in fail.message
    assert search.apply(ValidationCompleted(one, {})) == []
    (fail,) = search.apply(ValidationCompleted(two, {"loss": 1, "time": "soon"}))
    assert isinstance(fail, Fail)
    assert "'time'" in fail.message
    assert "'soon'" in fail.message
    actions = search.apply(TrialExitedEarly(one, ExitReason.ERRORED))
    assert created(actions) == []
    search, (one, *_) = halving(max_concurrent_trials=1)
    search.apply(ValidationCompleted(one, {}))
    assert len(created(search.apply(TrialExitedEarly(one, ExitReason.ERRORED)))) == 1


def test_failed_trial_ranks_worst() -> None:
    """A trial that fails fills its rung with the worst value, so that one more of the others goes on."""
    search, ids = halving(divisor=2, max_time=2)
    report(search, ids[0], 0.5)
    search.apply(TrialExitedEarly(ids[1], ExitReason.ERRORED))
    search.apply(TrialExitedEarly(ids[2], ExitReason.USER_CANCELED))
    assert report(search, ids[3], 0.6) == []


def test_invalid_sample_leaves_the_rungs() -> None:
    """What an invalid sample had entered is taken out, and it is replaced although the budget was spent."""
    search, (one, two) = halving(max_trials=2, max_concurrent_trials=2)
    report(search, one, 0.1)
    assert search.snapshot()["strategy"]["rungs"] == [[0.1], []]
    assert len(created(search.apply(TrialExitedEarly(one, ExitReason.INVALID_HP)))) == 1
    assert search.snapshot()["strategy"]["rungs"] == [[], []]
    assert report(search, two, 0.2) == []


@given(
    st.lists(st.sampled_from(["NaN", 0.9, 0.1, 0.5, 0.2, "Infinity", "-Infinity", math.nan]), min_size=12, max_size=12),
    st.booleans(),
)
def test_nan_is_the_worst_value(losses: list[Any], smaller: bool) -> None:
    """With any order of reports and either direction, values that are no finite numbers decide as a terrible finite one does."""
    one, ids = halving(smaller_is_better=smaller)
    other, _ = halving(smaller_is_better=smaller)
    terrible = 1e300 if smaller else -1e300
    for request_id, loss in zip(ids, losses, strict=True):
        finite = terrible if isinstance(loss, str) or math.isnan(loss) else loss
        assert brief(report(one, request_id, loss)) == brief(report(other, request_id, finite))


def test_good_value_after_nan_goes_on() -> None:
    """A NaN that came first does not keep a good value from going on."""
    search, ids = halving()
    for request_id in ids[:3]:
        report(search, request_id, "NaN")
    assert report(search, ids[3], 0.9) == []


@pytest.mark.parametrize("missing", ["max_time", "time_metric", "num_rungs", "max_trials"])
def test_incomplete(missing: str) -> None:
    """A searcher section without a needed field is refused, naming it."""
    conf = config("async_halving", num_rungs=2, max_time=4, max_trials=2)
    del conf["searcher"][missing]
    with pytest.raises(Invalid, match=missing):
        method_for(conf)


def test_number_of_rungs() -> None:
    """More rungs than make sense are refused; a long ladder of one-unit rungs is not."""
    with pytest.raises(Invalid, match="num_rungs"):
        halving(num_rungs=10**9)
    search, (one, *_) = halving(num_rungs=1000, max_time=4)
    assert stopped(report(search, one, 1, 4)) == [one]


@pytest.mark.parametrize(
    ("at_once", "rungs", "trials", "first"), [(0, 3, 100, 16), (0, 3, 5, 5), (0, 1, 9, 1), (7, 3, 5, 5), (3, 3, 50, 3)]
)
def test_first_trials(at_once: int, rungs: int, trials: int, first: int) -> None:
    """Without a limit as many begin as let one reach the top, within the budget."""
    _, ids = halving(max_concurrent_trials=at_once, num_rungs=rungs, max_trials=trials)
    assert len(ids) == first


def test_continued_trial_reports_again() -> None:
    """A trial that had failed for a missing metric and runs again is ranked by its next report."""
    search, (one,) = halving(max_trials=1, max_concurrent_trials=1)
    search.apply(ValidationCompleted(one, {}))
    search.apply(TrialExitedEarly(one, ExitReason.ERRORED))
    search.apply(TrialExited(one))
    search.apply(TrialContinued(one))
    assert brief(report(search, one, 0.5, 4)) == [("stop", one)]
