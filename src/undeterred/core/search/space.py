"""The space of hyperparameters: samples from it, and the axes of its grid.

A space is the `hyperparameters` map of a resolved configuration: a name maps to an object with a `type` (const, int, double, log,
categorical), to a nested map without one, or to any other value, which is a constant. Names are taken in sorted order.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from undeterred.base.errors import Invalid
from undeterred.base.struct import Struct
from undeterred.core.search.power import power
from undeterred.core.search.rng import Rng

_TYPES = ("const", "int", "double", "log", "categorical")


def sample(space: Mapping[str, Any], rng: Rng) -> dict[str, Any]:
    """One point: every member in the order of sorted names, nested maps in place; constants draw nothing."""
    return {name: _sample_one(space[name], rng) for name in sorted(space)}


def check(space: Mapping[str, Any], path: str = "hyperparameters") -> None:
    """Raise Invalid, naming the place, for a member that cannot be sampled: unknown type, no values, powers beyond floats."""
    for name in sorted(space):
        member, here = space[name], f"{path}.{name}"
        kind = _kind(member)
        if kind == "map":
            check(member, here)
        elif kind == "categorical" and not member["vals"]:
            raise Invalid(f"{here} has no value to choose from")
        elif kind in ("int", "double", "log") and member["minval"] >= member["maxval"]:
            raise Invalid(f"{here} needs a minval below its maxval")
        elif kind == "log" and math.inf in (power(float(member["base"]), float(member[end])) for end in ("minval", "maxval")):
            raise Invalid(f"{here}: its base to the power of its bounds is beyond every number")


def _sample_one(member: Any, rng: Rng) -> Any:
    kind = _kind(member)
    if kind == "value":
        return member
    if kind == "map":
        return sample(member, rng)
    if kind == "const":
        return member["val"]
    if kind == "categorical":
        return member["vals"][rng.randint(0, len(member["vals"]))]
    low, high = member["minval"], member["maxval"]
    if kind == "int":
        return int(low) + rng.randint(0, int(high) - int(low) + 1)
    if kind == "double":
        return rng.uniform(float(low), float(high))
    return power(float(member["base"]), rng.uniform(float(low), float(high)))


def _kind(member: Any) -> str:
    """One of the five types, "map" for a nested map, "value" for a bare constant; raises Invalid for an unknown type."""
    if not isinstance(member, Mapping):
        return "value"
    kind = member.get("type")
    if isinstance(kind, str) and kind in _TYPES:
        return kind
    if "type" not in member or isinstance(kind, Mapping):
        return "map"
    raise Invalid(f"a hyperparameter's type is one of {', '.join(_TYPES)}, not {kind!r}")


class Axis(Struct, frozen=True):
    """One dimension of a grid: where its value goes, how many values there are, and the value at an index."""

    path: tuple[str, ...]
    size: int
    value: Callable[[int], Any]


class Grid(Struct, frozen=True):
    """The full product of the axes, the last one moving fastest; points are made when asked for, so size costs nothing."""

    axes: tuple[Axis, ...]
    size: int

    def point(self, index: int) -> dict[str, Any]:
        """The hyperparameters of point `index` (0 to size - 1), nested as in the space."""
        values: list[Any] = []
        for axis in reversed(self.axes):
            index, place = divmod(index, axis.size)
            values.append(axis.value(place))
        point: dict[str, Any] = {}
        for axis, value in zip(self.axes, reversed(values), strict=True):
            inner = point
            for name in axis.path[:-1]:
                inner = inner.setdefault(name, {})
            inner[axis.path[-1]] = value
        return point


def grid(space: Mapping[str, Any]) -> Grid:
    """The grid of a space. No hyperparameters give one point, {}. Raises Invalid when an int, double or log has no `count`."""
    axes = tuple(Axis(path, *_values(member, path)) for path, member in leaves(space))
    return Grid(axes, math.prod(axis.size for axis in axes))


def leaves(space: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All members with their paths, in sorted order; nested maps are entered, empty ones are members themselves."""
    for name in sorted(space):
        member, here = space[name], (*path, name)
        if _kind(member) == "map" and member:
            yield from leaves(member, here)
        else:
            yield here, member


def _values(member: Any, path: tuple[str, ...]) -> tuple[int, Callable[[int], Any]]:
    """How many values a member has in a grid, and the value at an index."""
    kind = _kind(member)
    if kind in ("value", "map"):
        return 1, lambda _: {} if kind == "map" else member
    if kind == "const":
        return 1, lambda _: member["val"]
    if kind == "categorical":
        return len(member["vals"]), lambda index: member["vals"][index]
    count = member.get("count")
    if count is None:
        raise Invalid(f"grid search needs a `count` for the {kind} hyperparameter {'.'.join(path)}")
    low, high = member["minval"], member["maxval"]
    if kind == "int":
        size = min(int(count), int(high) - int(low) + 1)
        return size, lambda index: _round_away(_spaced(low, high, size, index))
    size = int(count)
    if kind == "double":
        return size, lambda index: _spaced(low, high, size, index)
    return size, lambda index: power(float(member["base"]), _spaced(low, high, size, index))


def _spaced(low: float, high: float, size: int, index: int) -> float:
    """Point `index` of `size` evenly spaced ones from `low` to `high`, both included; a single one lies in the middle."""
    if size == 1:
        return (float(low) + float(high)) / 2
    return float(low) + float(index) * (float(high) - float(low)) / float(size - 1)


def _round_away(number: float) -> int:
    """The nearest integer, halves away from zero."""
    return int(math.copysign(math.floor(abs(number) + 0.5), number))
