"""SQLite's write-ahead log is moved into the database beside the writer."""

import sqlite3
import threading
import time
from pathlib import Path

import pytest

from undeterred.store import walfile
from undeterred.store.walfile import Checkpoints


def test_a_long_log_starts_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under steady writing the file does not grow without end, and every row that was committed is there."""
    monkeypatch.setattr(walfile, "PERIOD_S", 0.01)
    monkeypatch.setattr(walfile, "START_BYTES", 50_000)
    monkeypatch.setattr(walfile, "RESTART_BYTES", 200_000)
    file, writing = tmp_path / "x.db", threading.Lock()
    conn = sqlite3.connect(file, isolation_level=None)
    for pragma in ("journal_mode=WAL", "wal_autocheckpoint=0"):
        conn.execute(f"PRAGMA {pragma}")
    conn.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, body TEXT)")
    checkpoints = Checkpoints(f"sqlite:///{file}", writing)
    try:
        for _ in range(600):
            with writing:
                conn.execute("INSERT INTO rows (body) VALUES (?)", ("x" * 4000,))
            time.sleep(0.001)
    finally:
        checkpoints.close()
    assert conn.execute("SELECT count(*) FROM rows").fetchone() == (600,)
    assert file.with_name("x.db-wal").stat().st_size < 600 * 8000
    conn.close()


def test_a_missing_log_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first write there is no file."""
    monkeypatch.setattr(walfile, "PERIOD_S", 0.01)
    checkpoints = Checkpoints(f"sqlite:///{tmp_path / 'none.db'}", threading.Lock())
    time.sleep(0.05)
    checkpoints.close()
    assert not (tmp_path / "none.db").exists()
