"""The kinds of field that a configuration has, as data; reading, merging and filling are functions over them.

A tree is *canonical* when every value has the one form that its kind prescribes and nulls are left out; `checks.read` makes a
tree canonical, `merge.merge` joins canonical trees, `defaults.fill` completes one.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any

from undeterred.base.struct import Struct

Tree = dict[str, Any]
"""A configuration or a part of it, as JSON data."""

Rule = Callable[[Any], str | None]
"""Looks at one canonical value and says what is wrong with it, or None."""

GroupRule = Callable[[Tree], Iterable[tuple[str, str]]]
"""Looks at a canonical object; yields (path below it such as ".end_after_batch" or "", message) for each mistake."""

INT64 = 2**63
"""Integers lie in [-INT64, INT64)."""


class _Nothing(Enum):
    NOTHING = "nothing"


NOTHING = _Nothing.NOTHING
"""The default of a field that has none: it reads null."""


class Join(Enum):
    """How a higher list meets a lower one."""

    REPLACE = "the higher list alone"
    UNION = "a set: higher entries, then lower ones not among them"
    ABOVE = "higher entries, then lower ones whose key is not taken"
    BELOW = "lower entries whose key is not taken, then the higher ones"
    APPEND = "lower entries that the higher list does not repeat, then the higher ones (the last one counts)"
    ARGUMENTS = "all lower entries, then all higher ones"


class Anything(Struct, frozen=True):
    """Any JSON value, kept as it is."""


class Null(Struct, frozen=True):
    """Only null is allowed; `hint` says what to use instead."""

    hint: str


class Flag(Struct, frozen=True):
    """true or false."""


class Text(Struct, frozen=True):
    """A text, one of `choices` if there are any."""

    choices: tuple[str, ...] = ()
    rule: Rule | None = None


class Whole(Struct, frozen=True):
    """An integer from `minimum` to `maximum`, both included; 4.0 is read as 4."""

    minimum: int = -INT64
    maximum: int = INT64 - 1


class Number(Struct, frozen=True):
    """A finite number, at least `minimum` or above `above`."""

    minimum: float | None = None
    above: float | None = None


class Size(Struct, frozen=True):
    """A number of bytes, also written with a unit such as "4g"; read as an integer."""


class Items(Struct, frozen=True):
    """A list; `key` names an entry for the joins ABOVE and BELOW, where a key must not repeat if `distinct`."""

    item: "Kind"
    join: Join = Join.REPLACE
    key: Callable[[Any], Any] | None = None
    distinct: bool = False


class Table(Struct, frozen=True):
    """An object with free keys and values of one kind; layers unite."""

    value: "Kind"


class Shaped(Struct, frozen=True):
    """`shim` turns shorter and older forms of a value into the present one, before `kind` reads it."""

    shim: Callable[[Any], Any]
    kind: "Kind"


class OneOf(Struct, frozen=True):
    """A value of one of several kinds that differ in their JSON type; `expected` describes them."""

    kinds: tuple["Kind", ...]
    expected: str


class Field(Struct, frozen=True):
    """A key of an object.

    `default` is what fills it after all merges; `required` demands a value after all merges, `at_once` already in the layer that
    holds the object (entries of lists are not merged); `hide_null` leaves the key out while it has no value; `ignored` keys are
    accepted and dropped.
    """

    kind: "Kind"
    default: Any = NOTHING
    required: bool = False
    at_once: bool = False
    hide_null: bool = False
    ignored: bool = False


class Record(Struct, frozen=True):
    """An object with known keys; `whole` objects replace one another instead of merging, `open` ones keep unknown keys."""

    fields: Mapping[str, Field]
    rules: tuple[GroupRule, ...] = ()
    whole: bool = False
    open: bool = False


class Union(Struct, frozen=True):
    """An object whose further keys depend on the text under `by`.

    `common` keys stand in every branch and may be given without naming one. `together` are keys that travel as one set from
    whichever layer has any of them.
    """

    by: str
    common: Mapping[str, Field]
    branches: Mapping[str, Record]
    expected: str
    together: tuple[str, ...] = ()


class Space(Struct, frozen=True):
    """A space of hyperparameters."""


class Pod(Struct, frozen=True):
    """A Kubernetes pod specification; layers join by strategic merge patch."""


Kind = Anything | Null | Flag | Text | Whole | Number | Size | Items | Table | Shaped | OneOf | Record | Union | Space | Pod


def branch_of(kind: Union, value: Mapping[str, Any]) -> Record | None:
    """The branch that a canonical value has chosen, None while it has not."""
    chosen = value.get(kind.by)
    return kind.branches.get(chosen) if isinstance(chosen, str) else None


def fields_of(kind: Union, value: Mapping[str, Any]) -> dict[str, Field]:
    """All keys that a canonical value of a union may have, `by` included."""
    branch = branch_of(kind, value)
    own = {} if branch is None else branch.fields
    return {kind.by: Field(Text(), required=True), **kind.common, **own}
