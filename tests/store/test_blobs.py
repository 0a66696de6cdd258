"""Contents in slices."""

import pytest

from undeterred.base.errors import NotFound
from undeterred.store import blobs
from undeterred.store.database import Database

SLICE = 8


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices of a few bytes."""
    monkeypatch.setattr(blobs, "SLICE", SLICE)


@pytest.mark.parametrize("size", [0, 1, SLICE - 1, SLICE, SLICE + 1, 3 * SLICE])
async def test_contents_come_back_whole(db: Database, size: int) -> None:
    """Of any size, whole slices included, and storing again changes nothing."""
    data = bytes(range(size))
    digest = await blobs.store(db, data)
    assert await blobs.store(db, data) == digest
    assert await db.read(lambda tx: blobs.read(tx, digest)) == data
    assert await db.read(lambda tx: blobs.complete(tx, digest))


async def test_a_write_that_was_interrupted_is_seen_and_written_again(db: Database) -> None:
    """The end is missing, or a slice in between."""
    data = bytes(range(3 * SLICE + 2))
    digest = blobs.digest_of(data)
    for present in ([0, 1], [0, 3]):
        for seq in present:
            piece = data[seq * SLICE : (seq + 1) * SLICE]
            await db.write(lambda tx, seq=seq, piece=piece: blobs.put_slice(tx, digest, seq, piece))  # type: ignore[misc]
        assert not await db.read(lambda tx: blobs.complete(tx, digest))
    assert await blobs.store(db, data) == digest
    assert await db.read(lambda tx: blobs.read(tx, digest)) == data


async def test_what_is_not_there_is_not_found(db: Database) -> None:
    """And what nobody names is removed."""
    with pytest.raises(NotFound):
        await db.read(lambda tx: blobs.read(tx, "nope"))
    digest = await db.write(lambda tx: blobs.put(tx, b"unused"))
    assert await db.write(lambda tx: blobs.drop_unused(tx, digest))
    assert not await db.read(lambda tx: blobs.complete(tx, digest))
