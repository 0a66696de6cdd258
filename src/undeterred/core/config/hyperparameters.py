"""The space of hyperparameters: its canonical form, how layers join, what a grid needs, dotted names.

Canonical: a name maps to an object with a `type` (const, int, double, log, categorical) or to a nested map without one. A bare
number, text, flag, null or list is a constant.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from undeterred.core.config.kinds import INT64, Tree
from undeterred.core.config.parse import describe
from undeterred.core.config.problems import Problems

TYPES = ("const", "int", "double", "log", "categorical")
_RANGES = ("int", "double", "log")
_KEYS = {
    "const": ("val",),
    "int": ("minval", "maxval", "count"),
    "double": ("minval", "maxval", "count"),
    "log": ("minval", "maxval", "base", "count"),
    "categorical": ("vals",),
}


def read_space(value: Any, path: str, problems: Problems) -> Tree:
    """The canonical form of a space or a nested map; mistakes go to `problems`."""
    if not isinstance(value, Mapping):
        problems.add(path, f"must be an object of hyperparameters, not {describe(value)}")
        return {}
    return {name: _read_one(item, f"{path}.{name}", problems) for name, item in value.items()}


def merge_space(high: Tree, low: Tree) -> Tree:
    """Per name: a whole hyperparameter replaces another one, nested maps unite."""
    merged = {**low, **high}
    for name in high:
        if name in low and is_map(high[name]) and is_map(low[name]):
            merged[name] = merge_space(high[name], low[name])
    return merged


def is_map(member: Any) -> bool:
    """Whether a canonical member is a nested map."""
    return isinstance(member, Mapping) and "type" not in member


def flatten(space: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Dotted name and specification of every hyperparameter, in the order of the space."""
    for name, member in space.items():
        if is_map(member):
            yield from flatten(member, f"{prefix}{name}.")
        else:
            yield prefix + name, member


def flatten_values(hparams: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted name and value of every hyperparameter of one trial."""
    for name, value in hparams.items():
        if isinstance(value, Mapping):
            yield from flatten_values(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def report_grid(space: Mapping[str, Any], path: str, problems: Problems) -> None:
    """A grid needs to know how many points each range has."""
    for name, member in flatten(space):
        if member["type"] in _RANGES and member.get("count") is None:
            problems.add_new(f"{path}.{name}", f"grid search needs a count for the {member['type']} hyperparameter {name}")


def _read_one(value: Any, path: str, problems: Problems) -> Tree:
    if not isinstance(value, Mapping):
        return {"type": "const", "val": value}
    if "type" not in value:
        return read_space(value, path, problems)
    kind = value["type"]
    if not isinstance(kind, str) or kind not in TYPES:
        problems.add(f"{path}.type", f"must be one of {', '.join(TYPES)}, not {describe(kind)}")
        return {}
    for key in value:
        if key != "type" and key not in _KEYS[kind]:
            problems.add(f"{path}.{key}", f'unknown key "{key}" of a {kind} hyperparameter; allowed are {", ".join(_KEYS[kind])}')
    if kind == "const":
        return _const(value, path, problems)
    return _categorical(value, path, problems) if kind == "categorical" else _range(kind, value, path, problems)


def _const(value: Mapping[str, Any], path: str, problems: Problems) -> Tree:
    if "val" not in value:
        problems.add(f"{path}.val", "val is a required property")
    return {"type": "const", "val": value.get("val")}


def _categorical(value: Mapping[str, Any], path: str, problems: Problems) -> Tree:
    vals = value.get("vals")
    if vals is None:
        problems.add(f"{path}.vals", "vals is a required property")
    elif not isinstance(vals, list):
        problems.add(f"{path}.vals", f"must be a list, not {describe(vals)}")
    elif not vals:
        problems.add(f"{path}.vals", "must not be empty")
    return {"type": "categorical", "vals": vals if isinstance(vals, list) else []}


def _range(kind: str, value: Mapping[str, Any], path: str, problems: Problems) -> Tree:
    """An int, double or log hyperparameter."""
    numbers = {key: _number(key, value.get(key), path, problems, whole=kind == "int") for key in ("minval", "maxval")}
    if kind == "log":
        numbers["base"] = _number("base", value.get("base"), path, problems, whole=False)
        if numbers["base"] is not None and numbers["base"] <= 0:
            problems.add(f"{path}.base", f"must be above 0, not {numbers['base']}")
    low, high = numbers["minval"], numbers["maxval"]
    if low is not None and high is not None:
        _report_range(low, high, numbers.get("base"), path, problems)
    if value.get("count") is not None:
        numbers["count"] = _number("count", value["count"], path, problems, whole=True)
        if numbers["count"] is not None and numbers["count"] < 1:
            problems.add(f"{path}.count", f"must be at least 1, not {numbers['count']}")
    tree: Tree = {key: number for key, number in numbers.items() if number is not None}
    return dict(sorted([*tree.items(), ("type", kind)]))


def _report_range(low: float, high: float, base: float | None, path: str, problems: Problems) -> None:
    if low >= high:
        problems.add(path, f"minval ({low}) must be below maxval ({high})")
    elif base is not None and base > 0 and not _finite_power(base, low, high):
        problems.add(path, f"base ({base}) to the power of minval or maxval is beyond what a number can hold")
    elif math.isinf(float(high) - float(low)):
        problems.add(path, f"from minval ({low}) to maxval ({high}) is too far")


def _finite_power(base: float, *exponents: float) -> bool:
    try:
        return all(math.isfinite(float(base) ** exponent) for exponent in exponents)
    except OverflowError:
        return False


def _number(key: str, value: Any, path: str, problems: Problems, *, whole: bool) -> int | float | None:
    if value is None:
        problems.add(f"{path}.{key}", f"{key} is a required property")
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        problems.add(f"{path}.{key}", f"must be a number, not {describe(value)}")
        return None
    if not whole:
        return value
    if (isinstance(value, float) and not value.is_integer()) or not -INT64 <= value < INT64:
        problems.add(f"{path}.{key}", f"must be an integer, not {describe(value)}")
        return None
    return int(value)
