"""Files that say what became of a task: written whole or not at all, and still there after a crash."""

import contextlib
import json
import os
import time
from typing import Any

START = "start.json"
EXIT = "exit.json"
LOST = "lost.json"
KILL = "kill.json"
LOCK = "shim.lock"


def now() -> int:
    """Microseconds since 1970 in UTC."""
    return time.time_ns() // 1000


def read(path: str) -> dict[str, Any] | None:
    """A record, or None when there is none (or none that can be read)."""
    try:
        with open(path, encoding="utf-8") as file:
            value = json.load(file)
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def write(path: str, value: dict[str, Any], *, lasting: bool = False) -> None:
    """Put a record in place in one step, a rename; `lasting`: it also survives a power cut (fsync). Raises OSError."""
    temporary = f"{path}.{os.getpid()}"
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(value, file)
            file.flush()
            if lasting:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    if lasting:
        _sync_folder(os.path.dirname(path))


def write_at_last(path: str, value: dict[str, Any]) -> None:
    """As a lasting `write`, but wait and try again for as long as there is no space: an exit must not be forgotten."""
    while os.path.isdir(os.path.dirname(path)):
        try:
            write(path, value, lasting=True)
        except OSError:
            time.sleep(1)
        else:
            return


def _sync_folder(folder: str) -> None:
    with contextlib.suppress(OSError):  # some file systems do not sync folders
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
