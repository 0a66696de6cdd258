"""Running summaries: what is known of each metric of a group without reading the reports again.

A group's summary maps a metric's name to `{"type", "last"}`, and for numbers also `"count", "sum", "min", "max", "mean"`.
- The type is number, string, boolean, date (an RFC 3339 time), object, array or null. Once two reports disagree it is string
  for good, and the numbers are gone.
- `last` is the value in the newest report of the group, null when that report lacks the metric.
- NaN and infinities are numbers. NaN makes count go up and everything else NaN; all special numbers stand as their texts.
Reports count in the order in which they arrive, not by their step.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from undeterred.base.clock import from_text
from undeterred.base.json import special_float
from undeterred.core.metrics.checks import TRAINING, VALIDATION, number

Entry = dict[str, Any]
GroupSummary = dict[str, Entry]

_EXACT = 2.0**53


def fold(summary: Mapping[str, Entry], metrics: Mapping[str, Any]) -> GroupSummary:
    """The summary after one more report; `summary` itself is left alone."""
    after = {}
    for name, value in metrics.items():
        entry = summary.get(name)
        after[name] = _grown(entry, value) or _folded(entry, value, newest=True)
    for name, entry in summary.items():
        if name not in metrics:
            after[name] = entry if entry["last"] is None else {**entry, "last": None}
    return after


def fold_added(summary: Mapping[str, Entry], added: Mapping[str, Any], *, newest: bool) -> GroupSummary:
    """The summary after names were added to a report that counts already; `newest` tells whether it is the group's newest."""
    return {**summary, **{name: _folded(summary.get(name), value, newest=newest) for name, value in added.items()}}


def recompute(rows: Iterable[Mapping[str, Any]]) -> GroupSummary:
    """The summary of reports given in order of arrival, as after a rollback."""
    summary: GroupSummary = {}
    for metrics in rows:
        summary = fold(summary, metrics)
    return summary


def document(groups: Mapping[str, GroupSummary]) -> dict[str, GroupSummary]:
    """All summaries of a trial as the API shows them, under `summary_key` of each group.

    A custom group that bears the key of training or validation is left out when there is one of those.
    """
    shown = {summary_key(name): groups[name] for name in sorted(groups) if name not in (TRAINING, VALIDATION)}
    return shown | {summary_key(name): groups[name] for name in (TRAINING, VALIDATION) if name in groups}


def summary_key(group: str) -> str:
    """The key under which a group's summary stands: two groups have names from older times."""
    return {TRAINING: "avg_metrics", VALIDATION: "validation_metrics"}.get(group, group)


def group_of_key(key: str) -> str:
    """The group whose summary stands under a key."""
    return {"avg_metrics": TRAINING, "validation_metrics": VALIDATION}.get(key, key)


def type_of(value: Any) -> str:
    """The type word of a reported value."""
    if number(value) is not None:
        return "number"
    if isinstance(value, str):
        return "date" if _is_date(value) else "string"
    if isinstance(value, bool):
        return "boolean"
    if value is None:
        return "null"
    return "object" if isinstance(value, Mapping) else "array"


def _grown(entry: Entry | None, value: Any) -> Entry | None:
    """What `_folded` gives where all numbers are plain; None where one is not: reports are many, and nearly all are like this."""
    kind = type(value)
    if entry is None or (kind is not float and kind is not int) or not -_EXACT < value < _EXACT:
        return None
    try:
        count, total = entry["count"] + 1, entry["sum"] + value
        if not -_EXACT < total < _EXACT:
            return None
        grown = entry.copy()
        if value < entry["min"]:
            grown["min"] = float(value)
        if value > entry["max"]:
            grown["max"] = float(value)
    except (KeyError, TypeError):  # no numbers so far, or special ones, which are texts
        return None
    grown["count"], grown["sum"], grown["mean"], grown["last"] = count, float(total), total / count, value
    return grown


def _folded(entry: Entry | None, value: Any, *, newest: bool) -> Entry:
    last = _plain(value) if newest else None if entry is None else entry["last"]
    kind = type_of(value)
    if entry is not None and entry["type"] != kind:
        return {"type": "string", "last": last}
    given = number(value)
    if given is None:
        return {"type": kind, "last": last}
    if entry is None:
        return _numbers(1, given, given, given, last)
    total = _stored(entry, "sum") + given
    low, high = _extreme(min, _stored(entry, "min"), given), _extreme(max, _stored(entry, "max"), given)
    return _numbers(entry["count"] + 1, total, low, high, last)


def _numbers(count: int, total: float, low: float, high: float, last: Any) -> Entry:
    return {
        "type": "number",
        "count": count,
        "sum": special_float(total),
        "min": special_float(low),
        "max": special_float(high),
        "mean": special_float(total / count),
        "last": last,
    }


def _stored(entry: Entry, key: str) -> float:
    """A number of a stored entry, which may be there as text."""
    return float(entry[key])


def _extreme(choose: Callable[[float, float], float], one: float, other: float) -> float:
    return math.nan if math.isnan(one) or math.isnan(other) else choose(one, other)


def _plain(value: Any) -> Any:
    """A value as JSON gives it back: special numbers as texts, integers that a double cannot hold as doubles."""
    if isinstance(value, float):
        return special_float(value)
    if isinstance(value, int) and not isinstance(value, bool) and not -_EXACT <= value <= _EXACT:
        given = number(value)
        return None if given is None else special_float(given)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _is_date(text: str) -> bool:
    if not 20 <= len(text) <= 40 or text[4] != "-":
        return False
    try:
        from_text(text)
    except ValueError:
        return False
    return True
