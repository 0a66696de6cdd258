"""Where checkpoints are: each configuration of a storage is one row, however many runs use it."""

import hashlib
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from undeterred.base import json
from undeterred.store import dialect
from undeterred.store.database import Tx
from undeterred.store.schema.registry import storages


def register(tx: Tx, config: Mapping[str, Any]) -> int:
    """The id of the storage with this configuration (canonical, with its secrets), stored when it is new."""
    text = json.dumps(dict(sorted(config.items())))
    digest = hashlib.sha256(text.encode()).hexdigest()
    query = sa.select(storages.c.id).where(storages.c.digest == digest)
    known = tx.value(query)
    if known is None:
        tx.run(dialect.insert_ignore(tx.conn, storages).values(digest=digest, config=text))
        known = tx.value(query)
    return int(known)
