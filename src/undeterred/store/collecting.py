"""What the removal of checkpoint files reads and marks in the database."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from undeterred.base import json
from undeterred.core.metrics.checks import VALIDATION, number
from undeterred.core.retention.checkpoints import Checkpoint
from undeterred.store.database import Tx
from undeterred.store.schema.experiments import experiments, runs
from undeterred.store.schema.metrics import metric_groups, reports
from undeterred.store.schema.registry import checkpoints, model_versions, storages

_DELETED = "DELETED"
_CHUNK = 1000
_STORED = (
    sa.select(
        checkpoints.c.id,
        checkpoints.c.uuid,
        checkpoints.c.state,
        checkpoints.c.resources,
        sa.func.coalesce(storages.c.config, experiments.c.config).label("config"),
        storages.c.id.is_not(None).label("named"),
    )
    .join(runs, runs.c.id == checkpoints.c.run_id)
    .join(experiments, experiments.c.id == runs.c.experiment_id)
    .outerjoin(storages, storages.c.id == checkpoints.c.storage_id)
)
_IS_VERSION = sa.exists().where(model_versions.c.checkpoint_id == checkpoints.c.id)


def ranked(tx: Tx, experiment: Any) -> list[Checkpoint]:
    """All checkpoints of an experiment as the rules of retention look at them; those being removed count as deleted."""
    source = sa.exists(sa.select(runs.c.id).where(runs.c.warm_start_checkpoint == checkpoints.c.uuid).correlate(checkpoints))
    query = (
        sa.select(checkpoints, _IS_VERSION.label("registered"), source.label("source"))
        .join(runs, runs.c.id == checkpoints.c.run_id)
        .where(runs.c.experiment_id == experiment.id)
        .order_by(checkpoints.c.id)
    )
    values = validations(tx, experiment)
    return [
        Checkpoint(
            row.uuid,
            row.run_id,
            row.steps_completed,
            value=values[row.id][0] if row.id in values else None,
            validation_id=values[row.id][1] if row.id in values else 0,
            reported_at=row.report_time,
            complete=row.state == "COMPLETED",
            deleted=row.state == _DELETED or row.doomed,
            registered=row.registered,
            warm_start_source=row.source,
        )
        for row in tx.rows(query)
    ]


def validations(tx: Tx, experiment: Any) -> dict[int, tuple[float, int]]:
    """Checkpoint -> the searcher's metric in the validation at its steps, and that validation's number."""
    read = json.members(experiment.searcher_metric)
    query = (
        sa.select(checkpoints.c.id, reports.c.id, reports.c.metrics)
        .select_from(checkpoints)
        .join(runs, runs.c.id == checkpoints.c.run_id)
        .join(reports, sa.and_(reports.c.run_id == checkpoints.c.run_id, reports.c.steps == checkpoints.c.steps_completed))
        .join(metric_groups, metric_groups.c.id == reports.c.group_id)
        .where(runs.c.experiment_id == experiment.id, metric_groups.c.name == VALIDATION, reports.c.archived.is_(False))
        .order_by(reports.c.id)
    )
    found: dict[int, tuple[float, int]] = {}
    for checkpoint_id, report_id, text in tx.conn.execute(query):
        value = number(read(text)[0])
        if value is not None:
            found[checkpoint_id] = (value, report_id)
    return found


def doom(tx: Tx, uuids: Collection[str]) -> None:
    """Mark checkpoints whose files are about to go, so that nothing begins from them any more."""
    for part in _parts(uuids):
        tx.run(sa.update(checkpoints).where(checkpoints.c.uuid.in_(part), ~_IS_VERSION).values(doomed=True))


def spare(tx: Tx, uuids: Collection[str]) -> None:
    """Take the mark away."""
    for part in _parts(uuids):
        tx.run(sa.update(checkpoints).where(checkpoints.c.uuid.in_(part), checkpoints.c.doomed).values(doomed=False))


def doomed(tx: Tx, uuids: Collection[str]) -> list[Any]:
    """Of these checkpoints those that are marked: id, uuid, state, resources, and what `storage_of` reads."""
    query = _STORED.where(checkpoints.c.doomed).order_by(checkpoints.c.id)
    return [row for part in _parts(uuids) for row in tx.rows(query.where(checkpoints.c.uuid.in_(part)))]


def stored(tx: Tx, checkpoint_id: int) -> Any:
    """The same for one checkpoint, marked or not."""
    return tx.row(_STORED.where(checkpoints.c.id == checkpoint_id))


def storage_of(row: Any) -> dict[str, Any]:
    """The configuration of the storage that holds a checkpoint: the one it was reported with, else its experiment's."""
    config = json.loads(row.config)
    found: dict[str, Any] = config if row.named else config.get("checkpoint_storage") or {}
    return found


def storages_of(tx: Tx, experiment_id: int) -> list[dict[str, Any]]:
    """The storages that hold anything of an experiment: its own, and those that its checkpoints name."""
    text = tx.value(sa.select(experiments.c.config).where(experiments.c.id == experiment_id))
    own = [] if text is None else [json.loads(text).get("checkpoint_storage") or {}]
    query = (
        sa.select(storages.c.config)
        .where(
            storages.c.id.in_(
                sa.select(checkpoints.c.storage_id)
                .join(runs, runs.c.id == checkpoints.c.run_id)
                .where(runs.c.experiment_id == experiment_id)
            )
        )
        .order_by(storages.c.id)
    )
    return [config for config in (*own, *map(json.loads, tx.values(query))) if config]


def _parts(items: Collection[str]) -> list[list[str]]:
    listed = list(items)
    return [listed[start : start + _CHUNK] for start in range(0, len(listed), _CHUNK)]
