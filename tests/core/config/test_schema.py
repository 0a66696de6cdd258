"""The schema itself: every default is valid, every key has its place, names of searchers are right."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.core.config.trees import is_valid
from undeterred.core.config import ntsc, tcd
from undeterred.core.config.kinds import NOTHING, Field, Items, Kind, Record, Shaped, Table, Union, branch_of, fields_of
from undeterred.core.config.schema import (
    CURRENT_SEARCHERS,
    OPTUNA,
    REMOVED_SEARCHERS,
    STORAGE,
    TIMED_SEARCHERS,
    experiment,
    searchers,
)


def fields(kind: Kind, path: str) -> Iterator[tuple[str, Field]]:
    """Every field of a kind with its path."""
    inner: dict[str, Any] = {}
    match kind:
        case Shaped():
            yield from fields(kind.kind, path)
        case Items():
            yield from fields(kind.item, f"{path}[]")
        case Table():
            yield from fields(kind.value, f"{path}.*")
        case Record():
            inner = dict(kind.fields)
        case Union():
            inner = dict(kind.common) | {
                f"{name}.{key}": field for name, branch in kind.branches.items() for key, field in branch.fields.items()
            }
    for key, field in inner.items():
        yield f"{path}.{key}", field
        yield from fields(field.kind, f"{path}.{key}")


ALL = {
    path: field
    for name, kind in (("experiment", experiment()), ("task", ntsc.TASK), ("defaults", tcd.SCHEMA))
    for path, field in fields(kind, name)
}


@pytest.mark.parametrize("path", ALL)
def test_defaults_are_valid(path):
    """A default can be read; what is required has none and is never hidden."""
    field = ALL[path]
    if field.default is not NOTHING:
        assert is_valid(field.kind, field.default)
        assert not field.hide_null
        assert not field.ignored
    assert not ((field.required or field.at_once) and (field.hide_null or field.ignored))


def test_keyed_lists_have_keys():
    """A list that joins by keys says which."""
    lists = [field.kind for field in ALL.values() if isinstance(field.kind, Items)]
    assert all((kind.key is not None) == (kind.join.name in ("ABOVE", "BELOW")) for kind in lists)


def test_searchers():
    """Five searchers run anywhere, Optuna's and removed ones can be read, further ones are added by name."""
    assert set(TIMED_SEARCHERS) < set(CURRENT_SEARCHERS)
    assert set(searchers().branches) == {*CURRENT_SEARCHERS, OPTUNA, *REMOVED_SEARCHERS}
    more = searchers(frozenset({"optuna", "custom", "grid", "other"}))
    assert more.branches["other"].open
    assert not more.branches["grid"].open
    assert not more.branches["optuna"].open
    assert more.expected == "one of single, random, grid, async_halving, adaptive_asha, optuna, custom, other"


def test_branches():
    """The fields of a union are the discriminator, the common ones and those of the chosen branch."""
    assert branch_of(STORAGE, {"type": "gcs"}) is STORAGE.branches["gcs"]
    assert branch_of(STORAGE, {}) is None
    assert branch_of(STORAGE, {"type": []}) is None
    assert set(fields_of(STORAGE, {})) == {"type", "save_experiment_best", "save_trial_best", "save_trial_latest"}
    assert set(fields_of(STORAGE, {"type": "gcs"})) == {*fields_of(STORAGE, {}), "bucket", "prefix"}
