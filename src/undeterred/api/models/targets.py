"""What operations on models begin with: find the model that the path names, and ask for the right on it."""

from collections.abc import Mapping
from typing import Any

from undeterred.api.call import Call
from undeterred.base import json
from undeterred.base.errors import Invalid, Refused
from undeterred.core.names import storable
from undeterred.core.rights import Right
from undeterred.store import models
from undeterred.store.database import Tx

_JSON = ("labels", "metadata")


def model(call: Call, tx: Tx, right: Right, name: str, *, change: bool = False) -> Any:
    """The row of a model, by number or name, on which the caller has the right; with `change` it is held until the commit.

    Raises NotFound (also where it is hidden) or Forbidden.
    """
    row = models.locked(tx, name) if change else models.get(tx, name)
    call.require(
        tx,
        right,
        workspace=row.workspace_id,
        owner=row.user_id,
        workspace_owner=row.workspace_owner,
        missing=str(models.missing(name)),
    )
    return row


def check_open(row: Any) -> None:
    """Raises Refused for an archived model."""
    if row.archived:
        raise Refused(f"model {row.name!r} is archived; unarchive it first")


def columns(texts: Mapping[str, str | None], metadata: Any, labels: Any) -> dict[str, str]:
    """Columns as they are stored, of what is given; labels may repeat. Raises Invalid for labels that are no texts."""
    found = {name: storable(value) for name, value in texts.items() if value is not None}
    if metadata is not None:
        found["metadata"] = json.dumps(metadata)
    if labels is not None:
        if any(not isinstance(label, str) for label in labels):
            raise Invalid("labels: must be a list of texts")
        found["labels"] = json.dumps([storable(label) for label in labels])
    return found


def differing(row: Any, wanted: Mapping[str, str]) -> dict[str, str]:
    """Those of the columns whose new values are not as stored."""
    return {
        name: value
        for name, value in wanted.items()
        if (json.loads(value) != json.loads(getattr(row, name)) if name in _JSON else value != getattr(row, name))
    }
