"""Removal of checkpoints: decided with its cause and left in the outbox, carried out by `services/collector.py`.

Which checkpoints a policy removes is decided when the collector takes the work, so that one that was registered as a model
version meanwhile is kept.
"""

from collections.abc import Sequence

from undeterred.engine import keys
from undeterred.store import collecting, events
from undeterred.store.database import Tx

COLLECT = "checkpoints.collect"
REMOVE = "checkpoints.remove"
TENSORBOARD = "tensorboard.remove"


def collect(tx: Tx, experiment_id: int) -> None:
    """Apply the retention policy of an experiment that has ended (or whose policy was changed) to its checkpoints."""
    events.put(tx, COLLECT, {"experiment_id": experiment_id})
    tx.wake(keys.COLLECTOR)


def remove(tx: Tx, uuids: Sequence[str], globs: Sequence[str] | None = None) -> int:
    """Remove the files of checkpoints: all of them, or those that match one of the globs; the id of this work in the outbox.

    Afterwards a checkpoint without files is DELETED, one with fewer files PARTIALLY_DELETED. Until then no trial begins from it
    and no version of a model is made of it. With an empty list of globs it is only looked which files are there.
    The caller has checked rights and that none of them is a registered model version.
    """
    collecting.doom(tx, uuids)
    tx.wake(keys.COLLECTOR)
    return events.put(tx, REMOVE, {"uuids": list(uuids), "globs": None if globs is None else list(globs)})


def remove_tensorboard(tx: Tx, experiment_id: int, trial_ids: Sequence[int] | None = None) -> int:
    """Remove the TensorBoard files of an experiment, or of some of its trials; the id of this work in the outbox."""
    tx.wake(keys.COLLECTOR)
    payload = {"experiment_id": experiment_id, "trial_ids": None if trial_ids is None else list(trial_ids)}
    return events.put(tx, TENSORBOARD, payload)
