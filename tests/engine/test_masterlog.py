"""The server's own log in memory."""

import asyncio
import logging

import pytest

from undeterred.engine.masterlog import KEY, MasterLog
from undeterred.engine.waiters import Waiters


def record(message: str, level: int = logging.INFO, **fields: object) -> logging.LogRecord:
    """A record."""
    return logging.makeLogRecord({"name": "a", "msg": message, "levelno": level, "created": 5.0} | fields)


def test_the_newest_lines_are_kept() -> None:
    """Each with a number that never comes again."""
    log = MasterLog(Waiters(), size=3)
    for number in range(5):
        log.emit(record(f"line {number}"))
    assert [(entry.id, entry.message) for entry in log.page(0, 10)] == [(n, f"a: line {n}") for n in (2, 3, 4)]
    assert [entry.id for entry in log.since(0, 2)] == [2, 3]
    assert [entry.id for entry in log.since(4, 10)] == [4]
    assert log.since(5, 10) == []
    assert (len(log), log.next_id, log.page(0, 1)[0].time) == (3, 5, 5_000_000)


@pytest.mark.parametrize(
    ("number", "level"),
    [(5, "TRACE"), (10, "DEBUG"), (20, "INFO"), (25, "INFO"), (30, "WARNING"), (40, "ERROR"), (50, "CRITICAL"), (60, "CRITICAL")],
)
def test_levels_have_the_names_of_the_api(number: int, level: str) -> None:
    """Also those between the usual ones."""
    log = MasterLog(Waiters())
    log.emit(record("x", number))
    assert log.page(0, 1)[0].level == level


def test_an_exception_is_told_in_one_line() -> None:
    """Its class and message, not its traceback."""
    log = MasterLog(Waiters())
    error = ValueError("bad")
    log.emit(record("failed", exc_info=(ValueError, error, None)))
    assert log.page(0, 1)[0].message == "a: failed: ValueError: bad"


async def test_followers_are_woken_from_any_thread() -> None:
    """While it is attached to the root logger, and not after."""
    waiters = Waiters()
    log = MasterLog(waiters)
    log.attach(asyncio.get_running_loop())
    try:
        with waiters.on(KEY) as event:
            await asyncio.to_thread(logging.getLogger("test.thread").error, "hello")
            await asyncio.wait_for(event.wait(), 5)
        assert log.page(len(log) - 1, 1)[0].message == "test.thread: hello"
    finally:
        log.detach()
    logging.getLogger("test.thread").error("unheard")
    assert all("unheard" not in entry.message for entry in log.page(0, 100))
