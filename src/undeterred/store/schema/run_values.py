"""Values to search and sort by that are no columns of their own: hyperparameters, summaries of metrics, metadata.

They are derived from `runs` and `experiments`: a row there that is marked `values_stale` is newer than its values here.
"""

from typing import Any

import sqlalchemy as sa

from undeterred.store.schema.base import Text, id_column, number, ref, table

value_columns = table(
    "value_columns",
    id_column(),
    sa.Column("key", Text, nullable=False, unique=True),  # `core.filters.values.column_key`
)


def _values(name: str, owner: str, target: str) -> sa.Table:
    """Clustered by project, column and value, so that a page of a sorted list is a short scan."""
    keys: tuple[Any, ...] = (
        sa.Column("project_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("column_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.SmallInteger, primary_key=True, autoincrement=False),  # `core.filters.values.CellKind`
        sa.Column("number", sa.Double, primary_key=True, autoincrement=False),
        sa.Column("text", Text, primary_key=True),
        ref(owner, target, primary_key=True, index=True, autoincrement=False),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        number("form"),  # `core.filters.values.Form`
    )
    return table(name, *keys, rowid=False)


run_values = _values("run_values", "run_id", "runs.id")
experiment_values = _values("experiment_values", "experiment_id", "experiments.id")
