"""Search methods that are not always there: Optuna where it is installed, and those that other packages bring.

A package brings one by an entry point of the group `undeterred.search`: its name is the searcher's name, its object a factory
(`core/search/method.py`). What is installed is looked for once, when it is first asked for: it takes longer than a request.
"""

from collections.abc import Callable, Iterable
from functools import cached_property
from importlib import metadata
from importlib.util import find_spec

from undeterred.base.errors import Invalid
from undeterred.core.search import ENTRY_POINT_GROUP, Factory, built_in

ALWAYS = frozenset({"custom"})
"""Methods beyond those of the original that need nothing else."""
OPTIONAL = {"optuna": "optuna"}
"""Methods of our own, and the package that each needs."""


def _installed() -> Iterable[metadata.EntryPoint]:
    return metadata.entry_points(group=ENTRY_POINT_GROUP)


class Searchers:
    """What configurations may name besides the methods that the original has."""

    def __init__(self, find_entries: Callable[[], Iterable[metadata.EntryPoint]] = _installed) -> None:
        """`find_entries` gives the entry points of other packages."""
        self._find_entries = find_entries

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of all of them."""
        optional = {name for name, package in OPTIONAL.items() if find_spec(package) is not None}
        return ALWAYS | optional | self._entries.keys()

    def find(self, name: str) -> Factory | None:
        """The factory of a method that a package brings, None when none does; raises Invalid when it cannot be loaded."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        try:
            factory: Factory = entry.load()
        except Exception as error:
            raise Invalid(f"the search method {name} ({entry.value}) cannot be loaded: {error}") from error
        return factory

    @cached_property
    def _entries(self) -> dict[str, metadata.EntryPoint]:
        """By name; the methods that are always there cannot be replaced."""
        known = built_in()
        return {entry.name: entry for entry in self._find_entries() if entry.name not in known}
