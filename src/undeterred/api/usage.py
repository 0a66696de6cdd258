"""What was used: single allocations, and sums by day or month; as messages and as tables of texts for CSV."""

import re
from collections.abc import AsyncIterator
from typing import Any

from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.api.views.common import choose, when
from undeterred.base.clock import SECOND, Micros, from_text, to_text
from undeterred.base.errors import Invalid
from undeterred.base.json import loads
from undeterred.core.rights import Right
from undeterred.core.usage import KINDS, LABEL, POOL, QUEUED, TOTAL, USER, seconds_within
from undeterred.store import usage
from undeterred.store.database import Tx
from undeterred.wire import messages as m
from undeterred.wire.leaves import Double

Table = AsyncIterator[list[str]]
"""Rows of a CSV file, the first one being its heading."""

_Period = m.ResourceAllocationAggregationPeriod
_DAILY, _MONTHLY = _Period.RESOURCE_ALLOCATION_AGGREGATION_PERIOD_DAILY, _Period.RESOURCE_ALLOCATION_AGGREGATION_PERIOD_MONTHLY
_DATES = {_DAILY: (re.compile(r"\d{4}-\d\d-\d\d"), "2024-01-31", 10), _MONTHLY: (re.compile(r"\d{4}-\d\d"), "2024-01", 7)}
PAGE = 2000
"""Allocations that are read at a time."""


@operation("ResourceAllocationRaw", needs=Right.VIEW_CLUSTER_USAGE)
async def raw(call: Call, req: m.ResourceAllocationRawRequest) -> m.ResourceAllocationRawResponse:
    """Every allocation that held slots between two times, cut to them."""
    low, high = _window(call, req.timestamp_after, req.timestamp_before)
    entries = [_raw_entry(row, low, high) async for row in _uses(call, low, high)]
    return m.ResourceAllocationRawResponse(resource_entries=entries)


@operation("ResourceAllocationAggregated", needs=Right.VIEW_CLUSTER_USAGE)
async def aggregated(call: Call, req: m.ResourceAllocationAggregatedRequest) -> m.ResourceAllocationAggregatedResponse:
    """Slot-seconds per day or month, from the first to the last, both included; days that are over only."""
    sums = await _sums(call, req.start_date, req.end_date, req.period)
    return m.ResourceAllocationAggregatedResponse(
        resource_entries=[_aggregated_entry(start, req.period, sums[start]) for start in sorted(sums)]
    )


async def raw_table(call: Call, after: str, before: str) -> Table:
    """The answer of ResourceAllocationRaw as a table."""
    low, high = _window(call, _time(after, "timestamp_after"), _time(before, "timestamp_before"))
    yield ["kind", "username", "labels", "experiment_id", "slots", "start_time", "end_time", "seconds"]
    async for row in _uses(call, low, high):
        entry = _raw_entry(row, low, high)
        start, end = to_text(entry.start_time or 0), to_text(entry.end_time or 0)
        texts = [entry.kind, entry.username, ",".join(entry.labels), str(entry.experiment_id or ""), str(entry.slots)]
        yield [*texts, start, end, _number(entry.seconds)]


async def allocations_table(call: Call, after: str, before: str) -> Table:
    """One line per allocation, with what it ran and where."""
    low, high = _window(call, _time(after, "timestamp_after"), _time(before, "timestamp_before"))
    yield [
        *("allocation_id", "task_type", "task_name", "username", "workspace_name", "experiment_id", "experiment_name"),
        *("labels", "resource_pool", "slots", "start_time", "end_time", "seconds", "gpu_hours"),
        *("checkpoint_count", "checkpoint_size"),
    ]
    async for row in _uses(call, low, high):
        seconds = seconds_within(row.start_time, row.end_time, low, high)
        yield [
            *(row.id, row.task_type, row.task_name, row.username or "", row.workspace_name or ""),
            *(_text(row.experiment_id), row.experiment_name or "", ",".join(loads(row.labels or "[]")), row.resource_pool),
            *(str(row.slots), to_text(row.start_time), "" if row.end_time is None else to_text(row.end_time)),
            *(_number(seconds), _number(seconds * row.slots / 3600), _text(row.checkpoint_count), _text(row.checkpoint_size)),
        ]


async def aggregated_table(call: Call, start: str, end: str, period: str) -> Table:
    """The answer of ResourceAllocationAggregated as a table, and the times spent in queues."""
    if period not in set(_Period):
        raise Invalid(f"period: {period[:80]!r} is not one of {_DAILY}, {_MONTHLY}")
    sums = await _sums(call, start, end, _Period(period))
    yield ["aggregation_type", "aggregation_key", "date", "seconds"]
    for date in sorted(sums):
        for (kind, key), seconds in sorted(sums[date].items()):
            yield [kind, key, date, _number(seconds)]


async def _uses(call: Call, low: Micros, high: Micros) -> AsyncIterator[Any]:
    """Rows of `store.usage.uses`, page by page."""
    after: tuple[Micros, str] | None = None
    while True:
        rows = await call.read(lambda tx, after=after: _page(call, tx, low, high, after))  # type: ignore[misc]
        for row in rows:
            yield row
        if len(rows) < PAGE:
            return
        after = (rows[-1].start_time, rows[-1].id)


def _page(call: Call, tx: Tx, low: Micros, high: Micros, after: tuple[Micros, str] | None) -> list[Any]:
    call.require(tx, Right.VIEW_CLUSTER_USAGE)
    return usage.uses(tx, low, high, after, PAGE)


def _raw_entry(row: Any, low: Micros, high: Micros) -> m.ResourceAllocationRawEntry:
    start, end = max(row.start_time, low), high if row.end_time is None else min(row.end_time, high)
    return m.ResourceAllocationRawEntry(
        kind=row.task_type.lower(),
        start_time=when(start),
        end_time=when(end),
        experiment_id=row.experiment_id or 0,
        username=row.username or "",
        user_id=row.user_id or 0,
        labels=loads(row.labels or "[]"),
        seconds=Double((end - start) / SECOND),
        slots=row.slots,
    )


Sums = dict[tuple[str, str], float]


async def _sums(call: Call, first: str, last: str, period: m.ResourceAllocationAggregationPeriod) -> dict[str, Sums]:
    """Date of the day or month -> (kind, key) -> seconds."""
    choose(_DATES, period, "period")
    _check_date(first, period, "startDate")
    _check_date(last, period, "endDate")
    if last < first:
        raise Invalid(f"endDate {last} is before startDate {first}")
    size = _DATES[period][2]

    def load(tx: Tx) -> list[Any]:
        call.require(tx, Right.VIEW_CLUSTER_USAGE)
        return usage.days(tx, first, f"{last}-99" if period is _MONTHLY else last)

    sums: dict[str, Sums] = {}
    waited: dict[tuple[str, str], list[float]] = {}
    for row in await call.read(load):
        date = row.day[:size]
        into = sums.setdefault(date, {})
        if row.kind == QUEUED:
            means = waited.setdefault((date, row.key), [])
            means.append(row.seconds)
            into[row.kind, row.key] = sum(means) / len(means)
        else:
            into[row.kind, row.key] = into.get((row.kind, row.key), 0.0) + row.seconds
    return sums


def _aggregated_entry(
    start: str, period: m.ResourceAllocationAggregationPeriod, sums: Sums
) -> m.ResourceAllocationAggregatedEntry:
    by: dict[str, dict[str, Double]] = {kind: {} for kind in (*KINDS, QUEUED)}
    for (kind, key), seconds in sums.items():
        by[kind][key] = Double(seconds)
    return m.ResourceAllocationAggregatedEntry(
        period_start=start,
        period=period,
        seconds=by[TOTAL].get(TOTAL, Double(0)),
        by_username=by[USER],
        by_experiment_label=by[LABEL],
        by_resource_pool=by[POOL],
    )


def _window(call: Call, after: Micros | None, before: Micros | None) -> tuple[Micros, Micros]:
    """The asked time, which ends now at the latest: what runs has been used until now."""
    if after is None or before is None:
        raise Invalid("timestampAfter and timestampBefore are both needed, such as 2024-01-31T00:00:00Z")
    if before < after:
        raise Invalid("timestampBefore lies before timestampAfter")
    return after, max(after, min(before, call.services.clock.now()))


def _time(text: str, name: str) -> Micros | None:
    try:
        return from_text(text) if text else None
    except ValueError as error:
        raise Invalid(f"{name}: {error}") from None


def _check_date(text: str, period: m.ResourceAllocationAggregationPeriod, name: str) -> None:
    pattern, example, _ = _DATES[period]
    if not pattern.fullmatch(text) or not _is_day(text if period is _DAILY else f"{text}-01"):
        raise Invalid(f"{name}: {text[:40]!r} is not a date such as {example}")


def _is_day(text: str) -> bool:
    try:
        from_text(f"{text}T00:00:00Z")
    except ValueError:
        return False
    return True


def _number(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _text(value: Any) -> str:
    return "" if value is None else str(value)
