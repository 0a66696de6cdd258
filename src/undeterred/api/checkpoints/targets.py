"""What operations on checkpoints begin with: find the one that is meant, and ask for the right on it."""

from collections.abc import Collection
from typing import Any

from undeterred.api.call import Call
from undeterred.base.errors import Invalid
from undeterred.base.ids import is_uuid
from undeterred.core.rights import Right
from undeterred.store import checkpoints, experiments
from undeterred.store.database import Tx


def check_uuid(text: str) -> str:
    """The uuid in lower case; raises Invalid."""
    if not is_uuid(text):
        raise Invalid(f"{text[:80]!r} is no uuid of a checkpoint")
    return text.lower()


def checkpoint(call: Call, tx: Tx, right: Right, uuid: str) -> Any:
    """The row of a checkpoint on which the caller has the right; raises NotFound (also where it is hidden) or Forbidden.

    A task's token reaches the checkpoints of its experiment and the one that its trial was started from.
    """
    row = checkpoints.get(tx, uuid)
    _require(call, tx, right, row)
    return row


def changeable(call: Call, tx: Tx, right: Right, uuids: Collection[str]) -> list[Any]:
    """The rows of checkpoints whose files may go, held until the commit.

    Raises NotFound, Forbidden, or Invalid for those that are versions of models.
    """
    call.scope(tx, right)
    rows = checkpoints.several(tx, uuids)
    for row in rows:
        _require(call, tx, right, row)
    kept = checkpoints.registered(tx, [row.id for row in rows])
    for row in rows:
        if row.id in kept:
            raise Invalid(f"checkpoint {row.uuid} is a version of the model {kept[row.id]!r}: delete that version first")
    return rows


def _require(call: Call, tx: Tx, right: Right, row: Any) -> None:
    reached: Collection[str] = ()
    if call.who.task_id:
        reached = [*experiments.task_ids(tx, row.experiment_id), *checkpoints.warm_started_tasks(tx, row.uuid)]
    call.require(
        tx,
        right,
        workspace=row.workspace_id,
        owner=row.user_id,
        workspace_owner=row.workspace_owner,
        missing=str(checkpoints.missing(row.uuid)),
        tasks=reached,
    )
