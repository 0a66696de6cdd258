"""What the server does with a checkpoint storage.

Tasks write there, so nothing found is trusted. All calls block; they are made in worker threads.
"""

from collections.abc import Collection
from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol

from undeterred.base.errors import Busy
from undeterred.base.struct import Struct


class Unreachable(Busy):
    """The storage cannot be reached now: a disk that is not mounted, a service that does not answer."""


class NoStorage(Unreachable):
    """The folder of the storage does not exist."""


class Entry(Struct, frozen=True):
    """A file or folder below a folder of a storage."""

    path: str
    """Relative; a folder's ends in a slash."""
    size: int = 0
    mtime: float = 0.0
    """Seconds since 1970."""


class Storage(Protocol):
    """Where checkpoints are. A folder is named by its path below the storage, such as the uuid of a checkpoint."""

    def entries(self, folder: str) -> list[Entry] | None:
        """What is in a folder, by path; None when there is no such folder. Raises Unreachable."""

    def open(self, folder: str, path: str) -> AbstractContextManager[BinaryIO]:
        """Read one file of a folder; raises FileNotFoundError when it is gone, or is no file."""

    def delete(self, folder: str, paths: Collection[str]) -> None:
        """Remove files, and folders with all in them. What is gone already is fine. Raises Unreachable."""

    def delete_all(self, folder: str) -> None:
        """Remove a folder with all in it; a missing one is fine. Raises Unreachable."""


def sizes(entries: Collection[Entry]) -> dict[str, int]:
    """Path -> bytes."""
    return {entry.path: entry.size for entry in entries}
