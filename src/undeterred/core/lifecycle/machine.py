"""A state machine is a table: state -> the states it may become. The lifecycles beside this file are such tables."""

import enum
from collections.abc import Mapping
from typing import TypeVar

from undeterred.base.errors import Refused

S = TypeVar("S", bound=enum.StrEnum)


def step(noun: str, table: Mapping[S, frozenset[S]], state: S, wanted: S) -> S:
    """`wanted` if the table allows it or it is the state already; raises Refused with what is allowed otherwise."""
    if wanted is state or wanted in table[state]:
        return wanted
    allowed = ", ".join(sorted(table[state])) or "nothing else"
    raise Refused(f"{noun} that is {state} cannot become {wanted}; from {state} it can become {allowed}")
