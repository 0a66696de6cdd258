"""Joins two canonical trees, the higher one winning, by the kind of each field.

Scalars: the higher one. Objects: key by key. Free maps: the union. Lists: by their `Join`. A searcher or a storage that names its
type takes only keys of that type from below, and those that all types share. Null is absence and never wins.
"""

from collections.abc import Mapping
from functools import reduce
from typing import Any

from undeterred.core.config import hyperparameters, podspec
from undeterred.core.config.kinds import Field, Items, Join, Kind, Pod, Record, Shaped, Space, Table, Tree, Union, branch_of


def merge(kind: Kind, high: Any, low: Any) -> Any:
    """`high` over `low`; neither is changed."""
    if high is None or low is None:
        return low if high is None else high
    match kind:
        case Shaped():
            return merge(kind.kind, high, low)
        case Record():
            return high if kind.whole else _fields(kind.fields, high, low)
        case Union():
            return _union(kind, high, low)
        case Table():
            united = {key: merge(kind.value, high[key], low.get(key)) for key in high}
            return {**low, **united}
        case Items():
            return _join(kind, high, low)
        case Space():
            return hyperparameters.merge_space(high, low)
        case Pod():
            return podspec.merge_pod(high, low)
        case _:
            return high


def merge_all(kind: Kind, layers: list[Any]) -> Any:
    """All layers, the highest first; None for no layer."""
    return reduce(lambda high, low: merge(kind, high, low), layers, None)


def _fields(fields: Mapping[str, Field], high: Tree, low: Tree) -> Tree:
    """Key by key; keys that no field knows (of open objects) are taken from the higher one first."""
    tree = {**low, **high}
    for key, field in fields.items():
        if key in high and key in low:
            tree[key] = merge(field.kind, high[key], low[key])
    return tree


def _union(kind: Union, high: Tree, low: Tree) -> Tree:
    """As objects, with what is below reduced to what the chosen branch can take."""
    chosen = high.get(kind.by)
    if chosen is not None and low.get(kind.by) != chosen:
        low = {key: item for key, item in low.items() if key in kind.common}
    if any(key in high for key in kind.together):
        low = {key: item for key, item in low.items() if key not in kind.together}
    branch = branch_of(kind, low if chosen is None else high)
    return _fields({**kind.common, **({} if branch is None else branch.fields)}, high, low)


def _join(kind: Items, high: list[Any], low: list[Any]) -> list[Any]:
    match kind.join:
        case Join.REPLACE:
            return high
        case Join.UNION:
            return list(dict.fromkeys([*high, *low]))
        case Join.APPEND:
            return [*(entry for entry in low if entry not in high), *high]
        case Join.ARGUMENTS:
            return [*low, *high]
        case Join.ABOVE | Join.BELOW:
            assert kind.key is not None
            taken = [kind.key(entry) for entry in high]
            rest = [entry for entry in low if kind.key(entry) not in taken]
            return [*high, *rest] if kind.join is Join.ABOVE else [*rest, *high]
