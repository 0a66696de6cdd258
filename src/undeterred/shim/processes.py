"""The machine's processes: which belong to a task, and ending them without ever hitting a stranger.

Linux tells through `/proc`. Elsewhere `ps` is asked, which is slower and finds a detached process only by its marker.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import NamedTuple

LINUX = sys.platform.startswith("linux")


class Process(NamedTuple):
    """One live process; `pid` and `start` together are never used again on the same boot."""

    pid: int
    parent: int
    group: int
    session: int
    start: str
    """Start time: clock ticks since boot (Linux) or a date (elsewhere)."""


def boot_id() -> str:
    """Changes with every start of the machine."""
    if LINUX:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    return _output("sysctl", "-n", "kern.boottime").strip()


def look(pid: int) -> Process | None:
    """One process; None when it is gone or a zombie."""
    if not LINUX:
        return table([pid]).get(pid)
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return _parse_stat(pid, file.read())
    except OSError:
        return None


def table(pids: list[int] | None = None) -> dict[int, Process]:
    """All live processes (or those of `pids`) by pid; zombies are left out."""
    if LINUX:
        numbers = pids if pids is not None else [int(name) for name in os.listdir("/proc") if name.isdigit()]
        found = (look(pid) for pid in numbers)
        return {process.pid: process for process in found if process is not None}
    which = ["-A"] if pids is None else ["-p", ",".join(map(str, pids))]
    lines = _output("ps", *which, "-o", "pid=,ppid=,pgid=,stat=,lstart=").splitlines()
    return {process.pid: process for process in map(_parse_ps, lines) if process is not None}


def marked(markers: tuple[str, ...]) -> set[int]:
    """Processes whose environment at their start held all of `markers` (texts `NAME=value`)."""
    if not LINUX:
        lines = _output("ps", "-A", "-E", "-ww", "-o", "pid=,command=").splitlines()
        return {int(line.split(None, 1)[0]) for line in lines if all(f" {marker}" in line for marker in markers)}
    wanted = {marker.encode(errors="surrogateescape") for marker in markers}
    found = set()
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):  # ended meanwhile, or another user's
                with open(f"/proc/{name}/environ", "rb") as file:
                    if wanted.issubset(file.read().split(b"\0")):
                        found.add(int(name))
    return found


def members(supervisor: int, session: int | None, markers: tuple[str, ...]) -> list[Process]:
    """Live processes of a task: below its supervisor, in its session, or with its markers; never the supervisor.

    `session` must be None once its leader's pid, and `supervisor` -1 once the supervisor's, may belong to another process.
    """
    processes = table()
    chosen = marked(markers) & processes.keys()
    chosen |= {pid for pid, process in processes.items() if session is not None and process.session == session}
    before = -1
    while before != len(chosen):
        before = len(chosen)
        chosen |= {pid for pid, process in processes.items() if process.parent in chosen or process.parent == supervisor}
    chosen -= {supervisor, os.getpid()}
    return [processes[pid] for pid in sorted(chosen)]


def send(process: Process, number: int) -> None:
    """Signal exactly this process; nothing happens when it is gone, even if its pid belongs to another one by now."""
    if hasattr(os, "pidfd_open"):
        try:
            handle = os.pidfd_open(process.pid)
        except OSError:
            return
        try:
            if _same(process):
                with contextlib.suppress(OSError):
                    signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)
    elif _same(process):
        with contextlib.suppress(OSError):
            os.kill(process.pid, number)


def reap(keep: int | None = None) -> None:
    """Collect ended children, all but `keep`, whose pid stays taken until it is collected too."""
    for process in _zombies_of(os.getpid()) if LINUX else ():
        if process != keep:
            with contextlib.suppress(OSError):
                os.waitpid(process, os.WNOHANG)


def end_all(supervisor: int, session: int | None, markers: tuple[str, ...], keep: int | None, limit_s: float) -> int:
    """SIGKILL everything of a task until nothing is left; how many were still there after `limit_s` seconds."""
    deadline = time.monotonic() + limit_s
    pause = 0.001
    while True:
        left = members(supervisor, session, markers)
        for process in left:
            send(process, signal.SIGKILL)
        reap(keep)
        if not left or time.monotonic() > deadline:
            return len(left)
        time.sleep(pause)
        pause = min(pause * 2, 0.05)


def _same(process: Process) -> bool:
    now = look(process.pid)
    return now is not None and now.start == process.start


def _parse_stat(pid: int, stat: bytes) -> Process | None:
    # The name, in brackets, may itself hold blanks and brackets: the fields begin after the last one.
    fields = stat[stat.rindex(b")") + 2 :].split()
    if fields[0] in (b"Z", b"X", b"x"):
        return None
    return Process(pid, int(fields[1]), int(fields[2]), int(fields[3]), fields[19].decode())


def _zombies_of(parent: int) -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                with open(f"/proc/{name}/stat", "rb") as file:
                    stat = file.read()
                fields = stat[stat.rindex(b")") + 2 :].split(None, 2)
                if fields[0] == b"Z" and int(fields[1]) == parent:
                    found.append(int(name))
    return found


def _parse_ps(line: str) -> Process | None:
    fields = line.split(None, 4)
    if len(fields) < 5 or fields[3].startswith("Z"):
        return None
    try:
        session = os.getsid(int(fields[0]))
    except OSError:
        return None
    return Process(int(fields[0]), int(fields[1]), int(fields[2]), session, fields[4].strip())


def _output(*command: str) -> str:
    # errors="replace": a foreign process may have any bytes in its name
    return subprocess.run(
        command, capture_output=True, text=True, errors="replace", env={"LC_ALL": "C", "PATH": os.defpath}
    ).stdout
