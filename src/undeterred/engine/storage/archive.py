"""A folder of a storage as one archive, made while it is sent: memory stays the same whatever the size.

Each function is a generator of pieces; it blocks while it reads, so it runs in worker threads.
"""

import io
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import BinaryIO

from undeterred.engine.storage.base import Entry, Storage

PIECE = 256 * 1024
"""Bytes read at once, and about the size of the pieces sent."""
LEVEL = 1
"""Of compression: most of a checkpoint is numbers that hardly get smaller."""
_BLOCK = tarfile.BLOCKSIZE
_FIRST_ZIP_YEAR = (1980, 1, 1, 0, 0, 0)


def tar(storage: Storage, folder: str, entries: Iterable[Entry]) -> Iterator[bytes]:
    """A tar archive of files and folders. A file that is gone by then is left out; one that changes keeps its first size."""
    for entry in entries:
        if entry.path.endswith("/"):
            yield _header(entry, tarfile.DIRTYPE, 0)
            continue
        with ExitStack() as stack:
            file = _opened(stack, storage, folder, entry)
            if file is not None:
                size = _size(file, entry)
                yield _header(entry, tarfile.REGTYPE, size)
                yield from _exactly(file, size)
                yield bytes(-size % _BLOCK)
    yield bytes(2 * _BLOCK)


def tar_gz(storage: Storage, folder: str, entries: Iterable[Entry]) -> Iterator[bytes]:
    """The same, compressed by gzip."""
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    for piece in tar(storage, folder, entries):
        packed = packer.compress(piece)
        if packed:
            yield packed
    yield packer.flush()


def zip_(storage: Storage, folder: str, entries: Iterable[Entry]) -> Iterator[bytes]:
    """A zip archive, whose sizes stand behind each file."""
    out = _Out()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as packer:
        for entry in entries:
            info = zipfile.ZipInfo(entry.path, max(_FIRST_ZIP_YEAR, time.gmtime(entry.mtime)[:6]))
            info.compress_type = zipfile.ZIP_DEFLATED
            if entry.path.endswith("/"):
                info.external_attr = 0o40755 << 16 | 0x10
                packer.writestr(info, b"")
                continue
            info.external_attr = 0o100644 << 16
            with ExitStack() as stack:
                file = _opened(stack, storage, folder, entry)
                into = None if file is None else stack.enter_context(packer.open(info, "w", force_zip64=True))
                while file is not None and into is not None and (piece := file.read(PIECE)):
                    into.write(piece)
                    yield from out.taken()
            yield from out.taken()
    yield from out.taken()


FORMATS: dict[str, Callable[[Storage, str, Iterable[Entry]], Iterator[bytes]]] = {"tgz": tar_gz, "zip": zip_, "tar": tar}


class _Out(io.RawIOBase):
    """Takes what is written and gives it away in pieces; it cannot go back."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, data: object) -> int:
        """Keep a copy."""
        piece = bytes(data)  # type: ignore[call-overload]
        self._pieces.append(piece)
        return len(piece)

    def taken(self) -> Iterator[bytes]:
        """What was written since the last time, if anything."""
        whole = b"".join(self._pieces)
        self._pieces.clear()
        if whole:
            yield whole


def _opened(stack: ExitStack, storage: Storage, folder: str, entry: Entry) -> BinaryIO | None:
    """The open file of an entry, None when it is gone."""
    try:
        return stack.enter_context(storage.open(folder, entry.path))
    except FileNotFoundError:
        return None


def _header(entry: Entry, kind: bytes, size: int) -> bytes:
    info = tarfile.TarInfo(entry.path)
    info.type, info.size, info.mtime = kind, size, max(0, int(entry.mtime))
    info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def _size(file: BinaryIO, entry: Entry) -> int:
    """The size of an open file; for one of an object store that of its listing."""
    try:
        end = file.seek(0, io.SEEK_END)
        file.seek(0)
    except (OSError, ValueError):
        return entry.size
    return end


def _exactly(file: BinaryIO, size: int) -> Iterator[bytes]:
    """That many bytes of a file, zeros behind its end."""
    while size:
        piece = file.read(min(PIECE, size)) or bytes(min(PIECE, size))
        size -= len(piece)
        yield piece
