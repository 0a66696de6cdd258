"""Searches with Optuna's samplers and pruners."""

import json
import math
from random import Random
from typing import Any

import pytest

from tests.core.search.helpers import SPACE, config, created, reborn, stopped, verdicts
from undeterred.base.errors import Invalid
from undeterred.core.search import (
    Action,
    Create,
    Event,
    ExitReason,
    Fail,
    Search,
    TrialExited,
    TrialExitedEarly,
    ValidationCompleted,
    method_for,
    replay,
)

pytest.importorskip("optuna")


def conf(**more: Any) -> dict[str, Any]:
    """A small search."""
    return config(
        "optuna", more.pop("space", None), **{"max_trials": 12, "max_concurrent_trials": 3, "time_metric": "time"} | more
    )


def drive(search: Search, settings: dict[str, Any], *, crash: bool) -> tuple[list[Event], list[list[Action]]]:
    """Run a search to its end with made-up results; with `crash` it is restored from its state after every few events."""
    dice = Random(4)
    actions = search.initial()
    log: list[Event] = []
    decided = [actions]
    times = dict.fromkeys(created(actions), 0)
    while times:
        one = dice.choice(list(times))
        times[one] += 1
        event: Event = ValidationCompleted(one, {"loss": dice.choice(["NaN", dice.random(), dice.random()]), "time": times[one]})
        if times[one] > 4:
            del times[one]
            event = TrialExited(one)
        if dice.random() < 0.05 and one in times:
            event = TrialExitedEarly(one, dice.choice(list(ExitReason)))
        actions = search.apply(event)
        log.append(event)
        decided.append(actions)
        times |= dict.fromkeys(created(actions), 0)
        assert len(times) <= 3
        if crash and len(log) % 7 == 0:
            search = reborn(search, settings)
    assert len(verdicts(actions)) == 1
    return log, decided


GRID = {"name": "GridSampler", "search_space": {"nest.a": ["x", [1, 2]], "nest.b": [1, 2, 3], "lr": [0.001, 0.1]}}
FIXED = {"name": "PartialFixedSampler", "fixed_params": {"nest.a": [1, 2]}, "base_sampler": "RandomSampler"}
SAMPLERS: list[Any] = [
    "TPESampler",
    "RandomSampler",
    "QMCSampler",
    {"name": "NSGAIISampler", "population_size": 4, "crossover": "UniformCrossover", "mutation": "PolynomialMutation"},
    {"name": "NSGAIIISampler", "population_size": 4},
    {"name": "TPESampler", "multivariate": True, "n_startup_trials": 3},
    GRID,
    FIXED,
]
PRUNERS: list[Any] = [
    "NopPruner",
    "MedianPruner",
    "SuccessiveHalvingPruner",
    "HyperbandPruner",
    "WilcoxonPruner",
    {"name": "PercentilePruner", "percentile": 50},
    {"name": "ThresholdPruner", "upper": 0.9},
    {"name": "PatientPruner", "wrapped_pruner": "MedianPruner", "patience": 1},
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda one: one if isinstance(one, str) else one["name"])
@pytest.mark.parametrize("pruner", PRUNERS, ids=lambda one: one if isinstance(one, str) else one["name"])
def test_replay_and_crashes(sampler: Any, pruner: Any) -> None:
    """The same events give the same samples, stops and end: live, replayed from the log, and restored again and again."""
    settings = conf(sampler=sampler, pruner=pruner)
    log, decided = drive(method_for(settings), settings, crash=False)
    assert drive(method_for(settings), settings, crash=True) == (log, decided)
    assert [step.actions for step in replay(method_for(settings), log)] == decided


def test_values_in_options_are_those_of_the_space() -> None:
    """A grid and fixed values are written with the categories themselves."""
    points = [action.hparams for action in method_for(conf(sampler=GRID, max_trials=9, max_concurrent_trials=0)).initial()]  # type: ignore[union-attr]
    assert {json.dumps(point["nest"]["a"]) for point in points} == {'"x"', "[1, 2]"}
    assert {point["lr"] for point in points} == {0.001, 0.1}
    fixed = method_for(conf(sampler=FIXED, max_trials=5, max_concurrent_trials=0)).initial()
    assert [action.hparams["nest"]["a"] for action in fixed] == [[1, 2]] * 5  # type: ignore[union-attr]


@pytest.mark.parametrize("sampler", ["BruteForceSampler", {"name": "GridSampler", "search_space": {"n": [1, 2, 3]}}])
def test_a_finite_space_ends_the_search(sampler: Any) -> None:
    """When every point has been tried no trial follows, although the budget would allow more."""
    space = {"n": {"type": "int", "minval": 1, "maxval": 3}}
    search = method_for(conf(space=space, sampler=sampler, max_trials=10, max_concurrent_trials=1))
    tried, actions = [], search.initial()
    while isinstance(actions[0], Create):
        tried.append(actions[0].hparams["n"])
        search.apply(ValidationCompleted(actions[0].request_id, {"loss": tried[-1], "time": 1}))
        actions = search.apply(TrialExited(actions[0].request_id))
    assert sorted(tried) == [1, 2, 3]
    assert verdicts(actions) == [(False, False)]


@pytest.mark.parametrize("name", ["CmaEsSampler", "GPSampler"])
def test_samplers_that_need_more(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the library imports only later is asked for at once, by name."""
    monkeypatch.setattr("undeterred.core.search.optuna.find_spec", lambda package: None)
    with pytest.raises(Invalid, match=f"{name} needs the package (cmaes|torch), which is not installed"):
        method_for(conf(sampler=name))


def test_samples_lie_in_the_space() -> None:
    """Samples have the space's nesting, bounds and values, lists and objects included."""
    for action in method_for(conf(max_concurrent_trials=0, max_trials=30)).initial():
        assert isinstance(action, Create)
        assert action.hparams.keys() == SPACE.keys()
        assert 1e-4 <= action.hparams["lr"] <= 1
        assert action.hparams["depth"] == [3, 4]
        assert action.hparams["nest"]["a"] in ["x", [1, 2], {"k": None}]
        assert action.hparams["nest"]["b"] in range(1, 10)


def test_seed() -> None:
    """The experiment's seed decides the samples; another seed gives others."""

    def first(seed: int) -> Any:
        (action, *_) = method_for(config("optuna", seed=seed, max_trials=3)).initial()
        return action

    assert first(1) == first(1)
    assert first(1).hparams != first(2).hparams


def test_it_learns() -> None:
    """The sampler is told the results: later samples are better than the first ones, in the direction of the metric."""
    space = {"x": {"type": "double", "minval": -10, "maxval": 10}}
    settings = conf(space=space, max_trials=60, max_concurrent_trials=1, smaller_is_better=False)
    search = method_for(settings)
    actions, losses = search.initial(), []
    while actions and isinstance(actions[0], Create):
        one = actions[0]
        losses.append((one.hparams["x"] - 3) ** 2)
        search.apply(ValidationCompleted(one.request_id, {"loss": -losses[-1], "time": 1}))
        actions = search.apply(TrialExited(one.request_id))
    assert len(losses) == 60
    assert sum(losses[40:]) < sum(losses[:20]) / 4


@pytest.mark.parametrize("smaller", [True, False])
@pytest.mark.parametrize("loss", ["NaN", math.nan, "Infinity", "-Infinity", 1e9])
def test_hopeless_trials_are_stopped_once(smaller: bool, loss: Any) -> None:
    """A trial far behind, or without a finite value, is stopped, whichever direction is better, and then left alone."""
    pruner = {"name": "MedianPruner", "n_startup_trials": 1, "n_warmup_steps": 0}
    search = method_for(conf(pruner=pruner, smaller_is_better=smaller))
    one, two, _ = created(search.initial())
    sign = 1 if smaller else -1
    search.apply(ValidationCompleted(one, {"loss": 0.5 * sign, "time": 1}))
    search.apply(TrialExited(one))
    bad = loss * sign if isinstance(loss, float) else loss
    assert stopped(search.apply(ValidationCompleted(two, {"loss": bad, "time": 1}))) == [two]
    assert search.apply(ValidationCompleted(two, {"loss": bad, "time": 2})) == []
    assert len(created(search.apply(TrialExited(two)))) == 1


def test_a_step_reported_twice() -> None:
    """A repeated or earlier step is no new report."""
    search = method_for(conf())
    one, *_ = created(search.initial())
    for time in (2, 2, 1):
        assert search.apply(ValidationCompleted(one, {"loss": 1, "time": time})) == []
    assert search.notes[0].reason == "step 1 was reported before"


@pytest.mark.parametrize("metrics", [{"time": 1}, {"loss": 1}, {"loss": "x", "time": 1}, {"loss": 1, "time": "NaN"}])
def test_missing_metric_fails_the_trial(metrics: dict[str, Any]) -> None:
    """A report that cannot be used ends its trial alone."""
    search = method_for(conf())
    one, *_ = created(search.initial())
    (fail,) = search.apply(ValidationCompleted(one, metrics))
    assert isinstance(fail, Fail)
    assert fail.request_id == one


def test_invalid_sample_is_replaced() -> None:
    """An invalid sample does not count against the budget."""
    search = method_for(conf(max_trials=1, max_concurrent_trials=1))
    (one,) = created(search.initial())
    search.apply(TrialExitedEarly(one, ExitReason.INVALID_HP))
    (two,) = created(search.apply(TrialExited(one)))
    assert verdicts(search.apply(TrialExited(two))) == [(False, False)]


def test_state_of_another_version() -> None:
    """With another version of the library the search goes on with the samples that were recorded."""
    settings = conf(sampler="RandomSampler")
    search = method_for(settings)
    search.initial()
    state = json.loads(json.dumps(search.snapshot()))
    state["strategy"]["version"] = "0.1"
    state["strategy"]["done"][0][1]["lr"] = 0.125
    other = method_for(settings)
    other.restore(state)
    assert other.snapshot()["strategy"]["done"][0][1]["lr"] == 0.125
    assert created(other.apply(TrialExited(other.trial_ids()[0])))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"sampler": "MagicSampler"}, "TPESampler.*MagicSampler"),
        ({"pruner": {"interval": 2}}, "MedianPruner.*None"),
        ({"sampler": {"name": "TPESampler", "magic": 1}}, "TPESampler does not take these options"),
        ({"pruner": {"name": "PercentilePruner", "percentile": 400}}, "PercentilePruner does not take these options"),
        ({"sampler": "BruteForceSampler"}, "cannot draw from these hyperparameters: .*infinite"),
        ({"sampler": "BaseGASampler"}, "NSGAIISampler.*BaseGASampler"),
        ({"sampler": {"name": "NSGAIISampler", "crossover": 3}}, "crossover .* is a name, or an object"),
        ({"sampler": {**GRID, "search_space": {"gone": [1]}}}, "no hyperparameter 'gone'"),
        ({"sampler": {**FIXED, "fixed_params": {"nest.a": "y"}}}, "'y' is no value of the hyperparameter nest.a"),
    ],
)
def test_unknown_names_and_options(more: dict[str, Any], words: str) -> None:
    """Unknown names are refused with those that are known, wrong options with what the library says."""
    with pytest.raises(Invalid, match=words):
        method_for(conf(**more))
