"""What the server says about itself, kept in memory: the newest lines, for people who read them through the API."""

import asyncio
import logging
import threading
from collections import deque

from undeterred.base.clock import SECOND, Micros
from undeterred.base.struct import Struct
from undeterred.engine.waiters import Waiters

KEY = ("master log",)
"""Woken when there are new lines."""
SIZE = 20_000
"""Lines that are kept."""
LONGEST = 20_000
"""Characters of a line; what is longer is cut."""


class Entry(Struct, frozen=True):
    """One line."""

    id: int
    """Counted from 0 since the start."""
    time: Micros
    level: str
    """TRACE, DEBUG, INFO, WARNING, ERROR or CRITICAL."""
    message: str


class MasterLog(logging.Handler):
    """A logging handler, and the ring it fills. `attach` it to the root logger, `detach` it at the end."""

    def __init__(self, waiters: Waiters, size: int = SIZE) -> None:
        super().__init__()
        self._waiters = waiters
        self._entries: deque[Entry] = deque(maxlen=size)
        self._next = 0
        self._guard = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake_pending = False

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to listen; those that follow are woken in this event loop."""
        self._loop = loop
        logging.getLogger().addHandler(self)

    def detach(self) -> None:
        """Listen no more; nobody is woken any more."""
        logging.getLogger().removeHandler(self)
        self._loop = None

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record; called from any thread."""
        message = f"{record.name}: {record.getMessage()}"
        if record.exc_info and record.exc_info[1] is not None:
            message += f": {type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
        with self._guard:
            entry = Entry(self._next, int(record.created * SECOND), _level(record.levelno), message[:LONGEST])
            self._entries.append(entry)
            self._next += 1
            loop = None if self._wake_pending else self._loop
            self._wake_pending = self._wake_pending or loop is not None
        if loop is not None:
            try:
                loop.call_soon_threadsafe(self._wake)
            except RuntimeError:
                self._loop = None  # it is closed: nobody follows

    def __len__(self) -> int:
        with self._guard:
            return len(self._entries)

    def page(self, start: int, limit: int) -> list[Entry]:
        """At most `limit` entries from the `start`-th of those that are kept."""
        with self._guard:
            return list(self._entries)[start : start + limit]

    def since(self, entry_id: int, limit: int) -> list[Entry]:
        """At most `limit` entries from this id on; those that fell out of the ring are left out."""
        with self._guard:
            first = self._next - len(self._entries)
            begin = max(entry_id - first, 0)
            return [self._entries[place] for place in range(begin, min(begin + limit, len(self._entries)))]

    @property
    def next_id(self) -> int:
        """The id that the next entry gets."""
        with self._guard:
            return self._next

    def _wake(self) -> None:
        self._wake_pending = False
        self._waiters.wake([KEY])


def set_level(word: str) -> None:
    """Log from this level on (trace, debug, info, warning, error, critical)."""
    logging.getLogger().setLevel({"TRACE": 5}.get(word.upper(), word.upper()))


def _level(number: int) -> str:
    if number < logging.DEBUG:
        return "TRACE"
    steps = (logging.INFO, "DEBUG"), (logging.WARNING, "INFO"), (logging.ERROR, "WARNING"), (logging.CRITICAL, "ERROR")
    return next((word for below, word in steps if number < below), "CRITICAL")
