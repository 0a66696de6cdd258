"""Which algorithm a searcher's name means.

Further algorithms come from outside: `extra` looks a name up, usually among the entry points of the group
`undeterred.search`; nothing is looked up here.
"""

from collections.abc import Callable, Mapping
from typing import Any

from undeterred.base.errors import Invalid
from undeterred.core.search.adaptive import adaptive_search
from undeterred.core.search.custom import custom_search
from undeterred.core.search.grid import grid_search
from undeterred.core.search.halving import halving_search
from undeterred.core.search.method import Book, Factory, Setup, Strategy
from undeterred.core.search.random import random_search
from undeterred.core.search.rng import Rng
from undeterred.core.search.search import Search
from undeterred.core.search.single import single_search
from undeterred.core.search.space import check

Lookup = Callable[[str], Factory | None]
"""A name to a factory of that searcher, None when there is none."""


def _optuna(setup: Setup) -> Strategy:
    """Optuna is optional, and slow to import."""
    from undeterred.core.search.optuna import optuna_search

    return optuna_search(setup)


def built_in() -> dict[str, Factory]:
    """The algorithms that are always there, by searcher name."""
    return {
        "single": single_search,
        "random": random_search,
        "grid": grid_search,
        "async_halving": halving_search,
        "adaptive_asha": adaptive_search,
        "custom": custom_search,
        "optuna": _optuna,
    }


def method_for(config: Mapping[str, Any], rng: Rng | int | None = None, extra: Lookup | None = None) -> Search:
    """The search of a resolved experiment configuration, at its start.

    `config` needs `searcher` and `hyperparameters`, and `reproducibility.experiment_seed` when `rng` is not given; `rng` is a
    seed or a stream. `extra` finds searchers that are not built in. Raises Invalid for an unknown or incomplete searcher.
    Call `initial()` once on a new search, `restore(snapshot)` on one that goes on.
    """
    searcher: Mapping[str, Any] = config["searcher"]
    name = searcher.get("name")
    factory = built_in().get(str(name)) or (extra(str(name)) if extra else None)
    if factory is None:
        raise Invalid(f"there is no searcher {name!r}; known are {', '.join(built_in())}")
    seed = int(config["reproducibility"]["experiment_seed"]) if rng is None else rng if isinstance(rng, int) else 0
    stream = rng if isinstance(rng, Rng) else Rng(seed)
    space: Mapping[str, Any] = config.get("hyperparameters") or {}
    book = Book(stream, space)
    try:
        check(space)
        strategy = factory(Setup(searcher, space, book, seed))
    except KeyError as missing:
        raise Invalid(f"a search {name} needs {missing}") from None
    return Search(strategy, book)
