"""Templates: named configurations that submitted ones are merged over."""

from typing import Any

import sqlalchemy as sa

from undeterred.base.errors import NotFound
from undeterred.store.database import Tx
from undeterred.store.schema.spaces import templates


def get(tx: Tx, name: str) -> Any:
    """A template by its exact name; raises NotFound."""
    row = tx.row(sa.select(templates).where(templates.c.name == name))
    if row is None:
        raise NotFound(f"template {name!r} not found")
    return row
