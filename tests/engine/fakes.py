"""A launcher whose tasks exist in memory only and end when the test says so. It outlives the engines of a test."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from undeterred.base.clock import Micros
from undeterred.launch.launcher import Caps, Event, Exit, Handle, Inventory, Line, Lines, Node, Offsets, Status, TaskState
from undeterred.launch.spec import Device, LaunchSpec


@dataclass
class FakeTask:
    """One submitted allocation."""

    spec: LaunchSpec
    lines: list[str] = field(default_factory=list)
    exit: Exit | None = None
    lost: bool = False
    kills: int = 0
    released: bool = False

    @property
    def over(self) -> bool:
        """Whether nothing of it is alive."""
        return self.exit is not None or self.lost


class FakeClock:
    """A clock that moves when told, and a little with each look."""

    def __init__(self) -> None:
        self.micros = 1_800_000_000_000_000

    def now(self) -> Micros:
        """Strictly growing."""
        self.micros += 1
        return self.micros

    def monotonic(self) -> float:
        """The same in seconds."""
        return self.now() / 1e6


class FakeLauncher:
    """See the module."""

    name = "fake"
    caps = Caps()

    def __init__(self, slots: Sequence[int] = (2,), pool: str = "default") -> None:
        self.tasks: dict[str, FakeTask] = {}
        self.starts: list[str] = []
        self.fail_with: Exception | None = None
        self.die_after_submit = self.die_before_release = False
        """Whether the server dies in the middle of these."""
        self.nodes = tuple(
            Node(f"agent-{number}", "127.0.0.1", pool, tuple(Device(slot) for slot in range(size)))
            for number, size in enumerate(slots)
        )

    def live(self) -> list[str]:
        """Allocations whose tasks run."""
        return [name for name, task in self.tasks.items() if not task.over]

    def write(self, allocation_id: str, line: str) -> None:
        """A task writes a line."""
        self.tasks[allocation_id].lines.append(line)

    def end(self, allocation_id: str, code: int | None, *, killed: bool = False, error: str = "") -> None:
        """A task ends."""
        self.tasks[allocation_id].exit = Exit(code, None, 0, 0, 0, error, killed)

    def lose(self, allocation_id: str) -> None:
        """A task's machine is gone."""
        self.tasks[allocation_id].lost = True

    async def open(self) -> None:
        """Nothing."""

    async def inventory(self) -> Inventory:
        """The nodes given."""
        return Inventory(self.nodes, 0)

    async def watch(self) -> AsyncIterator[Event]:
        """No events."""
        for event in ():
            yield event

    async def submit(self, spec: LaunchSpec) -> Handle:
        """Start it once."""
        if self.fail_with is not None:
            raise self.fail_with
        if spec.allocation_id not in self.tasks:
            self.tasks[spec.allocation_id] = FakeTask(spec)
            self.starts.append(spec.allocation_id)
        if self.die_after_submit:
            raise asyncio.CancelledError
        return Handle(json.dumps({"name": spec.allocation_id}))

    async def find(self, allocation_id: str) -> Handle | None:
        """A handle of what was submitted."""
        task = self.tasks.get(allocation_id)
        return None if task is None or task.released else Handle(json.dumps({"name": allocation_id}))

    async def status(self, handle: Handle) -> Status:
        """As the test made it."""
        task = self.tasks.get(json.loads(handle)["name"])
        if task is None or task.released or task.lost:
            return Status(TaskState.LOST, "lost")
        if task.exit is not None:
            return Status(TaskState.EXITED, task.exit.error, task.exit, 1, ("127.0.0.1",))
        return Status(TaskState.RUNNING, "", None, 1, ("127.0.0.1",))

    async def list_owned(self) -> list[tuple[str, Handle, Status]]:
        """Everything not released."""
        names = [name for name, task in self.tasks.items() if not task.released]
        handles = [(name, Handle(json.dumps({"name": name}))) for name in names]
        return [(name, handle, await self.status(handle)) for name, handle in handles]

    async def signal(self, handle: Handle, number: int, ranks: Sequence[int] | None = None) -> None:
        """Nothing."""

    async def kill(self, handle: Handle, grace_s: float) -> None:
        """It ends at once."""
        task = self.tasks[json.loads(handle)["name"]]
        task.kills += 1
        if not task.over:
            task.exit = Exit(137, 9, 0, 0, 0, "", True)

    async def release(self, handle: Handle) -> None:
        """Forget it."""
        if self.die_before_release:
            raise asyncio.CancelledError
        task = self.tasks[json.loads(handle)["name"]]
        assert task.over, "released while it runs"
        task.released = True

    async def read_output(self, handle: Handle, rank: int, offset: int, source: str = "stdout") -> bytes:
        """No raw output."""
        return b""

    async def read_lines(self, handle: Handle, offsets: Offsets, limit_bytes: int = 1 << 20) -> Lines:
        """One line is one byte of the offset."""
        task = self.tasks.get(json.loads(handle)["name"])
        lines = [] if task is None else task.lines[offsets.stdout :]
        found = tuple(Line("stdout", text, 0) for text in lines)
        return Lines(found, Offsets(offsets.stdout + len(found)), complete=task is None or task.over or task.released)

    async def close(self) -> None:
        """Nothing."""
