"""The model registry: models and their versions, each of which is a checkpoint."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from undeterred.base import json
from undeterred.base.errors import NotFound
from undeterred.base.struct import Struct
from undeterred.core.rights import Scope
from undeterred.store import dialect
from undeterred.store.database import Tx
from undeterred.store.schema.identity import users
from undeterred.store.schema.registry import checkpoints, model_versions, models
from undeterred.store.schema.spaces import workspaces

_NUM_VERSIONS = sa.select(sa.func.count()).where(model_versions.c.model_id == models.c.id).correlate(models).scalar_subquery()
_SHOWN = (
    sa.select(
        models,
        users.c.username,
        workspaces.c.user_id.label("workspace_owner"),
        _NUM_VERSIONS.label("num_versions"),
    )
    .join(users, users.c.id == models.c.user_id)
    .join(workspaces, workspaces.c.id == models.c.workspace_id)
)
_VERSION = sa.select(
    model_versions, users.c.username, checkpoints.c.uuid.label("checkpoint_uuid"), checkpoints.c.run_id
).select_from(
    model_versions.join(users, users.c.id == model_versions.c.user_id).join(
        checkpoints, checkpoints.c.id == model_versions.c.checkpoint_id
    )
)
SORTS: dict[str, Any] = {
    "id": models.c.id,
    "name": models.c.name,
    "description": models.c.description,
    "created": models.c.created_at,
    "updated": models.c.updated_at,
    "versions": _NUM_VERSIONS,
    "workspace": models.c.workspace_id,
}
"""What lists of models can be sorted by."""
VERSION_SORTS: dict[str, Any] = {"version": model_versions.c.version, "created": model_versions.c.created_at}
"""What lists of versions can be sorted by."""
_LONGEST_ID = 18
"""Digits of the largest number that is looked up."""


class ModelFilter(Struct, frozen=True):
    """Which models a list shows; what is left out does not filter."""

    id: int = 0
    name: str = ""
    """A part of the name, ignoring case; `%` and `_` are wildcards."""
    description: str = ""
    """A part of the description, likewise."""
    archived: bool | None = None
    labels: Collection[str] = ()
    """Has one of these labels."""
    users: Collection[str] = ()
    """Made by one of these user names."""
    user_ids: Collection[int] = ()
    workspace_ids: Collection[int] = ()


def find(tx: Tx, name: str) -> Any | None:
    """The model that a path names: by its number when the text is one, else by its exact name; None when there is none."""
    if name.isascii() and name.isdigit():
        return tx.row(_SHOWN.where(models.c.id == int(name))) if len(name) <= _LONGEST_ID else None
    return by_name(tx, name)


def by_name(tx: Tx, name: str) -> Any | None:
    """A model by its exact name, or None."""
    return None if "\0" in name else tx.row(_SHOWN.where(models.c.name == name))


def get(tx: Tx, name: str) -> Any:
    """The same as `find`; raises NotFound."""
    row = find(tx, name)
    if row is None:
        raise missing(name)
    return row


def locked(tx: Tx, name: str) -> Any:
    """The same as `get`, held until the commit."""
    row = get(tx, name)
    if tx.locked(sa.select(models.c.id).where(models.c.id == row.id)) is None:
        raise missing(name)
    return get(tx, str(row.id))


def missing(name: str) -> NotFound:
    """The failure that says so."""
    return NotFound(f"model {name[:80]!r} not found")


def count(tx: Tx, scope: Scope, which: ModelFilter) -> int:
    """How many models `search` finds."""
    joined = models.join(users, users.c.id == models.c.user_id)
    query = sa.select(sa.func.count()).select_from(joined).where(*_conditions(tx, scope, which))
    return int(tx.value(query))


def search(tx: Tx, scope: Scope, which: ModelFilter, sort: str, *, descending: bool, start: int, end: int) -> list[Any]:
    """A page of models in the order of a key of `SORTS`, of equals the one made first."""
    key, tie = SORTS[sort], models.c.id
    order = (key.desc(), tie.desc()) if descending else (key, tie)
    return tx.rows(_SHOWN.where(*_conditions(tx, scope, which)).order_by(*order).offset(start).limit(end - start))


def labels(tx: Tx, scope: Scope, workspace_id: int | None) -> list[str]:
    """Every label of models, or of those in one workspace, the most used first."""
    where = _within(scope) + ([] if workspace_id is None else [models.c.workspace_id == workspace_id])
    counts: dict[str, int] = {}
    for text in tx.values(sa.select(models.c.labels).where(*where)):
        for label in set(json.loads(text)):
            counts[label] = counts.get(label, 0) + 1
    return sorted(counts, key=lambda label: (-counts[label], label))


def create(tx: Tx, **columns: Any) -> int:
    """Store a new model, made now; its id."""
    return tx.insert(models, **columns, created_at=tx.now, updated_at=tx.now)


def update(tx: Tx, model_id: int, **columns: Any) -> None:
    """Change columns of a model; it is updated now."""
    tx.run(sa.update(models).where(models.c.id == model_id).values(**columns, updated_at=tx.now))


def delete(tx: Tx, model_id: int) -> None:
    """Remove a model with its versions; their checkpoints stay."""
    tx.run(sa.delete(models).where(models.c.id == model_id))


def find_version(tx: Tx, model_id: int, version: int) -> Any | None:
    """A version of a model with its author and checkpoint (`username`, `checkpoint_uuid`), or None."""
    return tx.row(_VERSION.where(model_versions.c.model_id == model_id, model_versions.c.version == version))


def get_version(tx: Tx, model: Any, version: int) -> Any:
    """The same; raises NotFound."""
    row = find_version(tx, model.id, version)
    if row is None:
        raise NotFound(f"model {model.name[:80]!r} has no version {version}")
    return row


def versions(tx: Tx, model_id: int, sort: str, *, descending: bool, start: int, end: int) -> list[Any]:
    """A page of the versions of a model in the order of a key of `VERSION_SORTS`."""
    key, tie = VERSION_SORTS[sort], model_versions.c.version
    order = (key.desc(), tie.desc()) if descending else (key, tie)
    query = _VERSION.where(model_versions.c.model_id == model_id).order_by(*order)
    return tx.rows(query.offset(start).limit(end - start))


def add_version(tx: Tx, model_id: int, **columns: Any) -> int:
    """Store a new version under the next number, which no version of the model ever had; the number."""
    next_number = (
        sa.update(models)
        .where(models.c.id == model_id)
        .values(version_counter=models.c.version_counter + 1, updated_at=tx.now)
        .returning(models.c.version_counter)
    )
    number = int(tx.value(next_number))
    tx.insert(model_versions, model_id=model_id, version=number, **columns, created_at=tx.now, updated_at=tx.now)
    return number


def update_version(tx: Tx, version_id: int, **columns: Any) -> None:
    """Change columns of a version; it is updated now."""
    tx.run(sa.update(model_versions).where(model_versions.c.id == version_id).values(**columns, updated_at=tx.now))


def delete_version(tx: Tx, version_id: int) -> None:
    """Remove a version; its checkpoint stays."""
    tx.run(sa.delete(model_versions).where(model_versions.c.id == version_id))


def _within(scope: Scope) -> list[sa.ColumnElement[bool]]:
    return [] if scope.everywhere else [models.c.workspace_id.in_(scope.workspaces)]


def _conditions(tx: Tx, scope: Scope, which: ModelFilter) -> list[sa.ColumnElement[bool]]:
    conditions = _within(scope)
    if which.id:
        conditions.append(models.c.id == which.id)
    if which.name:
        conditions.append(dialect.ilike(tx.conn, models.c.name, f"%{which.name}%"))
    if which.description:
        conditions.append(dialect.ilike(tx.conn, models.c.description, f"%{which.description}%"))
    if which.archived is not None:
        conditions.append(models.c.archived.is_(which.archived))
    if which.labels:
        conditions.append(sa.or_(*(dialect.json_has_text(tx.conn, models.c.labels, label) for label in which.labels)))
    if which.users:
        conditions.append(users.c.username.in_(which.users))
    if which.user_ids:
        conditions.append(models.c.user_id.in_(which.user_ids))
    if which.workspace_ids:
        conditions.append(models.c.workspace_id.in_(which.workspace_ids))
    return conditions
