"""Tasks as plain processes of this machine, each under a supervisor that outlives the server.

Every task has a folder `<data>/runs/<allocation>/`; what is in it is all the state there is. A supervisor's start record
names boot, pid and start time, so no process is ever taken for another one; its exit record is written last.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from weakref import WeakValueDictionary

from undeterred.base.clock import Clock
from undeterred.base.errors import Broken, Busy, Invalid, Refused
from undeterred.base.struct import Struct, field, replace
from undeterred.launch import ports
from undeterred.launch.launcher import Caps, Event, Exit, Handle, Inventory, Lines, Node, Offsets, Status, TaskState
from undeterred.launch.local import devices, folder, lines, overlay, records
from undeterred.launch.local.watch import ExitWatch
from undeterred.launch.spec import Device, LaunchSpec

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_OUTPUT_LIMIT = 1 << 20
_SHIM_SOURCE = Path(__file__).resolve().parents[2] / "shim"
_SOURCES = {"stdout": lines.STDOUT, "stderr": lines.STDERR}


class LocalSettings(Struct, frozen=True):
    """What the local launcher must be told."""

    data_dir: Path
    agent_id: str = "local"
    pool: str = "default"
    address: str = "127.0.0.1"
    """Under which the server reaches ports of tasks."""
    slots: int | None = None
    """None: one per GPU, or per core where there is no GPU."""
    python: str = sys.executable
    """Interpreter whose packages tasks see."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """The server's environment; tasks get only a few named variables of it."""
    reserved_ports: frozenset[int] = frozenset()


class LocalLauncher:
    """The `Launcher` of this machine."""

    name = "local"
    caps = Caps()

    def __init__(self, settings: LocalSettings, clock: Clock) -> None:
        """Nothing happens before `open`."""
        self._settings = settings
        self._clock = clock
        self._runs = settings.data_dir.resolve() / "runs"
        self._devices: tuple[Device, ...] = ()
        self._has_gpus = False
        self._boot_id = ""
        self._bases: dict[str, overlay.Base] = {}
        self._ports: dict[str, frozenset[int]] = {}
        self._submitting: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._watch = ExitWatch()

    async def open(self) -> None:
        """Look at the machine and at what runs on it. Raises Broken when the data folder cannot be used."""
        try:
            self._runs.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Broken(f"cannot use {self._runs}: {error.strerror}") from None
        self._boot_id = records.boot_id()
        self._devices = await asyncio.to_thread(devices.detect, self._settings.slots)
        self._has_gpus = any(device.kind != "cpu" for device in self._devices)
        for leftover in self._runs.glob(".*"):
            await asyncio.to_thread(_remove, leftover)
        for run_dir in self._run_dirs():
            self._keep_ports(run_dir)
            self._watch_run(run_dir)

    async def inventory(self) -> Inventory:
        """This machine as the only node."""
        own = self._settings
        return Inventory((Node(own.agent_id, own.address, own.pool, self._devices),), self._clock.now())

    async def watch(self) -> AsyncIterator[Event]:
        """An event whenever a supervisor has ended."""
        async for allocation_id in self._watch:
            yield Event("state", allocation_id)

    async def submit(self, spec: LaunchSpec) -> Handle:
        """See `Launcher.submit`."""
        run_dir = self._run_dir(spec.allocation_id)
        if len(spec.nodes) != 1:
            raise Invalid(f"this machine is one node, the task asks for {len(spec.nodes)}")
        async with self._submitting.setdefault(spec.allocation_id, asyncio.Lock()):
            if not (run_dir / records.SPEC).exists():
                await self._prepare(spec, run_dir)
            if not _has_begun(run_dir):
                await self._start_supervisor(run_dir)
        self._watch_run(run_dir)
        return self._handle(spec.allocation_id)

    async def find(self, allocation_id: str) -> Handle | None:
        """See `Launcher.find`."""
        return self._handle(allocation_id) if (self._run_dir(allocation_id) / records.SPEC).exists() else None

    async def status(self, handle: Handle) -> Status:
        """See `Launcher.status`. Finding a dead supervisor, it ends what is left of the task before it says LOST."""
        allocation_id = _allocation_of(handle)
        run_dir = self._run_dir(allocation_id)
        told = records.read_spec(run_dir)
        if told is None:
            return Status(TaskState.LOST, "this machine knows nothing of it")
        started = records.read_started(run_dir)
        known = Status(
            TaskState.RUNNING,
            started_at=started.started_at if started else None,
            addresses=(told["address"],),
            ports=tuple(sorted(told["ports"].items())),
        )
        ended = records.read_exit(run_dir)
        if ended is not None:
            return _with(known, TaskState.EXITED, ended.error, ended)
        if started is None:
            return self._unstarted(allocation_id, run_dir, known)
        if started.boot_id != self._boot_id:
            return _with(known, TaskState.LOST, "the machine was restarted")
        if not records.is_swept(run_dir):
            if records.is_alive(started.shim_pid, started.shim_start):
                return known
            if (ended := records.read_exit(run_dir)) is not None:  # written between the two looks
                return _with(known, TaskState.EXITED, ended.error, ended)
            await self._sweep(run_dir)
        return _with(known, TaskState.LOST, "the task's supervisor was killed")

    async def list_owned(self) -> list[tuple[str, Handle, Status]]:
        """See `Launcher.list_owned`."""
        handles = [(run_dir.name, self._handle(run_dir.name)) for run_dir in self._run_dirs()]
        return [(name, handle, await self.status(handle)) for name, handle in handles]

    async def signal(self, handle: Handle, number: int, ranks: Sequence[int] | None = None) -> None:
        """See `Launcher.signal`."""
        run_dir = self._run_dir(_allocation_of(handle))
        started = self._live(run_dir)
        if started is None or started.task_pid is None or not records.is_alive(started.task_pid, started.task_start):
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.task_pid, number)

    async def kill(self, handle: Handle, grace_s: float) -> None:
        """See `Launcher.kill`."""
        run_dir = self._run_dir(_allocation_of(handle))
        started = self._live(run_dir)
        if started is None or not records.is_alive(started.shim_pid, started.shim_start):
            await self.status(handle)  # ends what a dead supervisor has left
            return
        number = signal.SIGUSR1  # at once
        if grace_s > 0:
            number = signal.SIGTERM
            with contextlib.suppress(OSError):  # no space: the grace of the specification holds
                records.write(run_dir / records.KILL, {"grace_s": grace_s})
        with contextlib.suppress(ProcessLookupError):
            os.kill(started.shim_pid, number)

    async def release(self, handle: Handle) -> None:
        """See `Launcher.release`."""
        allocation_id = _allocation_of(handle)
        run_dir = self._run_dir(allocation_id)
        if run_dir.exists():
            state = await self.status(handle)
            if not state.terminal:
                raise Refused(f"allocation {allocation_id} is {state.state.value}")
            leaving = run_dir.with_name(f".old-{allocation_id}")
            await asyncio.to_thread(_remove, leaving)
            run_dir.rename(leaving)
            await asyncio.to_thread(_remove, leaving)
        self._ports.pop(allocation_id, None)

    async def read_output(self, handle: Handle, rank: int, offset: int, source: str = "stdout") -> bytes:
        """See `Launcher.read_output`."""
        path = self._run_dir(_allocation_of(handle)) / _SOURCES[source]
        try:
            with path.open("rb") as file:
                file.seek(offset)
                return file.read(_OUTPUT_LIMIT)
        except FileNotFoundError:
            return b""

    async def read_lines(self, handle: Handle, offsets: Offsets, limit_bytes: int = _OUTPUT_LIMIT) -> Lines:
        """See `Launcher.read_lines`."""
        final = (await self.status(handle)).terminal
        run_dir = self._run_dir(_allocation_of(handle))
        return await asyncio.to_thread(lines.read_lines, run_dir, offsets, limit_bytes, final, self._clock.now())

    async def close(self) -> None:
        """See `Launcher.close`."""
        self._watch.close()

    def _run_dirs(self) -> list[Path]:
        return sorted(path for path in self._runs.iterdir() if _NAME.fullmatch(path.name) and (path / records.SPEC).exists())

    def _run_dir(self, allocation_id: str) -> Path:
        if not _NAME.fullmatch(allocation_id):
            raise Invalid(f"not an allocation id: {allocation_id[:100]!r}")
        return self._runs / allocation_id

    def _handle(self, allocation_id: str) -> Handle:
        run_dir = self._run_dir(allocation_id)
        made = int((run_dir / records.SPEC).stat().st_mtime_ns // 1000)
        value = {"engine": self.name, "native_id": str(run_dir), "name": allocation_id, "submitted_at": made}
        return Handle(json.dumps(value))

    async def _prepare(self, spec: LaunchSpec, run_dir: Path) -> None:
        python = spec.python or self._settings.python
        base = self._bases.get(python)
        if base is None or (spec.trial is not None and base.determined is None):  # it may have got the harness since
            base = self._bases[python] = await asyncio.to_thread(overlay.inspect, python)
        ground = folder.Ground(
            data_dir=self._runs.parent,
            base=base,
            shim_source=_SHIM_SOURCE,
            inherited=self._settings.environment,
            language="en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8",
            address=self._settings.address,
            devices=self._assigned(spec),
            hide_gpus=self._has_gpus,
            ports=self._choose_ports(spec),
        )
        try:
            await asyncio.to_thread(folder.prepare, spec, ground, run_dir)
        except Exception:
            self._ports.pop(spec.allocation_id, None)
            raise

    def _assigned(self, spec: LaunchSpec) -> tuple[Device, ...]:
        ask = spec.nodes[0]
        by_id = {device.id: device for device in self._devices}
        ids = ask.slot_ids if ask.slot_ids is not None else tuple(by_id)[: ask.slots]
        unknown = [number for number in ids if number not in by_id]
        if unknown or len(ids) < ask.slots:
            raise Invalid(f"this machine has slots {list(by_id)}, the task asks for {ask.slots}: {list(ids)}")
        return tuple(by_id[number] for number in ids)

    def _choose_ports(self, spec: LaunchSpec) -> dict[str, int]:
        names = [name for name in spec.port_names if name not in spec.env and name not in spec.user_env]
        taken = self._settings.reserved_ports.union(*self._ports.values())
        chosen = ports.choose(names, taken)
        self._ports[spec.allocation_id] = frozenset(chosen.values())
        return chosen

    def _keep_ports(self, run_dir: Path) -> None:
        told = records.read_spec(run_dir)
        if told is not None and records.read_exit(run_dir) is None:
            self._ports[run_dir.name] = frozenset(told["ports"].values())

    async def _start_supervisor(self, run_dir: Path) -> None:
        ended = await asyncio.to_thread(_run_shim, run_dir, str(run_dir / records.SPEC))
        if ended.returncode:
            raise Busy(f"the task's supervisor did not start: {ended.stderr.decode(errors='replace').strip()[-2000:]}")

    async def _sweep(self, run_dir: Path) -> None:
        await asyncio.to_thread(_run_shim, run_dir, "--sweep", str(run_dir / records.SPEC))

    def _live(self, run_dir: Path) -> records.Started | None:
        """The start record if it is of this boot and the task has not ended: only then may a pid be signalled."""
        started = records.read_started(run_dir)
        current = started is not None and started.boot_id == self._boot_id
        return started if current and records.read_exit(run_dir) is None else None

    def _unstarted(self, allocation_id: str, run_dir: Path, known: Status) -> Status:
        """A run folder without start record: its supervisor is just starting, or the server died before it could."""
        if allocation_id in self._submitting:
            return _with(known, TaskState.PENDING, "starting")
        lock = os.open(run_dir / records.LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _has_begun(run_dir):  # a supervisor that comes late finds this record and goes
                records.write(run_dir / records.LOST, {"version": 1, "ended_at": self._clock.now(), "left": 0})
        except BlockingIOError:
            return _with(known, TaskState.PENDING, "starting")
        finally:
            os.close(lock)
        return _with(known, TaskState.LOST, "the task was never started")

    def _watch_run(self, run_dir: Path) -> None:
        started = self._live(run_dir)
        if started is not None:
            self._watch.add(run_dir.name, started.shim_pid, started.shim_start)
        elif _has_begun(run_dir):
            self._watch.tell(run_dir.name)


def _has_begun(run_dir: Path) -> bool:
    return any((run_dir / name).exists() for name in (records.START, records.EXIT, records.LOST))


def _allocation_of(handle: Handle) -> str:
    return str(json.loads(handle)["name"])


def _remove(path: Path) -> None:
    """Remove a tree whatever its modes say; what cannot go (a file of another user) is tried again at the next start."""
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        for above, folders, _ in os.walk(path):
            for name in folders:
                inner = Path(above, name)
                if not inner.is_symlink():
                    with contextlib.suppress(OSError):
                        inner.chmod(0o700)
        shutil.rmtree(path, ignore_errors=True)


def _with(known: Status, state: TaskState, reason: str, ended: Exit | None = None) -> Status:
    return replace(known, state=state, reason=reason, exit=ended)


def _run_shim(run_dir: Path, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    """Run the copy of the shim in a run folder until it has put itself into the background, or has done what it is asked for."""
    python = getattr(sys, "_base_executable", None) or sys.executable
    return subprocess.run(
        (python, "-E", "-s", "-S", "-B", "-m", folder.SHIM, *arguments),
        cwd=run_dir,
        env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        check=False,
    )
