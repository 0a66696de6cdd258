"""Searches that others decide: an outside program, Optuna. Random interleavings of reports, ends, instructions and crashes."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.core.search.helpers import brief, config, created, reborn, stopped, verdicts
from undeterred.base import json as canonical
from undeterred.base.errors import Failure
from undeterred.core.search import (
    Event,
    ExitReason,
    NewTrial,
    Tell,
    TrialExited,
    TrialExitedEarly,
    TrialProgress,
    ValidationCompleted,
    action_to_json,
    event_from_json,
    event_to_json,
    method_for,
    recover,
)
from undeterred.core.search.explain import Replay

VALUES = st.one_of(st.sampled_from([0, 1, 0.5, "NaN", "Infinity", "-Infinity", 1e300]), st.floats(-2, 2))


class Machine(RuleBasedStateMachine):
    """One search that crashes, and the same one that never does, told the same things."""

    def start(self, conf: dict[str, Any]) -> None:
        self.conf, self.search, self.steady = conf, method_for(conf), method_for(conf)
        self.made: list[str] = []
        self.stopped: list[str] = []
        self.gone: set[str] = set()
        self.ends: list[tuple[bool, bool]] = []
        self.steps: dict[str, int] = {}
        self.shown = 0.0
        self.entries = [(canonical.dumps({"type": "start"} | conf), self.note(self.search.initial()))]
        self.steady.initial()

    def note(self, actions: list[Any]) -> str:
        self.made += created(actions)
        self.stopped += stopped(actions)
        self.ends += verdicts(actions)
        return canonical.dumps([action_to_json(action) for action in actions])

    def tell(self, event: Event) -> None:
        """The same decisions by both; what the log keeps of the event is noted."""
        actions = self.search.apply(event)
        assert brief(actions) == brief(self.steady.apply(event))
        assert not (created(actions) and self.ends)
        kept = self.search.slim(event)
        text = self.note(actions)
        if kept is None:
            assert actions == []
        else:
            self.entries.append((canonical.dumps(event_to_json(kept)), text))

    def pick(self, data: Any) -> str:
        return str(data.draw(st.sampled_from(self.made)))

    @precondition(lambda self: self.made)
    @rule(data=st.data(), value=VALUES, step=st.integers(0, 3))
    def validate(self, data: Any, value: Any, step: int) -> None:
        one = self.pick(data)
        self.steps[one] = self.steps.get(one, 0) + step
        self.tell(ValidationCompleted(one, {"loss": value, "time": self.steps[one], "more": [1]}))

    @precondition(lambda self: self.made)
    @rule(data=st.data(), broken=st.sampled_from([{}, {"loss": "x", "time": 1}, {"loss": 1}, {"loss": 1, "time": "NaN"}]))
    def validate_badly(self, data: Any, broken: dict[str, Any]) -> None:
        self.tell(ValidationCompleted(self.pick(data), broken))

    @precondition(lambda self: self.made)
    @rule(data=st.data(), reason=st.sampled_from(list(ExitReason)))
    def exit_early(self, data: Any, reason: ExitReason) -> None:
        self.tell(TrialExitedEarly(self.pick(data), reason))

    @precondition(lambda self: self.made)
    @rule(data=st.data())
    def leave(self, data: Any) -> None:
        one = self.pick(data)
        self.gone.add(one)
        self.tell(TrialExited(one))

    @precondition(lambda self: self.made)
    @rule(data=st.data(), value=st.floats(0, 1))
    def work(self, data: Any, value: float) -> None:
        self.tell(TrialProgress(self.pick(data), value))

    @rule()
    def crash(self) -> None:
        self.search = reborn(self.search, self.conf)

    @rule()
    def crash_without_snapshot(self) -> None:
        """The log alone brings the same state back, but for what trials say of their progress."""
        other = method_for(self.conf)
        recover(other, None, (event_from_json(json.loads(event)) for event, _ in self.entries[1:]))
        assert other.trial_ids() == self.search.trial_ids()
        assert other.snapshot()["strategy"] == self.search.snapshot()["strategy"]

    def teardown(self) -> None:
        if hasattr(self, "entries"):
            replay = Replay(self.conf)
            differences = [replay.step(seq, *entry).difference for seq, entry in enumerate(self.entries)]
            assert set(differences) == {""}

    @invariant()
    def promises(self) -> None:
        """Progress never falls; each trial is made and stopped once; the end comes once, after the last trial."""
        if not hasattr(self, "made"):
            return
        assert self.shown <= self.search.progress() <= 1
        self.shown = self.search.progress()
        for names in (self.made, self.stopped):
            assert len(names) == len(set(names))
        assert len(self.ends) <= 1
        assert not self.ends or self.gone == set(self.made)


class Custom(Machine):
    """Decided by a program that repeats itself and makes mistakes."""

    @initialize()
    def begin(self) -> None:
        self.start(config("custom"))
        self.tells: list[Tell] = []

    @rule(
        data=st.data(),
        create=st.lists(st.sampled_from([NewTrial(), NewTrial({"x": 1})]), max_size=2),
        stop=st.booleans(),
        progress=st.one_of(st.none(), st.floats(0, 1)),
    )
    def instruct(self, data: Any, create: list[NewTrial], stop: bool, progress: float | None) -> None:
        stops = (self.pick(data),) if stop and self.made else ()
        self.carry_out(Tell(f"t{len(self.tells)}", tuple(create), stops, progress))

    @precondition(lambda self: len(self.entries) > 12)
    @rule(cancel=st.booleans())
    def shut_down(self, cancel: bool) -> None:
        self.carry_out(Tell(f"t{len(self.tells)}", shutdown=True, cancel=cancel))

    def carry_out(self, tell: Tell) -> None:
        try:
            self.tell(tell)
        except Failure:
            assert tell.create
        else:
            self.tells.append(tell)

    @precondition(lambda self: self.tells)
    @rule(data=st.data())
    def repeat(self, data: Any) -> None:
        before = len(self.made)
        self.tell(data.draw(st.sampled_from(self.tells)))
        assert len(self.made) == before

    @rule(create=st.booleans())
    def mistake(self, create: bool) -> None:
        state = json.dumps(self.search.snapshot())
        wrong = Tell("wrong", (NewTrial(),) if create else (), ("nobody",))
        if not self.ends:
            with pytest.raises(Failure):
                self.search.apply(wrong)
            assert json.dumps(self.search.snapshot()) == state


class Optuna(Machine):
    """Decided by a sampler and a pruner."""

    @initialize(
        sampler=st.sampled_from(["RandomSampler", {"name": "TPESampler", "n_startup_trials": 2}]),
        pruner=st.sampled_from(["NopPruner", {"name": "MedianPruner", "n_startup_trials": 1}, "SuccessiveHalvingPruner"]),
        at_once=st.integers(0, 3),
        smaller=st.booleans(),
        timed=st.booleans(),
    )
    def begin(self, sampler: Any, pruner: Any, at_once: int, smaller: bool, timed: bool) -> None:
        more = {"time_metric": "time"} if timed else {}
        conf = config("optuna", max_trials=6, max_concurrent_trials=at_once, smaller_is_better=smaller, **more)
        conf["searcher"] |= {"sampler": sampler, "pruner": pruner}
        self.start(conf)


CALM = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestCustom = Custom.TestCase
TestCustom.settings = CALM


class TestOptuna(Optuna.TestCase):  # type: ignore[misc]
    """Where Optuna is installed."""

    settings = settings(CALM, max_examples=25, stateful_step_count=25)

    def setUp(self) -> None:
        """Skip without it."""
        pytest.importorskip("optuna")
