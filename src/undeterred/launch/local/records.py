"""Reads what supervisors wrote down, and tells whether a supervisor still lives."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from undeterred.base.clock import Micros
from undeterred.base.struct import Struct
from undeterred.launch.launcher import Exit

SPEC, START, EXIT, LOST, KILL, LOCK = "spec.json", "start.json", "exit.json", "lost.json", "kill.json", "shim.lock"
_LINUX = sys.platform.startswith("linux")


class Started(Struct, frozen=True):
    """A supervisor and its task, as of their start."""

    boot_id: str
    started_at: Micros
    shim_pid: int
    shim_start: str
    task_pid: int | None
    task_start: str


def read_started(run_dir: Path) -> Started | None:
    """The start record; None before the supervisor has written it."""
    value = _read(run_dir / START)
    if value is None:
        return None
    task = value["task"] or {}
    shim = value["shim"]
    return Started(value["boot_id"], value["started_at"], shim["pid"], shim["start"], task.get("pid"), task.get("start", ""))


def read_exit(run_dir: Path) -> Exit | None:
    """The exit record; None while the task lives, and for ever when its supervisor was killed."""
    value = _read(run_dir / EXIT)
    if value is None:
        return None
    return Exit(
        value["code"],
        value["signal"],
        value["ended_at"],
        value["stdout_size"],
        value["stderr_size"],
        value["error"],
        value["killed"],
    )


def is_swept(run_dir: Path) -> bool:
    """Whether the tree of a dead supervisor has been ended."""
    return (run_dir / LOST).exists()


def read_spec(run_dir: Path) -> dict[str, Any] | None:
    """What the supervisor was told."""
    return _read(run_dir / SPEC)


def boot_id() -> str:
    """Changes with every start of the machine: pids of another boot mean nothing."""
    if _LINUX:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return _output("sysctl", "-n", "kern.boottime").strip()


def is_alive(pid: int, start: str) -> bool:
    """Whether the process of that pid is the one that started at `start`, and no zombie."""
    if not _LINUX:
        fields = _output("ps", "-p", str(pid), "-o", "stat=,lstart=").split(None, 1)
        return len(fields) == 2 and not fields[0].startswith("Z") and fields[1].strip() == start
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    fields_after_name = stat[stat.rindex(b")") + 2 :].split()
    return fields_after_name[0] not in (b"Z", b"X", b"x") and fields_after_name[19].decode() == start


def write(path: Path, value: dict[str, Any], mode: int = 0o600) -> None:
    """Write a record whole or not at all. Raises OSError."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(value, file)
    temporary.replace(path)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _output(*command: str) -> str:
    plain = {"LC_ALL": "C", "PATH": os.defpath}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=plain).stdout
