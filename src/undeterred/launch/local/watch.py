"""Tells when supervisors have ended, without asking again and again where the system can wake us (Linux: pidfd)."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator

from undeterred.launch.local import records

POLL_S = 0.2
"""How often supervisors are looked at where the system cannot wake us."""


class ExitWatch:
    """Set of watched supervisors; iterating gives the allocation id of each that has ended, without end until closed."""

    def __init__(self) -> None:
        """Empty."""
        self._ended: asyncio.Queue[str | None] = asyncio.Queue()
        self._handles: dict[str, int] = {}
        self._polls: dict[str, asyncio.Task[None]] = {}

    def add(self, allocation_id: str, pid: int, start: str) -> None:
        """Watch a supervisor; adding it again is harmless. One that has already ended is reported at once."""
        if allocation_id in self._handles or allocation_id in self._polls:
            return
        if not records.is_alive(pid, start):
            self.tell(allocation_id)
            return
        try:
            handle = os.pidfd_open(pid)
        except (AttributeError, OSError):
            self._polls[allocation_id] = asyncio.ensure_future(self._poll(allocation_id, pid, start))
            return
        self._handles[allocation_id] = handle
        asyncio.get_running_loop().add_reader(handle, self._on_end, allocation_id, pid)

    def tell(self, allocation_id: str) -> None:
        """Report one that is known to have ended."""
        self._ended.put_nowait(allocation_id)

    def close(self) -> None:
        """Watch no more; the iteration ends."""
        for handle in self._handles.values():
            asyncio.get_running_loop().remove_reader(handle)
            os.close(handle)
        for task in self._polls.values():
            task.cancel()
        self._handles.clear()
        self._polls.clear()
        self._ended.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[str]:
        while (allocation_id := await self._ended.get()) is not None:
            yield allocation_id

    def _on_end(self, allocation_id: str, pid: int) -> None:
        handle = self._handles.pop(allocation_id)
        asyncio.get_running_loop().remove_reader(handle)
        os.close(handle)
        _collect(pid)
        self.tell(allocation_id)

    async def _poll(self, allocation_id: str, pid: int, start: str) -> None:
        while records.is_alive(pid, start):  # noqa: ASYNC110 (nothing here could set an event)
            await asyncio.sleep(POLL_S)
        _collect(pid)
        del self._polls[allocation_id]
        self.tell(allocation_id)


def _collect(pid: int) -> None:
    """Where the server is the machine's first process (a container), orphans are its children."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
