"""Context directories as bytes, kept once per content, in slices that are written before anything names them."""

import hashlib
from collections.abc import Iterator

import sqlalchemy as sa

from undeterred.base.errors import NotFound
from undeterred.store import dialect
from undeterred.store.database import Database, Tx
from undeterred.store.schema.experiments import blobs, experiments
from undeterred.store.schema.tasks import tasks

SLICE = 1 << 20
"""Bytes of one row at most: a larger one would hold the writer up."""


def digest_of(data: bytes) -> str:
    """The name of a content."""
    return hashlib.sha256(data).hexdigest()


async def store(db: Database, data: bytes) -> str:
    """Write a content, slice by slice, each in a transaction of its own; its digest. What is there already costs one read.

    The last slice is marked by being shorter than `SLICE` (an empty one if need be), so that a write that was interrupted is
    seen as incomplete and written again.
    """
    digest = digest_of(data)
    if await db.read(lambda tx: complete(tx, digest)):
        return digest
    for seq in range(len(data) // SLICE + 1):
        piece = data[seq * SLICE : (seq + 1) * SLICE]
        await db.write(lambda tx, seq=seq, piece=piece: put_slice(tx, digest, seq, piece))  # type: ignore[misc]
    return digest


def put(tx: Tx, data: bytes) -> str:
    """Write a small content inside a transaction; its digest."""
    digest = digest_of(data)
    for seq in range(len(data) // SLICE + 1):
        put_slice(tx, digest, seq, data[seq * SLICE : (seq + 1) * SLICE])
    return digest


def put_slice(tx: Tx, digest: str, seq: int, data: bytes) -> None:
    """Write one slice unless it is there."""
    tx.conn.execute(dialect.insert_ignore(tx.conn, blobs).values(digest=digest, seq=seq, data=data))


def complete(tx: Tx, digest: str) -> bool:
    """Whether every slice is there."""
    query = sa.select(blobs.c.seq, sa.func.length(blobs.c.data)).where(blobs.c.digest == digest)
    rows = tx.rows(query.order_by(blobs.c.seq.desc()).limit(1))
    if not rows or rows[0][1] >= SLICE:
        return False
    count = tx.value(sa.select(sa.func.count()).select_from(blobs).where(blobs.c.digest == digest))
    return bool(count == rows[0][0] + 1)


def slices(tx: Tx, digest: str) -> Iterator[bytes]:
    """The slices in order; raises NotFound when there is no such content."""
    found = False
    seq = 0
    while (data := tx.value(sa.select(blobs.c.data).where(blobs.c.digest == digest, blobs.c.seq == seq))) is not None:
        found = True
        yield bytes(data)
        seq += 1
    if not found:
        raise NotFound("the files of this context are not there any more")


def read(tx: Tx, digest: str) -> bytes:
    """The whole content; raises NotFound."""
    return b"".join(slices(tx, digest))


def drop_unused(tx: Tx, digest: str) -> bool:
    """Remove a content that nothing names any more; whether it was removed."""
    for table in (experiments, tasks):
        if tx.value(sa.select(table.c.id).where(table.c.context_digest == digest).limit(1)) is not None:
            return False
    return tx.run(sa.delete(blobs).where(blobs.c.digest == digest)) > 0
