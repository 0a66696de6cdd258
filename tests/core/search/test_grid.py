"""Grid search."""

import pytest

from tests.core.search.helpers import brief, config, created, reborn, verdicts
from undeterred.base.errors import Invalid
from undeterred.core.search import Create, ExitReason, TrialExited, TrialExitedEarly, method_for

SPACE = {
    "opt": {"lr": {"type": "categorical", "vals": [0.1, 0.01]}, "mom": {"type": "const", "val": 0.9}},
    "depth": {"type": "int", "minval": 1, "maxval": 3, "count": 10},
    "act": {"type": "log", "base": 10, "minval": -3, "maxval": -1, "count": 2},
    "flag": {"type": "categorical", "vals": [True, False]},
}


def test_every_point_once_across_crashes() -> None:
    """24 combinations, each once, at most four at a time, also when the search is restored after every event."""
    conf = config("grid", SPACE, max_concurrent_trials=4)
    search = method_for(conf)
    actions = search.initial()
    alive, points = created(actions), [action.hparams for action in actions if isinstance(action, Create)]
    while alive:
        assert len(alive) <= 4
        search = reborn(search, conf)
        actions = search.apply(TrialExited(alive.pop(0)))
        alive += created(actions)
        points += [action.hparams for action in actions if isinstance(action, Create)]
    assert len(points) == len({str(point) for point in points}) == 24
    assert verdicts(actions) == [(False, False)]


def test_from_the_last_point_to_the_first() -> None:
    """Points are taken from the end of the grid, as the compatible system was seen to do."""
    space = {"i": {"type": "int", "minval": 1, "maxval": 5, "count": 2}, "k": {"type": "categorical", "vals": [1, 2, "x"]}}
    actions = method_for(config("grid", space, max_concurrent_trials=2)).initial()
    assert [action.hparams for action in actions if isinstance(action, Create)] == [{"i": 5, "k": "x"}, {"i": 5, "k": 2}]


def test_failed_trials_are_counted_once() -> None:
    """Eight failing points, two at a time: one replacement for each, and the search fails as a whole."""
    space = {"a": {"type": "int", "minval": 1, "maxval": 8, "count": 8}}
    search = method_for(config("grid", space, max_concurrent_trials=2))
    alive, total = created(search.initial()), 2
    while alive:
        assert search.apply(TrialExitedEarly(alive[0], ExitReason.ERRORED)) == []
        actions = search.apply(TrialExited(alive.pop(0)))
        alive += created(actions)
        total += len(created(actions))
        assert len(alive) <= 2
    assert (total, verdicts(actions)) == (8, [(False, True)])


def test_no_hyperparameters() -> None:
    """A grid without hyperparameters is one trial with none, and the search ends with it."""
    search = method_for(config("grid", {}))
    (only,) = search.initial()
    assert isinstance(only, Create)
    assert only.hparams == {}
    assert brief(search.apply(TrialExited(only.request_id))) == [("shutdown", False, False)]


def test_missing_count() -> None:
    """A member that cannot be spread is refused before any trial is made."""
    with pytest.raises(Invalid, match="`count`"):
        method_for(config("grid", {"x": {"type": "double", "minval": 0, "maxval": 1}}))
