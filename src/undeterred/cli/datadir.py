"""The data folder: where it is, who holds it, and the record of the server that runs on it."""

import contextlib
import errno
import fcntl
import json
import os
import sys
from pathlib import Path
from typing import Any

from undeterred.base.errors import Busy, Invalid

RECORD = "server.json"
LOCK = "lock"
MOUNTS = Path("/proc/self/mountinfo")
NETWORK = frozenset(
    {
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "afs",
        "ceph",
        "lustre",
        "gpfs",
        "beegfs",
        "glusterfs",
        "fuse.glusterfs",
        "fuse.sshfs",
    }
)
"""File systems of which several machines may hold a copy: SQLite's file gets broken there."""


def locate(given: str | None) -> Path:
    """The folder that `--data-dir` or `UNDETERRED_DATA_DIR` names, else the usual place; not made yet."""
    text = given or os.environ.get("UNDETERRED_DATA_DIR") or ""
    if text:
        return Path(text).expanduser().resolve()
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return (Path(base).expanduser() / "undeterred").resolve()


def prepare(folder: Path) -> None:
    """Make the folder, closed to others; raises Invalid naming the path when that fails.

    A path that is no text cannot be told to clients and tasks, who find checkpoints below it.
    """
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        raise Invalid(
            f"the path of the data folder {str(folder)!a} is no text in the encoding of this locale "
            f"({sys.getfilesystemencoding()}): choose another with --data-dir, or start with LC_ALL=C.UTF-8"
        ) from None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(PermissionError):  # the folder of somebody else who lets us write there
            folder.chmod(0o700)
        probe = folder / ".writable"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise Invalid(f"the data folder {folder} cannot be used: {error.strerror}") from None


def network_file_system(folder: Path, mounts: str) -> str | None:
    """The kind of network file system that a folder is on, None for others; `mounts` as in Linux's /proc/self/mountinfo."""
    found, kind = "", ""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split()
        if len(fields) < 5 or not after:
            continue
        point = fields[4].encode().decode("unicode_escape").encode("latin-1").decode(errors="replace")  # blanks are \\040
        if len(point) >= len(found) and folder.is_relative_to(point):
            found, kind = point, after.split()[0]
    return kind if kind in NETWORK else None


def warn_of_network(folder: Path) -> str | None:
    """A line for a folder where SQLite's file is in danger; None on a local disk, or where that cannot be told."""
    try:
        kind = network_file_system(folder, MOUNTS.read_text(errors="replace"))
    except OSError:
        return None
    if kind is None:
        return None
    return (
        f"WARNING: the data folder {folder} is on a network file system ({kind}), where SQLite's file may be damaged: "
        "choose one on a local disk with --data-dir, or PostgreSQL with --db"
    )


class Lock:
    """Held by the one server of a data folder; the kernel frees it when the process dies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = (folder / LOCK).open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise Invalid(f"the data folder {folder} is on a file system without locks: {error.strerror}") from None
            holder = read_record(folder) or {}
            raise Busy(
                f"the data folder {folder} is in use by the server with process id {holder.get('pid', 'unknown')}"
            ) from None

    def release(self) -> None:
        """Give the folder back."""
        self._file.close()


def held(folder: Path) -> bool:
    """Whether a server runs on this folder now."""
    if not (folder / LOCK).exists():
        return False
    with (folder / LOCK).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def write_record(folder: Path, **record: Any) -> None:
    """Remember the running server's process id and address."""
    temporary = folder / (RECORD + ".new")
    temporary.write_text(json.dumps(record))
    temporary.replace(folder / RECORD)


def read_record(folder: Path) -> dict[str, Any] | None:
    """The last server's record, or None; raises Invalid for a folder that may not be read."""
    try:
        record: dict[str, Any] = json.loads((folder / RECORD).read_text())
    except PermissionError as error:
        raise Invalid(f"the data folder {folder} cannot be read: {error.strerror}") from None
    except (OSError, ValueError):
        return None
    return record


def stopped_line(tasks: int) -> str:
    """What is said when a server has stopped: how many of its tasks run on."""
    if not tasks:
        return "Stopped; no tasks are running"
    return (
        f"Stopped; {tasks} task{'s run' if tasks != 1 else ' runs'} on (undeterred up takes over, undeterred down --tasks ends)"
    )
