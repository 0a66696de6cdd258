"""From a name to an algorithm."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.core.search.helpers import brief, config, created
from undeterred.base.errors import Invalid
from undeterred.core.search import Action, ExitReason, Rng, Setup, Trial, TrialExited, built_in, method_for


class Twice:
    """A plug-in: two trials, one after the other."""

    name = "twice"

    def __init__(self, setup: Setup) -> None:
        self.book = setup.book
        self.left = 2

    def initial(self) -> list[Action]:
        return self.exited(None)

    def validated(self, trial: Trial, metrics: Mapping[str, Any]) -> list[Action]:
        return []

    def exited_early(self, trial: Trial, reason: ExitReason) -> list[Action]:
        return []

    def exited(self, trial: Trial | None) -> list[Action]:
        if not self.left:
            return []
        self.left -= 1
        return [self.book.create("one of two")]

    def share(self) -> int:
        return self.book.progress // 2

    def slim(self, metrics: Mapping[str, Any]) -> None:
        return None

    def dump(self) -> Any:
        return self.left

    def load(self, state: Any) -> None:
        self.left = state

    def load_place(self, state: Any) -> Any:
        return state


def test_plug_in() -> None:
    """A factory found by name runs like a built-in one, in one file and without knowing of reports that come twice."""
    search = method_for(config("twice"), extra={"twice": Twice}.get)
    (one,) = created(search.initial())
    (two,) = created(search.apply(TrialExited(one)))
    assert search.apply(TrialExited(one)) == []
    assert search.progress() == 0.5
    assert brief(search.apply(TrialExited(two))) == [("shutdown", False, False)]


def test_built_in_names_come_first() -> None:
    """Nothing from outside can take the name of a built-in algorithm."""
    search = method_for(config("single"), extra={"single": Twice}.get)
    assert search.name == "single"


def test_unknown_name() -> None:
    """An unknown searcher is refused with those that are known."""
    with pytest.raises(Invalid, match="'asha'; known are single, random, grid, async_halving, adaptive_asha, custom"):
        method_for(config("asha"), extra=lambda name: None)


def test_names_agree() -> None:
    """Every search calls itself by the name it was asked for under."""
    more = {"max_trials": 3, "max_time": 4, "num_rungs": 1}
    names = [name for name in built_in() if name != "optuna"]  # that one needs a library that may not be there
    assert [method_for(config(name, {}, **more)).name for name in names] == names


def test_seed_or_stream() -> None:
    """The stream is the experiment's seed, or what is handed in."""
    first = created(method_for(config("single", seed=5)).initial())
    assert created(method_for(config("single", seed=9), 5).initial()) == first
    assert created(method_for(config("single", seed=9), Rng(5)).initial()) == first
