"""Every search against the slow model, under random interleavings of reports, ends and crashes."""

import math
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.core.search.helpers import brief, config, reborn
from undeterred.core.search import (
    Event,
    ExitReason,
    Search,
    TrialExited,
    TrialExitedEarly,
    TrialProgress,
    ValidationCompleted,
    event_from_json,
    event_to_json,
    method_for,
    recover,
    replay,
)

pytest.importorskip("numpy")
from tests.core.search.model import Model

GRID_SPACE = {
    "k": {"type": "categorical", "vals": [1, 2]},
    "n": {"i": {"type": "int", "minval": -1, "maxval": 2, "count": 3}, "empty": {}, "c": {"type": "const", "val": "z"}},
}
VALUES = st.one_of(
    st.sampled_from([0, 1, 0.5, -0.5, "NaN", "Infinity", "-Infinity", 1e300, math.nan]),
    st.floats(-2, 2),
    st.integers(-3, 3),
)
REASONS = st.sampled_from(list(ExitReason))


@st.composite
def configs(pick: Any) -> dict[str, Any]:
    """Small searches of every kind."""
    name = pick(st.sampled_from(["single", "random", "grid", "async_halving", "adaptive_asha"]))
    more: dict[str, Any] = {"smaller_is_better": pick(st.booleans())}
    if name != "single":
        more["max_concurrent_trials"] = pick(st.sampled_from([0, 1, 2, 5, 16]))
    if name not in ("single", "grid"):
        more["max_trials"] = pick(st.integers(1, 14))
    if name in ("async_halving", "adaptive_asha"):
        more["max_time"], more["divisor"] = pick(st.sampled_from([1, 4, 20, 64])), pick(st.sampled_from([2, 3, 4, 2.5]))
    if name == "async_halving":
        more["num_rungs"] = pick(st.integers(1, 4))
    if name == "adaptive_asha":
        more["mode"] = pick(st.sampled_from(["aggressive", "standard", "conservative"]))
        more["bracket_rungs"] = pick(st.sampled_from([[], [], [1, 3], [2, 2]]))
    return config(name, GRID_SPACE if name == "grid" else None, pick(st.integers(0, 2**32 - 1)), **more)


class Interleaving(RuleBasedStateMachine):
    """One search and its model, told the same things."""

    @initialize(conf=configs())
    def begin(self, conf: dict[str, Any]) -> None:
        self.conf, self.search, self.model = conf, method_for(conf), Model(conf)
        self.log: list[Event] = []
        self.decided: list[list[Any]] = []
        self.times: dict[str, int] = {}
        self.shown = 0.0
        first = self.search.initial()
        self.compare(first, self.model.start())
        self.decided.append(first)

    def compare(self, actions: list[Any], expected: list[Any]) -> None:
        got = brief(actions)
        assert [self.rounded(item) for item in got] == [self.rounded(item) for item in expected]

    def rounded(self, item: tuple[Any, ...]) -> tuple[Any, ...]:
        """Powers may differ from the C library's in their last bits."""
        if item[0] != "create" or "lr" not in item[3]:
            return item
        return (*item[:3], {**item[3], "lr": float(f"{item[3]['lr']:.12g}")})

    def tell(self, event: Event, expected: list[Any]) -> None:
        actions = self.search.apply(event)
        kept = self.search.slim(event)
        if kept is None:
            assert actions == []
        else:
            self.log.append(event_from_json(event_to_json(kept)))
            self.decided.append(actions)
        assert all(action.reason for action in actions)
        self.compare(actions, expected)

    def pick(self, data: Any) -> str:
        return data.draw(st.sampled_from(self.search.trial_ids()))

    @rule(data=st.data(), value=VALUES, step=st.integers(0, 30))
    def validate(self, data: Any, value: Any, step: int) -> None:
        request_id = self.pick(data)
        self.times[request_id] = self.times.get(request_id, 0) + step
        metrics = {"loss": value, "time": self.times[request_id] + 0.5, "other": 1}
        self.tell(ValidationCompleted(request_id, metrics), self.model.validated(request_id, metrics))

    @rule(
        data=st.data(),
        broken=st.sampled_from([{}, {"loss": 1}, {"time": 1}, {"loss": True, "time": 1}, {"loss": 1, "time": "NaN"}]),
    )
    def validate_badly(self, data: Any, broken: dict[str, Any]) -> None:
        request_id = self.pick(data)
        self.tell(ValidationCompleted(request_id, broken), self.model.validated(request_id, broken))

    @rule(data=st.data(), reason=REASONS)
    def exit_early(self, data: Any, reason: ExitReason) -> None:
        request_id = self.pick(data)
        self.tell(TrialExitedEarly(request_id, reason), self.model.early(request_id, reason.value))

    @rule(data=st.data())
    def leave(self, data: Any) -> None:
        request_id = self.pick(data)
        self.tell(TrialExited(request_id), self.model.gone(request_id))

    @rule(data=st.data(), value=st.one_of(st.floats(0, 1), st.sampled_from([math.nan, math.inf, -1, 7])))
    def work(self, data: Any, value: float) -> None:
        self.tell(TrialProgress(self.pick(data), value), [])

    @rule()
    def crash(self) -> None:
        other = reborn(self.search, self.conf)
        assert other.snapshot() == self.search.snapshot()
        self.search = other

    @precondition(lambda self: len(self.log) % 5 == 4)
    @rule()
    def play_the_log(self) -> None:
        steps = list(replay(method_for(self.conf), self.log))
        assert [step.actions for step in steps] == self.decided
        half = len(self.log) // 2
        early, late = method_for(self.conf), method_for(self.conf)
        recover(early, None, self.log[:half])
        recover(late, early.snapshot(), self.log[half:])
        assert without_progress(late) == without_progress(self.search)

    @invariant()
    def progress_never_falls(self) -> None:
        assert self.shown <= self.search.progress() <= 1
        self.shown = self.search.progress()
        assert not self.search.over or self.shown == 1

    @invariant()
    def the_limit_holds(self) -> None:
        name, limit = self.search.name, self.conf["searcher"].get("max_concurrent_trials", 1)
        if name in ("single", "random", "grid") and limit:
            assert sum(not record.gone for record in self.model.trials.values()) <= limit


def without_progress(search: Search) -> dict[str, Any]:
    """A state without what logs leave out."""
    state = search.snapshot()
    state["best"] = 0
    for row in state["trials"]:
        row[2] = 0
    return state


TestInterleaving = Interleaving.TestCase
TestInterleaving.settings = settings(
    max_examples=150,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
