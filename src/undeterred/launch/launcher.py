"""What every launcher offers: the `Launcher` protocol and the plain data that crosses it.

Order of a launch: the caller writes its intent (the allocation id), calls `submit`, then writes the handle. `submit` may
be repeated: the allocation id makes it idempotent. After a restart the caller takes `list_owned` together with `find` for
intents without a handle. A launcher only places, starts and ends supervisors; it never decides what an exit means.
"""

import enum
from collections.abc import AsyncIterator, Sequence
from typing import NewType, Protocol

from undeterred.base.clock import Micros
from undeterred.base.struct import Struct, field
from undeterred.launch.spec import Device, LaunchSpec

Handle = NewType("Handle", str)
"""Opaque JSON `{engine, native_id, name, submitted_at}`; the caller stores it and gives it back."""


class Caps(Struct, frozen=True):
    """What an engine does by itself."""

    places: bool = False
    """The engine chooses nodes; otherwise our scheduler does."""
    gang_atomic: bool = False
    """The engine reserves a gang whole or not at all."""
    assigns_devices: bool = False
    """The engine picks device ids; otherwise `NodeAsk.slot_ids` says which."""
    priorities: bool = False
    requeues: bool = False


class Node(Struct, frozen=True):
    """One machine of a pool."""

    id: str
    address: str
    pool: str
    devices: tuple[Device, ...]
    """One per slot, in the order of their ids."""
    state: str = "up"

    @property
    def slots(self) -> int:
        """Number of slots."""
        return len(self.devices)


class Inventory(Struct, frozen=True):
    """All nodes that an engine knows."""

    nodes: tuple[Node, ...]
    observed_at: Micros
    authoritative: bool = True
    """False when the engine was away and this is what it said last."""


class TaskState(enum.Enum):
    """Where a submitted allocation stands."""

    PENDING = "pending"
    RUNNING = "running"
    EXITED = "exited"
    """Nothing of the task is alive any more and `Status.exit` says how it ended."""
    LOST = "lost"
    """Nothing is alive, and how it ended is not known (supervisor killed, machine restarted)."""
    UNKNOWN = "unknown"
    """The engine does not answer: no reason to assume a failure."""


class Exit(Struct, frozen=True):
    """How a task ended."""

    code: int | None
    """Exit code as a shell shows it: 128 + the signal's number for a task ended by a signal; None if it never started."""
    signal: int | None
    ended_at: Micros
    stdout_size: int
    """Bytes in the file of stdout at the end: the log is complete when this much has been read."""
    stderr_size: int
    error: str = ""
    """What went wrong outside the task (program not found, ...), for people."""
    killed: bool = False
    """The task ended after a call of `kill`."""


class Status(Struct, frozen=True):
    """Answer of `Launcher.status`."""

    state: TaskState
    reason: str = ""
    exit: Exit | None = None
    started_at: Micros | None = None
    addresses: tuple[str, ...] = ()
    """Address of each rank, for the proxy and for rendezvous."""
    ports: tuple[tuple[str, int], ...] = ()
    """Environment variable and number of each port chosen for the first rank."""

    @property
    def terminal(self) -> bool:
        """Whether nothing of the task is alive and nothing will change any more."""
        return self.state in (TaskState.EXITED, TaskState.LOST)


class Event(Struct, frozen=True):
    """Something may have changed: ask `status` (kind "state") or `list_owned` again (kind "resync")."""

    kind: str
    allocation_id: str = ""


class Offsets(Struct, frozen=True):
    """How far the output of a task has been read and stored, in bytes; store it in the transaction of the lines."""

    stdout: int = 0
    stderr: int = 0
    times: int = 0
    """Position in the file that says when the output had which size."""


class Line(Struct, frozen=True):
    """One line of a task's log."""

    source: str
    """`stdout` or `stderr`."""
    text: str
    """Without the line's end and without the prefixes parsed into `level` and `rank`."""
    time: Micros
    """When it was written, to about a tenth of a second."""
    level: str | None = None
    """`DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL` when the line begins with one."""
    rank: int | None = None


class Lines(Struct, frozen=True):
    """A piece of a task's log."""

    lines: tuple[Line, ...] = field(default=())
    offsets: Offsets = Offsets()
    """After these lines."""
    more: bool = False
    """Whether there was more to read than the limit allowed: ask again at once."""
    complete: bool = False
    """The task has ended (exited or lost) and these are its last lines: now its exit may be applied."""


class Launcher(Protocol):
    """Starts, watches and ends tasks on one kind of engine. All methods may be called again after a failure."""

    name: str
    caps: Caps

    async def open(self) -> None:
        """Connect or reconnect, take over what still runs. Raises Broken when the engine cannot be used at all."""

    async def inventory(self) -> Inventory:
        """Nodes and their devices."""

    def watch(self) -> AsyncIterator[Event]:
        """Events as they come, without end; a missed one is found by asking `status`."""

    async def submit(self, spec: LaunchSpec) -> Handle:
        """Start a task once, however often this is called with its allocation id; returns when it is accepted.

        Raises Invalid (context or options cannot be used), Busy (no space), Broken (cannot be started here).
        """

    async def find(self, allocation_id: str) -> Handle | None:
        """Handle of an allocation submitted earlier, also by another process; None when the engine never heard of it."""

    async def status(self, handle: Handle) -> Status:
        """Where it stands now. LOST for what the engine does not know."""

    async def list_owned(self) -> list[tuple[str, Handle, Status]]:
        """Everything that is ours: allocation id, handle, status."""

    async def signal(self, handle: Handle, number: int, ranks: Sequence[int] | None = None) -> None:
        """Send a signal to the task's first process group; best effort."""

    async def kill(self, handle: Handle, grace_s: float) -> None:
        """End the whole tree: SIGTERM, after `grace_s` seconds SIGKILL (0: at once). Does not wait: done when terminal."""

    async def release(self, handle: Handle) -> None:
        """Forget it and remove its files. Raises Refused while it is not terminal; repeating it is harmless."""

    async def read_output(self, handle: Handle, rank: int, offset: int, source: str = "stdout") -> bytes:
        """Raw bytes of a stream from `offset`, at most 1 MiB. May raise Unsupported."""

    async def read_lines(self, handle: Handle, offsets: Offsets, limit_bytes: int = 1 << 20) -> Lines:
        """The next lines after `offsets`; the last unfinished line only once the task has ended.

        Never called for two pieces of one task at a time; until `complete`, call it again after a moment.
        """

    async def close(self) -> None:
        """Let go; tasks run on."""
