"""A checkpoint storage in the file system (`shared_fs`, `directory`), seen by this server as by the tasks.

Folders are entered name by name without following links, so that nobody can lead the server elsewhere by putting a link in the
place of a folder, not even while it is at work. A link counts as a link; one that stays inside its folder can be read.
"""

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import BinaryIO

from undeterred.engine.storage.base import Entry, NoStorage, Unreachable

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class FolderStorage:
    """See the module; `base` is an absolute path."""

    def __init__(self, base: str) -> None:
        self._base = Path(base)

    def entries(self, folder: str) -> list[Entry] | None:
        """See `Storage`."""
        try:
            with self._opened(folder) as top:
                return sorted(_walk(top), key=lambda entry: entry.path)
        except FileNotFoundError:
            return None

    @contextlib.contextmanager
    def open(self, folder: str, path: str) -> Iterator[BinaryIO]:
        """See `Storage`. A link is followed when it stays inside the folder."""
        with self._opened(folder) as top, _entered(top, _inside(top, path)) as (parent, name):
            handle = _checked(lambda: os.open(name, _FILE, dir_fd=parent))
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                os.close(handle)
                raise FileNotFoundError(path)
            with os.fdopen(handle, "rb") as file:
                yield file

    def delete(self, folder: str, paths: Collection[str]) -> None:
        """See `Storage`."""
        with contextlib.suppress(FileNotFoundError), self._opened(folder) as top:
            for path in sorted(paths):
                with contextlib.suppress(FileNotFoundError), _entered(top, path.rstrip("/")) as (parent, name):
                    _remove(parent, name)

    def delete_all(self, folder: str) -> None:
        """See `Storage`. A link in its place is removed, not what it leads to."""
        with contextlib.suppress(FileNotFoundError), self._reached() as base:
            with _entered(base, folder) as (parent, name):
                _remove(parent, name)

    @contextlib.contextmanager
    def _reached(self) -> Iterator[int]:
        try:
            handle = os.open(self._base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            kind = NoStorage if isinstance(error, FileNotFoundError) else Unreachable
            raise kind(f"the storage folder {self._base} cannot be opened: {error.strerror}") from None
        try:
            yield handle
        finally:
            os.close(handle)

    @contextlib.contextmanager
    def _opened(self, folder: str) -> Iterator[int]:
        """The folder; raises FileNotFoundError when it is missing, or is a link or a file."""
        with self._reached() as base, _entered(base, folder) as (parent, name):
            handle = _checked(lambda: os.open(name, _FOLDER, dir_fd=parent))
            try:
                yield handle
            finally:
                os.close(handle)


def _checked(act: Callable[[], int]) -> int:
    """Run a system call that opens; a link, a file for a folder and the like are as good as missing."""
    try:
        return act()
    except (NotADirectoryError, IsADirectoryError) as error:
        raise FileNotFoundError(str(error)) from None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.ENAMETOOLONG):
            raise FileNotFoundError(str(error)) from None
        raise


@contextlib.contextmanager
def _entered(top: int, path: str) -> Iterator[tuple[int, str]]:
    """The folder that a path ends in, entered step by step from `top`, and the last name; raises FileNotFoundError."""
    names = [name for name in path.split("/") if name not in ("", ".")]
    if not names or ".." in names:
        raise FileNotFoundError(path)
    with contextlib.ExitStack() as stack:
        for name in names[:-1]:
            handle = _checked(lambda name=name, parent=top: os.open(name, _FOLDER, dir_fd=parent))  # type: ignore[misc]
            stack.callback(os.close, handle)
            top = handle
        yield top, names[-1]


def _walk(top: int) -> Iterator[Entry]:
    for folder, folders, files, handle in os.fwalk(".", dir_fd=top, follow_symlinks=False):
        prefix = "" if folder == "." else folder.removeprefix("./") + "/"
        for name in folders + files:
            with contextlib.suppress(FileNotFoundError):
                found = os.stat(name, dir_fd=handle, follow_symlinks=False)
                if stat.S_ISDIR(found.st_mode):
                    yield Entry(f"{prefix}{name}/", 0, found.st_mtime)
                elif stat.S_ISREG(found.st_mode):
                    yield Entry(prefix + name, found.st_size, found.st_mtime)
                elif stat.S_ISLNK(found.st_mode):
                    yield from _link(top, prefix + name, found.st_mtime)


def _link(top: int, path: str, mtime: float) -> Iterator[Entry]:
    """A link to a file inside the folder has the size of that file; others are there, and empty."""
    size = 0
    with contextlib.suppress(OSError), _entered(top, _inside(top, path)) as (parent, name):
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        size = found.st_size if stat.S_ISREG(found.st_mode) else 0
    yield Entry(path, size, mtime)


def _inside(top: int, path: str) -> str:
    """The path with links to files resolved, as long as they stay inside; raises FileNotFoundError for one that leaves."""
    for _ in range(8):
        with _entered(top, path) as (parent, name):
            try:
                target = os.readlink(name, dir_fd=parent)
            except OSError:
                return path
        path = os.path.normpath(os.path.join(os.path.dirname(path), target))
        if path.startswith(("/", "..")):
            break
    raise FileNotFoundError(path)


def _remove(parent: int, name: str) -> None:
    """Remove a file, a link, or a folder with all in it."""
    if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
        shutil.rmtree(name, dir_fd=parent)
    else:
        os.unlink(name, dir_fd=parent)
