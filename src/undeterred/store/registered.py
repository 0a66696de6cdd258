"""What the model registry protects."""

import sqlalchemy as sa

from undeterred.store.database import Tx
from undeterred.store.schema.experiments import runs
from undeterred.store.schema.registry import checkpoints, model_versions, models


def model_of_experiment(tx: Tx, experiment_id: int) -> str | None:
    """The name of a model that has a checkpoint of this experiment as a version, or None."""
    query = (
        sa.select(models.c.name)
        .join(model_versions, model_versions.c.model_id == models.c.id)
        .join(checkpoints, checkpoints.c.id == model_versions.c.checkpoint_id)
        .join(runs, runs.c.id == checkpoints.c.run_id)
        .where(runs.c.experiment_id == experiment_id)
        .order_by(models.c.name)
        .limit(1)
    )
    found: str | None = tx.value(query)
    return found
