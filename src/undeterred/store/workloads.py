"""The workloads of a trial: its training reports, validations and checkpoints in one list."""

import enum
from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from undeterred.base import json
from undeterred.base.struct import Struct
from undeterred.core.metrics.checks import TRAINING, VALIDATION, number
from undeterred.store.bulk import chunks
from undeterred.store.database import Tx
from undeterred.store.paging import Page, sql_page
from undeterred.store.schema.metrics import metric_groups, reports
from undeterred.store.schema.registry import checkpoints

_UNTOLD = sa.and_(checkpoints.c.steps_completed == 0, checkpoints.c.metadata.not_like('%"steps_completed":%'))
"""Checkpoints whose metadata do not tell their steps; they come last."""


class Kind(enum.IntEnum):
    """What a workload is; at the same steps and time they come in this order."""

    TRAINING = 0
    VALIDATION = 1
    CHECKPOINT = 2


class Workload(Struct, frozen=True):
    """One of them, with the row of the report or checkpoint."""

    kind: Kind
    row: Any


def page(
    tx: Tx,
    run_id: int,
    kinds: Collection[Kind],
    *,
    metric: str = "",
    by_time: bool = False,
    descending: bool = False,
    deleted: bool = True,
    batches: bool = False,
    offset: int = 0,
    limit: int = -1,
) -> tuple[list[Workload], Page]:
    """A page in order of steps, or of time, or of a metric's value (NaN is the largest, then those without a number).

    `deleted` takes deleted checkpoints in, `batches` the values per batch (`batch_metrics`).
    """
    keys = _keys(run_id, kinds, deleted=deleted).subquery()
    cut = sql_page(offset, limit, int(tx.value(sa.select(sa.func.count()).select_from(keys))))
    if metric:
        chosen = _by_metric(tx, keys, metric, descending=descending)[cut.start : cut.end]
    else:
        order = [keys.c.time] if by_time else [keys.c.steps, keys.c.time]
        columns = [*order, keys.c.kind, keys.c.id]
        sorting = [(column.desc() if descending else column).nulls_last() for column in columns]
        query = sa.select(keys.c.kind, keys.c.id).order_by(*sorting).limit(cut.end - cut.start).offset(cut.start)
        chosen = [(Kind(kind), row_id) for kind, row_id in tx.rows(query)]
    return _load(tx, chosen, batches=batches), cut


def _keys(run_id: int, kinds: Collection[Kind], *, deleted: bool) -> Any:
    """Kind, id, steps and time of what is wanted."""
    parts: list[Any] = []
    for kind, group in ((Kind.TRAINING, TRAINING), (Kind.VALIDATION, VALIDATION)):
        if kind in kinds:
            group_id = sa.select(metric_groups.c.id).where(metric_groups.c.name == group).scalar_subquery()
            parts.append(
                sa.select(sa.literal_column(str(int(kind))).label("kind"), reports.c.id, reports.c.steps, reports.c.time).where(
                    reports.c.run_id == run_id, reports.c.group_id == group_id, reports.c.archived.is_(False)
                )
            )
    if Kind.CHECKPOINT in kinds:
        steps = sa.case((_UNTOLD, sa.null()), else_=checkpoints.c.steps_completed)
        query = sa.select(
            sa.literal_column(str(int(Kind.CHECKPOINT))).label("kind"),
            checkpoints.c.id,
            steps.label("steps"),
            checkpoints.c.report_time.label("time"),
        ).where(checkpoints.c.run_id == run_id)
        parts.append(query if deleted else query.where(checkpoints.c.state != "DELETED"))
    return sa.union_all(*parts)


def _by_metric(tx: Tx, keys: Any, metric: str, *, descending: bool) -> list[tuple[Kind, int]]:
    read = json.members(metric)
    query = sa.select(keys, reports.c.metrics).outerjoin(
        reports, sa.and_(reports.c.id == keys.c.id, keys.c.kind != int(Kind.CHECKPOINT))
    )
    with_value: list[tuple[Any, ...]] = []
    without: list[tuple[Any, ...]] = []
    for kind, row_id, steps, time, text in tx.conn.execute(query):
        value = None if text is None else number(read(text)[0])
        place = ((steps is None) != descending, steps or 0, time, kind, row_id)
        if value is None:
            without.append(place)
        else:
            nan = value != value
            with_value.append((nan, 0.0 if nan else value, *place))
    with_value.sort(reverse=descending)
    without.sort(reverse=descending)
    return [(Kind(kind), row_id) for *_, kind, row_id in with_value + without]


def _load(tx: Tx, chosen: Sequence[tuple[Kind, int]], *, batches: bool) -> list[Workload]:
    report_ids = [row_id for kind, row_id in chosen if kind is not Kind.CHECKPOINT]
    checkpoint_ids = [row_id for kind, row_id in chosen if kind is Kind.CHECKPOINT]
    columns = [reports.c.id, reports.c.steps, reports.c.time, reports.c.metrics]
    found: dict[tuple[bool, int], Any] = {}
    for ids in chunks(report_ids):
        query = sa.select(*columns, *([reports.c.batch_metrics] if batches else [])).where(reports.c.id.in_(ids))
        found.update(((False, row.id), row) for row in tx.rows(query))
    for ids in chunks(checkpoint_ids):
        found.update(((True, row.id), row) for row in tx.rows(sa.select(checkpoints).where(checkpoints.c.id.in_(ids))))
    return [Workload(kind, found[kind is Kind.CHECKPOINT, row_id]) for kind, row_id in chosen]
