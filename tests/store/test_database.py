"""Transactions: grouped commits, isolation of failures, wakes after the commit, retry."""

import asyncio
import sqlite3
import threading
from collections.abc import Hashable
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.databases import ONLY_SQLITE
from undeterred.base.clock import SystemClock
from undeterred.base.errors import Busy, Exists, Refused
from undeterred.store import cluster
from undeterred.store.database import Database, Tx
from undeterred.store.migrations import migrate
from undeterred.store.schema.cluster import cluster as cluster_table


def put(key: str, value: str = "x"):  # type: ignore[no-untyped-def]
    """A transaction that inserts one row."""
    return lambda tx: tx.insert(cluster_table, key=key, value=value)


def keys(tx: Tx) -> set[str]:
    """All keys stored."""
    return set(tx.values(sa.select(cluster_table.c.key)))


async def test_many_writers_are_answered_after_their_commit(db: Database) -> None:
    """Whoever has an answer can read what it wrote, however many wrote at once."""
    await asyncio.gather(*(db.write(put(f"k{n}")) for n in range(500)))
    assert await db.read(keys) == {f"k{n}" for n in range(500)}


async def test_a_failing_function_undoes_only_its_own_writes(db: Database) -> None:
    """Others in the same commit are not touched."""

    def fail(tx: Tx) -> None:
        put("bad")(tx)
        raise Refused("no")

    results = await asyncio.gather(db.write(put("a")), db.write(fail), db.write(put("b")), return_exceptions=True)
    assert isinstance(results[1], Refused)
    assert await db.read(keys) == {"a", "b"}


async def test_a_taken_key_is_a_failure_of_its_kind(db: Database) -> None:
    """A violated constraint reaches the caller as Exists."""
    await db.write(put("a"))
    with pytest.raises(Exists):
        await db.write(put("a"))


async def test_wakes_come_after_the_commit_and_not_for_failures(db: Database) -> None:
    """A waiter that is woken finds the new state; a rolled-back transaction wakes nobody."""
    seen: list[tuple[Hashable, set[str]]] = []
    db.after_commit = lambda woken: seen.extend((key, db.read_now(keys)) for key in woken)

    def work(tx: Tx) -> None:
        put("a")(tx)
        tx.wake("key")

    def fail(tx: Tx) -> None:
        tx.wake("other")
        raise Refused("no")

    await db.write(work)
    with pytest.raises(Refused):
        await db.write(fail)
    assert seen == [("key", {"a"})]


async def test_facts_are_applied_in_the_same_transaction(db: Database) -> None:
    """A fact raised by a function and its effects commit together."""
    db.apply_facts = lambda tx: [put(fact)(tx) for fact in tx.facts] and tx.facts.clear()
    await db.write(lambda tx: tx.fact("from-fact"))
    assert await db.read(keys) == {"from-fact"}


@ONLY_SQLITE
async def test_a_lock_held_by_another_program_is_waited_for(db: Database, tmp_path: Path) -> None:
    """`BEGIN IMMEDIATE` of a shell delays writes and does not fail them; readers go on meanwhile."""
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        other = sqlite3.connect(tmp_path / "test.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        held.set()
        release.wait(10)
        other.execute("ROLLBACK")
        other.close()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    writing = asyncio.ensure_future(db.write(put("late")))
    assert await db.read(keys) == set()
    release.set()
    await writing
    thread.join()
    assert await db.read(keys) == {"late"}


@ONLY_SQLITE
async def test_a_lock_of_another_program_never_stops_the_event_loop(db: Database, tmp_path: Path) -> None:
    """A quick write is left to the writer's thread while somebody else holds the lock, and done after it."""
    await db.write(put("first"), quick=True)
    other = sqlite3.connect(tmp_path / "test.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writing = [asyncio.ensure_future(db.write(put(name), quick=True)) for name in ("a", "b")]
    await asyncio.sleep(0.05)
    assert not any(one.done() for one in writing)
    assert await db.read(keys) == {"first"}
    other.execute("ROLLBACK")
    other.close()
    await asyncio.gather(*writing)
    assert await db.read(keys) == {"first", "a", "b"}


async def test_a_read_is_one_consistent_view(db: Database) -> None:
    """A write between two queries of one reading transaction is not seen by the second."""
    started, go_on = threading.Event(), threading.Event()

    def twice(tx: Tx) -> tuple[set[str], set[str]]:
        before = keys(tx)
        started.set()
        go_on.wait(10)
        return before, keys(tx)

    reading = asyncio.ensure_future(db.read(twice))
    await asyncio.to_thread(started.wait, 10)
    await db.write(put("new"))
    go_on.set()
    assert await reading == (set(), set())


@ONLY_SQLITE
async def test_a_full_disk_refuses_and_recovers(db: Database) -> None:
    """No space is Busy (503), nothing half-written stays, and once there is space all works again without a restart."""
    await db.write(put("first"))

    def limit(pages: int):  # type: ignore[no-untyped-def]
        return lambda tx: tx.conn.exec_driver_sql(f"PRAGMA max_page_count={pages}").scalar()

    used = await db.read(lambda tx: tx.conn.exec_driver_sql("PRAGMA page_count").scalar())
    await db.write(limit(used + 1))
    results = await asyncio.gather(db.write(put("big", "x" * 200_000)), db.write(put("small")), return_exceptions=True)
    assert isinstance(results[0], Busy)
    assert "space" in str(results[0])
    assert not isinstance(results[1], Exception)
    await db.write(limit(1_000_000))
    await db.write(put("big", "x" * 200_000))
    assert await db.read(keys) == {"first", "small", "big"}


async def test_a_closed_database_takes_no_writes(tmp_path: Path) -> None:
    """After close a write is Busy, not lost in silence."""
    database = Database(f"sqlite:///{tmp_path / 'x.db'}", SystemClock())
    migrate.prepare(database.engine, None)
    await database.write(put("a"))
    database.close()
    with pytest.raises(Busy):
        await database.write(put("b"))


def test_an_upsert_replaces_the_value(db: Database) -> None:
    """`put` twice keeps one row with the later value."""
    db.write_now(lambda tx: cluster.put(tx, "k", "1"))
    db.write_now(lambda tx: cluster.put(tx, "k", "2"))
    assert db.read_now(lambda tx: cluster.get(tx, "k")) == "2"


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    """Foreign tables are never touched."""
    file = tmp_path / "other.db"
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE theirs (x)")
    database = Database(f"sqlite:///{file}", SystemClock())
    with pytest.raises(Exception, match="another program"):
        migrate.prepare(database.engine, file)
    database.close()


def test_a_newer_database_is_refused(db: Database) -> None:
    """A revision that this version does not know stops the start with a clear sentence."""
    db.write_now(lambda tx: tx.conn.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'").rowcount)
    with pytest.raises(Exception, match="9999"):
        migrate.prepare(db.engine, None)
