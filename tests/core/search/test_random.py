"""Random and single searches."""

import pytest

from tests.core.search.helpers import brief, config, created, verdicts
from undeterred.base.errors import Invalid
from undeterred.core.search import Create, ExitReason, TrialExited, TrialExitedEarly, TrialProgress, method_for
from undeterred.core.search.method import INVALID_LIMIT


def test_recorded_samples() -> None:
    """Seed 7 gives the hyperparameters that the compatible system was seen to give, to the last bit."""
    space = {
        "d": {"type": "double", "minval": 0, "maxval": 1},
        "i": {"type": "int", "minval": 1, "maxval": 100},
        "l": {"type": "log", "base": 10, "minval": -3, "maxval": 0},
    }
    actions = method_for(config("random", space, max_trials=3, max_concurrent_trials=2)).initial()
    assert [action.hparams for action in actions if isinstance(action, Create)] == [
        {"d": 0.07630828937395717, "i": 26, "l": 0.009055588459196592},
        {"d": 0.5384958704104337, "i": 73, "l": 0.0018206660312738065},
    ]


def test_one_for_one_until_the_budget_is_spent() -> None:
    """Never more than two trials live, eight run in all, however they end."""
    search = method_for(config("random", max_trials=8, max_concurrent_trials=2))
    alive, total = created(search.initial()), 2
    while alive:
        first = alive.pop(0)
        actions = search.apply(TrialExitedEarly(first, ExitReason.USER_CANCELED)) if total % 2 else []
        assert created(actions) == []
        actions = search.apply(TrialExited(first))
        alive += created(actions)
        total += len(created(actions))
        assert len(alive) <= 2
    assert (total, verdicts(actions)) == (8, [(False, False)])


def test_no_limit_of_concurrency() -> None:
    """A limit of 0 starts all trials at once."""
    assert len(method_for(config("random", max_trials=40, max_concurrent_trials=0)).initial()) == 40


def test_invalid_sample_is_replaced_once() -> None:
    """An invalid sample reported twice gives one replacement: four trials for a budget of three, and the search completes."""
    search = method_for(config("random", max_trials=3, max_concurrent_trials=3))
    first, *rest = created(search.initial())
    for _ in range(2):
        assert search.apply(TrialExitedEarly(first, ExitReason.INVALID_HP)) == []
    (replacement,) = created(search.apply(TrialExited(first)))
    assert search.apply(TrialExitedEarly(first, ExitReason.INVALID_HP)) == []
    ends = [search.apply(TrialExited(one)) for one in (*rest, replacement)]
    assert ends[:2] == [[], []]
    assert brief(ends[2]) == [("shutdown", False, False)]


def test_replacement_names_whom_it_replaces() -> None:
    """A new trial says in whose place it comes, so that an engine can wait for that one to be gone."""
    search = method_for(config("random", max_trials=2, max_concurrent_trials=1))
    (first,) = created(search.initial())
    (action,) = search.apply(TrialExited(first))
    assert isinstance(action, Create)
    assert action.replaces == first


def test_space_without_valid_point_ends() -> None:
    """Invalid samples are not replaced for ever: after many in a row the search fails."""
    search = method_for(config("random", max_trials=1, max_concurrent_trials=1))
    alive, total = created(search.initial()), 0
    while alive:
        total += 1
        search.apply(TrialExitedEarly(alive[0], ExitReason.INVALID_HP))
        actions = search.apply(TrialExited(alive.pop()))
        alive += created(actions)
    assert total == INVALID_LIMIT
    assert verdicts(actions) == [(False, True)]


def test_single_is_never_replaced() -> None:
    """One trial; an invalid one ends the search without a failure and without another trial."""
    search = method_for(config("single"))
    (only,) = created(search.initial())
    for _ in range(2):
        assert search.apply(TrialExitedEarly(only, ExitReason.INVALID_HP)) == []
    assert brief(search.apply(TrialExited(only))) == [("shutdown", False, False)]
    assert search.apply(TrialExited(only)) == []
    assert search.progress() == 1


def test_progress_counts_trials_to_come() -> None:
    """Progress is the mean over the budget, goes only up, and takes no notice of numbers that make no sense."""
    search = method_for(config("random", max_trials=4, max_concurrent_trials=2))
    one, two = created(search.initial())
    search.apply(TrialProgress(one, 0.5))
    assert search.progress() == pytest.approx(0.125)
    for nonsense in (float("nan"), float("inf"), -1.0, 0.25):
        search.apply(TrialProgress(one, nonsense))
    assert search.progress() == pytest.approx(0.125)
    search.apply(TrialProgress(two, 3))
    search.apply(TrialExited(one))
    assert search.progress() == pytest.approx(0.5)


def test_too_many_at_once() -> None:
    """A search that would start millions of trials at once is refused."""
    with pytest.raises(Invalid, match="max_concurrent_trials"):
        method_for(config("random", max_trials=10**9, max_concurrent_trials=0))


def test_work_on_an_invalid_sample_is_no_progress() -> None:
    """What an invalid sample had done does not count, and progress still does not fall."""
    search = method_for(config("random", max_trials=2, max_concurrent_trials=2))
    one, two = created(search.initial())
    search.apply(TrialProgress(one, 0.5))
    search.apply(TrialExitedEarly(one, ExitReason.INVALID_HP))
    assert search.progress() == pytest.approx(0.25)
    search.apply(TrialProgress(one, 0.9))
    search.apply(TrialProgress(two, 0.8))
    assert search.progress() == pytest.approx(0.4)
