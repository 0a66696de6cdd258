"""Models and their versions as clients see them.

The answers to changes leave out what clients of the compatible API are used to miss in them: see `created` and `changed`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from undeterred.api.views.checkpoints import checkpoint_messages
from undeterred.api.views.common import free, when
from undeterred.base import json
from undeterred.store import checkpoints
from undeterred.store.database import Tx
from undeterred.wire import messages as m


def model_message(row: Any) -> m.Model:
    """A row of `store.models`."""
    return m.Model(
        name=row.name,
        description=row.description,
        metadata=free(row.metadata),
        creation_time=when(row.created_at),
        last_updated_time=when(row.updated_at),
        id=row.id,
        num_versions=row.num_versions,
        labels=json.loads(row.labels),
        username=row.username,
        workspace_id=row.workspace_id,
        user_id=row.user_id,
        archived=row.archived,
        notes=row.notes,
    )


def created(row: Any) -> m.Model:
    """A model as the call that made it answers: without its owner's number."""
    message = model_message(row)
    message.user_id = 0
    return message


def changed(row: Any) -> m.Model:
    """A model as the call that changed it answers: without its number, its owner and its workspace."""
    message = created(row)
    message.id, message.username, message.workspace_id = 0, "", 0
    return message


def version_messages(tx: Tx, model: Any, rows: Sequence[Any]) -> list[m.ModelVersion]:
    """Versions of a model with their checkpoints."""
    found = checkpoints.load(tx, sorted({row.checkpoint_id for row in rows}))
    shown: Mapping[int, m.Checkpoint] = dict(zip((one.row.id for one in found), checkpoint_messages(found), strict=True))
    return [_version(model_message(model), row, shown[row.checkpoint_id]) for row in rows]


def listed_versions(tx: Tx, model: Any, rows: Sequence[Any]) -> list[m.ModelVersion]:
    """Versions as lists show them: their model without its workspace."""
    messages = version_messages(tx, model, rows)
    for message in messages:
        _model_of(message).workspace_id = 0
    return messages


def created_version(tx: Tx, model: Any, row: Any) -> m.ModelVersion:
    """A version as the call that made it answers: the model as it was before, no notes."""
    message = _bare(tx, model, row)
    message.username, message.notes = row.username, ""
    _model_of(message).num_versions -= 1
    return message


def changed_version(tx: Tx, model: Any, row: Any) -> m.ModelVersion:
    """A version as the call that changed it answers: without its author and the time of the change."""
    return _bare(tx, model, row)


def _bare(tx: Tx, model: Any, row: Any) -> m.ModelVersion:
    message = version_messages(tx, model, [row])[0]
    message.user_id, message.username, message.last_updated_time = 0, "", None
    of = _model_of(message)
    of.user_id = of.workspace_id = 0
    return message


def _model_of(message: m.ModelVersion) -> m.Model:
    assert message.model is not None
    return message.model


def _version(model: m.Model, row: Any, checkpoint: m.Checkpoint) -> m.ModelVersion:
    return m.ModelVersion(
        model=model,
        checkpoint=checkpoint,
        version=row.version,
        creation_time=when(row.created_at),
        id=row.id,
        name=row.name,
        metadata=free(row.metadata),
        last_updated_time=when(row.updated_at),
        comment=row.comment,
        username=row.username,
        user_id=row.user_id,
        labels=json.loads(row.labels),
        notes=row.notes,
    )
