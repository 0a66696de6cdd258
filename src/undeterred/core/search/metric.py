"""How good and how far a trial is, read from its validation reports."""

import math
import sys
from collections.abc import Mapping
from typing import Any

from undeterred.base.errors import Invalid
from undeterred.base.struct import Struct

WORST = sys.float_info.max
"""What a failed trial and every metric that is no finite number count as, whichever direction is better."""

_TEXTS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Metric(Struct, frozen=True):
    """The searcher metric and the time metric of a search."""

    name: str
    smaller_is_better: bool
    time_name: str

    def read(self, metrics: Mapping[str, Any]) -> tuple[float, int]:
        """The value to rank (smaller is better) and the whole units reached; raises Invalid naming what is missing."""
        value = rank_value(metrics, self.name, self.smaller_is_better)
        time = as_number(metrics.get(self.time_name))
        if time is None or not math.isfinite(time):
            raise Invalid(_complaint("time metric", self.time_name, metrics))
        return value, int(time)


def rank_value(metrics: Mapping[str, Any], name: str, smaller_is_better: bool) -> float:
    """A report's searcher metric so that smaller is better, `WORST` if it is not finite; raises Invalid when it is missing."""
    value = as_number(metrics.get(name))
    if value is None:
        raise Invalid(_complaint("searcher metric", name, metrics))
    if not math.isfinite(value):
        return WORST
    return value if smaller_is_better else -value


def as_number(value: Any) -> float | None:
    """A number or one of the texts for NaN and the infinities as a float; None for anything else."""
    if isinstance(value, str):
        return _TEXTS.get(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _complaint(role: str, name: str, metrics: Mapping[str, Any]) -> str:
    if name not in metrics:
        return (
            f"a validation report lacks the {role} {name!r}; this search ranks trials by it, so every validation must report it"
        )
    return f"the {role} {name!r} of a validation report must be a number, not {metrics[name]!r}"
