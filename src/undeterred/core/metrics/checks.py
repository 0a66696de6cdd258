"""What a report of metrics must look like before anything is stored."""

import enum
import math
from collections.abc import Mapping
from typing import Any

from undeterred.base.errors import Invalid

TRAINING = "training"
VALIDATION = "validation"
PROFILING: frozenset[str] = frozenset({"gpu", "cpu", "memory", "disk", "network"})
"""Groups that a profiler reports: no part of a trial's results, never rolled back, left out of summaries."""

MAX_GROUP = 255
MAX_NAME = 1000
MAX_STEPS = 2**31 - 1
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Kind(enum.StrEnum):
    """What a group of metrics is; every group that is none of the first three is a custom one."""

    TRAINING = "training"
    VALIDATION = "validation"
    PROFILING = "profiling"
    CUSTOM = "custom"


_KINDS = {TRAINING: Kind.TRAINING, VALIDATION: Kind.VALIDATION, **dict.fromkeys(PROFILING, Kind.PROFILING)}


def kind_of(group: str) -> Kind:
    """The kind of a group, by its name."""
    return _KINDS.get(group, Kind.CUSTOM)


def check_group(group: str) -> str:
    """The name of a metric group: any text of 1 to 255 characters without a dot. Raises Invalid."""
    if not group:
        raise Invalid("metric group: a name is required")
    if "." in group:
        raise Invalid(f"metric group {group[:64]!r}: the name must not contain a dot")
    if len(group) > MAX_GROUP or "\x00" in group:
        raise Invalid(f"metric group {group[:64]!r}: the name must have at most {MAX_GROUP} characters, none of them NUL")
    return group


def check_steps(steps: int | None) -> int:
    """The steps a report belongs to; they must be given and fit 32 bits (below zero is allowed). Raises Invalid."""
    if steps is None:
        raise Invalid("stepsCompleted: required, the number of steps the trial had completed when it measured this")
    if not -MAX_STEPS - 1 <= steps <= MAX_STEPS:
        raise Invalid(f"stepsCompleted: {steps} is not between {-MAX_STEPS - 1} and {MAX_STEPS}")
    return steps


def check_run_id(reported: int, current: int) -> int:
    """The number of the trial's run that reports; only the present run may. Raises Invalid."""
    if reported != current:
        raise Invalid(f"trialRunId: run {reported} reports, but the trial's present run is {current}")
    return reported


def check_values(metrics: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The values of a report: any JSON under names of at most 1,000 characters; `epoch` and `epochs` must be numbers.

    Raises Invalid. Numbers too large for a double are refused, since no client could read them back.
    """
    if metrics is None:
        raise Invalid("metrics.avgMetrics: required, a mapping of names to values")
    for name, value in metrics.items():
        if len(name) > MAX_NAME or "\x00" in name:
            raise Invalid(f"metric {name[:64]!r}: the name must have at most {MAX_NAME} characters, none of them NUL")
        if type(value) is float:
            continue
        if name in ("epoch", "epochs") and number(value) is None:
            raise Invalid(f"metric {name!r}: must be a number, not {_kind_word(value)}")
        if isinstance(value, int) and not isinstance(value, bool) and number(value) is None:
            raise Invalid(f"metric {name!r}: the number is too large")
    return metrics


def check_progress(progress: float) -> float:
    """A trial's progress, 0 to 1; NaN counts as 0. Raises Invalid."""
    if math.isnan(progress):
        return 0.0
    if not 0 <= progress <= 1:
        raise Invalid(f"progress: {progress} is not between 0 and 1")
    return progress


def number(value: Any) -> float | None:
    """The number that a reported value is; the texts NaN, Infinity and -Infinity are numbers. None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        try:
            return float(value)
        except OverflowError:
            return None
    return _SPECIAL.get(value) if isinstance(value, str) else None


def _kind_word(value: Any) -> str:
    words = {str: "text", bool: "true or false", list: "a list", dict: "a mapping", type(None): "null"}
    return words.get(type(value), type(value).__name__)
