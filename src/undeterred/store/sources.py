"""Links from trials to the checkpoints that they use."""

import sqlalchemy as sa

from undeterred.store.database import Tx
from undeterred.store.schema.registry import checkpoints, trial_sources

INFERENCE = "INFERENCE"
FINE_TUNE = "FINE_TUNE"


def link(tx: Tx, run_id: int, uuid: str, kind: str, model_id: int | None, model_version: int | None) -> bool:
    """Note that a run uses a checkpoint, in place of what was noted of the two before; False when there is no such checkpoint."""
    checkpoint_id = tx.value(sa.select(checkpoints.c.id).where(checkpoints.c.uuid == uuid))
    if checkpoint_id is None:
        return False
    keys = ["run_id", "checkpoint_id"]
    columns = {"kind": kind, "model_id": model_id, "model_version": model_version}
    tx.upsert(trial_sources, keys, run_id=run_id, checkpoint_id=checkpoint_id, **columns)
    return True
