"""Real launchers on temporary folders, for the tests of this room."""

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from undeterred.base.clock import SystemClock
from undeterred.launch.launcher import Handle, Line, Offsets, Status
from undeterred.launch.local.launcher import LocalLauncher, LocalSettings
from undeterred.launch.local.records import read_started
from undeterred.launch.spec import ClusterFacts, LaunchSpec

LIMIT_S = 60.0
CLUSTER = ClusterFacts("cluster-1", "http://127.0.0.1:1")


def make_spec(allocation_id: str, *argv: str, **fields: Any) -> LaunchSpec:
    """A command task."""
    given: dict[str, Any] = {"task_id": "task-1", "task_type": "COMMAND", "cluster": CLUSTER, "session_token": "secret"} | fields
    return LaunchSpec(allocation_id=allocation_id, argv=argv or ("true",), **given)


def shell(allocation_id: str, text: str, **fields: Any) -> LaunchSpec:
    """A task that is one shell line."""
    return make_spec(allocation_id, "/bin/sh", "-c", text, **fields)


def make_launcher(data_dir: Path, **fields: Any) -> LocalLauncher:
    """A launcher with two slots that has not been opened."""
    given: dict[str, Any] = {"slots": 2, "environment": dict(os.environ)} | fields
    return LocalLauncher(LocalSettings(data_dir, **given), SystemClock())


@asynccontextmanager
async def opened(data_dir: Path, **fields: Any) -> AsyncIterator[LocalLauncher]:
    """An open launcher; whatever it still runs at the end is killed."""
    launcher = make_launcher(data_dir, **fields)
    await launcher.open()
    try:
        yield launcher
    finally:
        for _, handle, status in await launcher.list_owned():
            if not status.terminal:
                await launcher.kill(handle, 0)
                await wait_end(launcher, handle)
        await launcher.close()


async def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait for a condition; the test fails when it never comes."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        if found := condition():
            return found
        await asyncio.sleep(0.01)
    raise AssertionError(f"never happened: {what}")


async def wait_end(launcher: LocalLauncher, handle: Handle) -> Status:
    """Wait until the task has ended or is lost."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        status = await launcher.status(handle)
        if status.terminal:
            return status
        await asyncio.sleep(0.01)
    raise AssertionError("the task does not end")


async def read_all(launcher: LocalLauncher, handle: Handle, limit_bytes: int = 1 << 20) -> list[Line]:
    """All lines so far."""
    found: list[Line] = []
    offsets = Offsets()
    while True:
        part = await launcher.read_lines(handle, offsets, limit_bytes)
        found += part.lines
        if part.offsets == offsets and not part.more:
            return found
        offsets = part.offsets


async def texts(launcher: LocalLauncher, handle: Handle) -> list[str]:
    """Texts of all lines so far."""
    return [line.text for line in await read_all(launcher, handle)]


async def run(launcher: LocalLauncher, spec: LaunchSpec) -> tuple[Status, list[str]]:
    """Run a task to its end: how it ended and its lines."""
    handle = await launcher.submit(spec)
    status = await wait_end(launcher, handle)
    return status, await texts(launcher, handle)


def processes_with(text: str) -> list[int]:
    """Pids of live processes whose environment or command line holds `text`; a supervisor about to end does not count."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                folder = Path("/proc", name)
                state = folder.joinpath("stat").read_bytes().rsplit(b")", 1)[1].split()[0]
                known = folder.joinpath("environ").read_bytes() + folder.joinpath("cmdline").read_bytes()
            except OSError:
                continue
            if text.encode() in known and state != b"Z" and b"\0-m\0shim\0" not in known:
                found.append(int(name))
    return found


def shim_pid(data_dir: Path, allocation_id: str) -> int:
    """Pid of a task's supervisor."""
    started = read_started(data_dir / "runs" / allocation_id)
    assert started is not None
    return started.shim_pid


def start_program(*command: str, cwd: str, env: dict[str, str]) -> subprocess.Popen[bytes]:
    """A process that has nothing to do with any launcher."""
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=cwd, env=env, start_new_session=True)


def start_time(pid: int) -> str:
    """Start of a process as its records name it."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
