"""Downloading the files of a checkpoint through the server."""

import asyncio
from collections.abc import Iterator
from typing import Any

from undeterred.api.call import Call
from undeterred.api.checkpoints.targets import check_uuid, checkpoint
from undeterred.base.errors import Invalid, NotFound
from undeterred.base.struct import Struct
from undeterred.core.rights import Right
from undeterred.engine.storage.archive import FORMATS
from undeterred.engine.storage.base import Entry, Storage
from undeterred.engine.storage.open import open_storage
from undeterred.store import checkpoints, collecting
from undeterred.store.database import Tx


class Download(Struct, frozen=True):
    """A checkpoint whose files are there."""

    uuid: str
    storage: Storage
    entries: list[Entry]

    def pieces(self, form: str) -> Iterator[bytes]:
        """An archive of all files as `tgz`, `zip` or `tar`; it blocks while it reads. Raises Invalid for another form."""
        if form not in FORMATS:
            raise Invalid(f"format: {form[:20]!r} is not one of {', '.join(FORMATS)}")
        return FORMATS[form](self.storage, self.uuid, self.entries)


async def open_download(call: Call, text: str) -> Download:
    """Find the files of a checkpoint; raises NotFound for one without files, Unreachable while its storage cannot be reached."""
    uuid = check_uuid(text)

    def load(tx: Tx) -> Any:
        row = checkpoint(call, tx, Right.VIEW_EXPERIMENT_ARTIFACTS, uuid)
        if row.state == checkpoints.DELETED:
            raise NotFound(f"checkpoint {uuid} is deleted: its files are gone")
        return collecting.stored(tx, row.id)

    config = collecting.storage_of(await call.read(load))
    storage, entries = await asyncio.to_thread(_look, config, uuid)
    if entries is None:
        raise NotFound(f"checkpoint {uuid} has no files in its storage")
    return Download(uuid, storage, entries)


def _look(config: dict[str, Any], uuid: str) -> tuple[Storage, list[Entry] | None]:
    storage = open_storage(config)
    return storage, storage.entries(uuid)
