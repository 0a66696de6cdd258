"""Moves SQLite's write-ahead log into the database in a thread of its own, so that no commit waits for the disk."""

import logging
import sqlite3
import threading
from pathlib import Path

log = logging.getLogger(__name__)

PERIOD_S = 1.0
START_BYTES = 4 * 1024 * 1024
"""A shorter log is left alone."""
RESTART_BYTES = 64 * 1024 * 1024
"""A log of this length must start anew: under steady writing it would never come to an end by itself."""


class Checkpoints:
    """Looks at the log once a second. `writing` is held by who writes; it is taken only to let a long log start anew."""

    def __init__(self, url: str, writing: threading.Lock) -> None:
        self._file = Path(url.removeprefix("sqlite:///"))
        self._log = self._file.with_name(self._file.name + "-wal")
        self._writing = writing
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="db-checkpoint", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; what is left in the log is moved by who closes the database."""
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        conn: sqlite3.Connection | None = None
        while not self._end.wait(PERIOD_S):
            try:
                size = self._size()
                if size < START_BYTES:
                    continue
                conn = conn or sqlite3.connect(self._file, isolation_level=None)
                conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                if size >= RESTART_BYTES:  # little is left after the passive one
                    with self._writing:
                        conn.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
            except sqlite3.Error as error:
                log.warning("the write-ahead log could not be moved into the database: %s", error)
        if conn is not None:
            conn.close()

    def _size(self) -> int:
        try:
            return self._log.stat().st_size
        except OSError:
            return 0
