"""Search with a sampler and a pruner of Optuna, by name.

    searcher:
      name: optuna
      metric: validation_loss
      max_trials: 100
      max_concurrent_trials: 8
      sampler: {name: TPESampler, multivariate: true}     # or only a name; TPESampler is the default
      pruner: {name: MedianPruner, n_startup_trials: 5}   # NopPruner, which prunes nothing, is the default
      time_metric: batches                                # the step of a report; without it, reports are counted

The experiment's seed seeds the sampler. Samplers cannot be stored as JSON, so the state holds what was asked and told, and is
rebuilt by doing it again. With another version of Optuna than the one that wrote the state the recorded samples are kept, and
only what follows is drawn anew.
"""

import inspect
import math
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from undeterred.base.errors import Invalid
from undeterred.core.search.actions import Action, Fail, Stop
from undeterred.core.search.events import ExitReason
from undeterred.core.search.method import Book, Setup, Trial, check_start
from undeterred.core.search.metric import WORST, as_number, rank_value
from undeterred.core.search.power import power
from undeterred.core.search.random import RandomSearch
from undeterred.core.search.space import leaves

_INNER = {
    "base_sampler": "sampler",
    "crossover": "crossover",
    "independent_sampler": "sampler",
    "mutation": "mutation",
    "wrapped_pruner": "pruner",
}
"""Options that are parts with a name themselves."""
_BASES = {
    "sampler": ("samplers", "BaseSampler"),
    "pruner": ("pruners", "BasePruner"),
    "crossover": ("samplers.nsgaii", "BaseCrossover"),
    "mutation": ("samplers.nsgaii", "BaseMutation"),
}
"""Where the library keeps the parts of a kind, and what they all are."""
_PACKAGES = {"CmaEsSampler": "cmaes", "GPSampler": "torch"}
"""Packages that the library imports only when a search is well under way."""
_BAD = 1e300
"""A terrible value that pruners can still calculate with."""


class Course:
    """How a trial does: the last step it reported, its best value (smaller is better), and whether its result was told."""

    __slots__ = ("best", "step", "told")

    def __init__(self, step: int = -1, best: float = math.inf, told: bool = False) -> None:
        self.step = step
        self.best = best
        self.told = told

    def dump(self) -> list[Any]:
        """As JSON data."""
        return [self.step, None if math.isinf(self.best) else self.best, self.told]


class OptunaSearch(RandomSearch):
    """A random search whose samples are Optuna's, and whose hopeless trials are stopped by its pruner."""

    def __init__(
        self, book: Book, searcher: Mapping[str, Any], space: "Dimensions", make_study: Callable[[], Any], library: Any
    ) -> None:
        """`make_study` gives a fresh study, always the same one."""
        super().__init__(book, int(searcher["max_trials"]), int(searcher.get("max_concurrent_trials", 16)), name="optuna")
        self._metric = str(searcher["metric"])
        self._smaller = bool(searcher.get("smaller_is_better", True))
        self._time = searcher.get("time_metric")
        self._space = space
        self._make_study = make_study
        self._states = library.trial.TrialState
        self._version = str(library.__version__)
        self._begin()

    def validated(self, trial: Trial, metrics: Mapping[str, Any]) -> list[Action]:
        """Report the value, and stop the trial if the pruner says so."""
        course: Course = trial.place
        if course.told:
            self._book.note(trial.request_id, "the result of this trial is known already")
            return []
        try:
            value = rank_value(metrics, self._metric, self._smaller)
            step = self._step(course, metrics)
        except Invalid as problem:
            trial.faulted = True
            return [Fail(trial.request_id, str(problem), "the report cannot be used")]
        course.best = min(course.best, value)
        if step <= course.step:
            self._book.note(trial.request_id, f"step {step} was reported before")
            return []
        course.step = step
        shown = self._outward(_BAD if value == WORST else value)
        self._do("report", trial.number, shown, step)
        if not self._hopeless:
            self._book.note(trial.request_id, f"the pruner lets it go on at step {step}", value=shown)
            return []
        self._tell(trial, "PRUNED", None)
        return [Stop(trial.request_id, f"the pruner gives it up at step {step}", {"step": step, "value": shown})]

    def exited_early(self, trial: Trial, reason: ExitReason) -> list[Action]:
        """A trial that did not end well has no result."""
        self._tell(trial, "FAIL", None)
        return super().exited_early(trial, reason)

    def exited(self, trial: Trial) -> list[Action]:
        """The result of a trial is its best value; then the next one."""
        best = trial.place.best
        if math.isinf(best):
            self._tell(trial, "FAIL", None)
        else:
            self._tell(trial, "COMPLETE", self._outward(math.inf if best == WORST else best))
        if self._exhausted:
            self._book.note(trial.request_id, "the sampler has tried every point of the space")
            return []
        return super().exited(trial)

    def slim(self, metrics: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The searcher metric and the time metric."""
        return {name: metrics[name] for name in (self._metric, self._time) if name is not None and name in metrics}

    def dump(self) -> dict[str, Any]:
        """What was done with the study, and by which version."""
        return {**super().dump(), "version": self._version, "done": [list(step) for step in self._done]}

    def load(self, state: Mapping[str, Any]) -> None:
        """Do it again."""
        super().load(state)
        self._begin()
        same = state["version"] == self._version
        for name, *facts in state["done"]:
            if name == "ask" and not same:
                self._study.enqueue_trial(facts[0])
            self._do(name, *facts)

    def load_place(self, state: Any) -> Any:
        """A trial's course from its dump."""
        step, best, told = state
        return Course(step, math.inf if best is None else float(best), told)

    def _draw(self, why: str, replaces: str | None = None) -> Action:
        """A trial with Optuna's next sample."""
        self._do("ask", None)
        hparams = self._space.point(self._done[-1][1])
        self._counted += 1
        facts = {"sample": self._counted, "of": self._max_trials}
        reason = f"sample {self._counted} of {self._max_trials} by the sampler: {why}"
        create = self._book.create(reason, facts, hparams=hparams, replaces=replaces)
        self._book.trials[create.request_id].place = Course()
        return create

    def _step(self, course: Course, metrics: Mapping[str, Any]) -> int:
        if self._time is None:
            return course.step + 1
        time = as_number(metrics.get(self._time))
        if time is None or not math.isfinite(time):
            raise Invalid(f"a validation report lacks the time metric {self._time!r}, or it is no number")
        return int(time)

    def _outward(self, value: float) -> float:
        """A value in the direction of the user's metric."""
        return value if self._smaller else -value

    def _tell(self, trial: Trial, state: str, value: float | None) -> None:
        if not trial.place.told:
            trial.place.told = True
            self._do("tell", trial.number, state, value)

    def _begin(self) -> None:
        self._study = self._make_study()
        self._exhausted = False
        self._study.stop = self._exhaust  # what samplers of finite spaces call when nothing is left
        self._asked: list[Any] = []
        self._done: list[tuple[Any, ...]] = []
        self._hopeless = False

    def _exhaust(self) -> None:
        self._exhausted = True

    def _do(self, name: str, *facts: Any) -> None:
        """One step with the study, remembered."""
        if name == "ask":
            self._asked.append(self._study.ask(self._space.distributions))
            self._done.append(("ask", dict(self._asked[-1].params)))
            return
        if name == "report":
            number, value, step = facts
            self._asked[number].report(float(value), step)
            self._hopeless = bool(self._asked[number].should_prune())  # asking leaves marks in the study: part of the step
        else:
            number, state, value = facts
            self._study.tell(self._asked[number], None if value is None else float(value), self._states[state])
        self._done.append((name, *facts))


class Dimensions:
    """The space in Optuna's terms: one distribution per random member, named by its dotted path."""

    def __init__(self, space: Mapping[str, Any], library: Any) -> None:
        self._members = [(".".join(path), path, member) for path, member in leaves(space)]
        shapes = ((name, _distribution(library.distributions, member)) for name, _, member in self._members)
        self.distributions = {name: shape for name, shape in shapes if shape is not None}

    def coded(self, name: str, value: Any) -> Any:
        """A value of a member as the library knows it; raises Invalid for an unknown name or a value that is no category."""
        member = next((member for known, _, member in self._members if known == name), None)
        if member is None:
            raise Invalid(f"there is no hyperparameter {name!r}")
        if not isinstance(member, Mapping) or member.get("type") != "categorical":
            return value
        if value not in member["vals"]:
            raise Invalid(f"{value!r} is no value of the hyperparameter {name}")
        return member["vals"].index(value)

    def point(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Hyperparameters, nested as in the space, from the values of the distributions."""
        point: dict[str, Any] = {}
        for name, path, member in self._members:
            inner = point
            for part in path[:-1]:
                inner = inner.setdefault(part, {})
            inner[path[-1]] = _value(member, params.get(name))
        return point


def _distribution(kinds: Any, member: Any) -> Any:
    """The distribution of a member, None for a constant; categories go by their index, so that they may be anything."""
    kind = member.get("type") if isinstance(member, Mapping) else None
    if kind == "categorical":
        return kinds.CategoricalDistribution(tuple(range(len(member["vals"]))))
    if kind == "int":
        return kinds.IntDistribution(int(member["minval"]), int(member["maxval"]))
    if kind == "double":
        return kinds.FloatDistribution(float(member["minval"]), float(member["maxval"]))
    if kind == "log":
        low, high = (power(float(member["base"]), float(member[end])) for end in ("minval", "maxval"))
        return kinds.FloatDistribution(min(low, high), max(low, high), log=True)
    return None


def _value(member: Any, drawn: Any) -> Any:
    kind = member.get("type") if isinstance(member, Mapping) else None
    if kind == "categorical":
        return member["vals"][drawn]
    return member["val"] if kind == "const" else member if drawn is None else drawn


def optuna_search(setup: Setup) -> OptunaSearch:
    """The strategy of `searcher.name: optuna`; raises Invalid when Optuna is not installed or a name or option is unknown."""
    try:
        library = import_module("optuna")
    except ImportError:
        raise Invalid("an optuna search needs Optuna: install `undeterred[optuna]` on the server") from None
    library.logging.set_verbosity(library.logging.WARNING)
    searcher = setup.searcher
    max_trials, at_once = int(searcher["max_trials"]), int(searcher.get("max_concurrent_trials", 16))
    check_start(min(max_trials, at_once or max_trials))
    direction = "minimize" if searcher.get("smaller_is_better", True) else "maximize"

    space = Dimensions(setup.space, library)
    parts = _Parts(library, space, setup.seed)

    def make_study() -> Any:
        return library.create_study(
            study_name="search",
            direction=direction,
            sampler=parts.build("sampler", searcher.get("sampler") or "TPESampler"),
            pruner=parts.build("pruner", searcher.get("pruner") or "NopPruner"),
        )

    try:
        make_study().ask(space.distributions)
    except (TypeError, ValueError, ImportError) as error:
        raise Invalid(f"this sampler cannot draw from these hyperparameters: {error}") from None
    return OptunaSearch(setup.book, searcher, space, make_study, library)


class _Parts:
    """Makes samplers, pruners and what these are made of."""

    def __init__(self, library: Any, space: Dimensions, seed: int) -> None:
        self._library = library
        self._space = space
        self._seed = seed

    def build(self, role: str, given: Any) -> Any:
        """A part from its name, or from a mapping of `name` and options; raises Invalid."""
        if not isinstance(given, str | Mapping):
            raise Invalid(f"the {role} of an optuna search is a name, or an object with a name and options, not {given!r}")
        options = {"name": given} if isinstance(given, str) else dict(given)
        name = options.pop("name", None)
        kinds = self._known(role)
        if name not in kinds:
            raise Invalid(f"the {role} of an optuna search is one of {', '.join(sorted(kinds))}, not {name!r}")
        kind, package = kinds[name], _PACKAGES.get(name)
        if package is not None and find_spec(package) is None:
            raise Invalid(f"{name} needs the package {package}, which is not installed on the server")
        options = {key: self._option(key, value) for key, value in options.items()}
        if "seed" in inspect.signature(kind).parameters:
            options.setdefault("seed", self._seed)
        return _made(name, kind, options)

    def _known(self, role: str) -> dict[str, Any]:
        """What the library has of a kind, by name."""
        place, base_name = _BASES[role]
        module = import_module(f"{self._library.__name__}.{place}")
        base = getattr(module, base_name)
        members = {name: kind for name, kind in vars(module).items() if inspect.isclass(kind) and issubclass(kind, base)}
        return {name: kind for name, kind in members.items() if not inspect.isabstract(kind)}

    def _option(self, key: str, value: Any) -> Any:
        """An option in the library's terms: parts are built, categories go by their index."""
        if key in _INNER:
            return self.build(_INNER[key], value)
        if key == "search_space" and isinstance(value, Mapping):
            return {name: [self._space.coded(name, one) for one in values] for name, values in value.items()}
        if key == "fixed_params" and isinstance(value, Mapping):
            return {name: self._space.coded(name, one) for name, one in value.items()}
        return value


def _made(name: str, kind: Any, options: Mapping[str, Any]) -> Any:
    try:
        return kind(**options)
    except (TypeError, ValueError) as error:
        raise Invalid(f"{name} does not take these options: {error}") from None
    except ImportError as error:
        raise Invalid(f"{name} needs a package that is not installed on the server: {error}") from None
