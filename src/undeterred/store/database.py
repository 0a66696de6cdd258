"""`await db.read(fn)` and `await db.write(fn)`: the only ways to the data.

A transaction function is plain and synchronous, takes `tx`, and may be run again. On SQLite one writer thread takes all that
wait, gives each a savepoint, commits once and then answers all; on PostgreSQL a small pool of threads commits each and
repeats it after a conflict. An answer is given only after the commit, so an answered write survives the death of the process.

To wake a thread and to be woken by it costs more than a short transaction on SQLite. So what is `quick` (some rows found by
their keys, a millisecond at most) runs in the caller's own thread, a write only while nobody else writes or waits to.
"""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import sqlalchemy as sa

from undeterred.base.clock import Clock, Micros
from undeterred.base.errors import Busy, Failure
from undeterred.store import dialect
from undeterred.store.walfile import Checkpoints

T = TypeVar("T")
Work = Callable[["Tx"], T]
AfterCommit = Callable[[set[Hashable]], None]
log = logging.getLogger(__name__)

MAX_GROUP = 256
"""Transactions that share one commit at most."""
_LOCK_POLL_S = 0.01
"""Between two tries to get a lock that another process holds."""


class Tx:
    """One transaction: its connection, its time, and what it leaves behind for after the commit."""

    __slots__ = ("after", "conn", "facts", "now", "wakes")

    def __init__(self, conn: sa.Connection, now: Micros) -> None:
        self.conn = conn
        self.now = now
        """The same for everything that this transaction writes."""
        self.facts: list[Any] = []
        """Lifecycle facts raised and not yet applied (`engine/flow.py` applies them before the commit)."""
        self.wakes: set[Hashable] = set()
        """Keys of waiters and services to wake after the commit."""
        self.after: list[Callable[[], None]] = []
        """Called in the event loop's thread after the commit: cache updates."""

    def rows(self, statement: Any, params: Any = None) -> list[Any]:
        """All rows of a query."""
        return list(self.conn.execute(statement, params).all())

    def row(self, statement: Any, params: Any = None) -> Any | None:
        """The first row, or None."""
        return self.conn.execute(statement, params).first()

    def value(self, statement: Any, params: Any = None) -> Any:
        """The first column of the first row, or None."""
        return self.conn.execute(statement, params).scalar()

    def values(self, statement: Any, params: Any = None) -> list[Any]:
        """The first column of every row."""
        return list(self.conn.execute(statement, params).scalars().all())

    def run(self, statement: Any, params: Any = None) -> int:
        """Execute a change; the number of rows that it touched."""
        return int(self.conn.execute(statement, params).rowcount)

    def insert(self, table: sa.Table, **values: Any) -> int:
        """Insert one row; its primary key when that is a number."""
        key = self.conn.execute(sa.insert(table).values(**values)).inserted_primary_key
        return key[0] if key else 0

    def upsert(self, table: sa.Table, keys: list[str], **values: Any) -> None:
        """Insert, or update the row with the same keys."""
        self.conn.execute(dialect.upsert(self.conn, table, values, keys))

    def locked(self, statement: sa.Select[Any]) -> Any | None:
        """The first row of a query, held until the commit."""
        return self.conn.execute(dialect.lock(self.conn, statement)).first()

    def wake(self, *keys: Hashable) -> None:
        """Wake these after the commit."""
        self.wakes.update(keys)

    def fact(self, fact: Any) -> None:
        """Raise a lifecycle fact."""
        self.facts.append(fact)


class _Job:
    __slots__ = ("error", "future", "result", "tx", "work")

    def __init__(self, work: Work[Any], future: "asyncio.Future[Any]") -> None:
        self.work = work
        self.future = future
        self.result: Any = None
        self.error: BaseException | None = None
        self.tx: Tx | None = None


class Database:
    """Opens on construction; `close()` when nothing uses it any more."""

    def __init__(self, url: str, clock: Clock, *, durability: str = "normal", readers: int = 4) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        self.clock = clock
        self.apply_facts: Callable[[Tx], None] = _no_facts
        self.after_commit: AfterCommit = _ignore
        self._write_engine = dialect.make_engine(url, readonly=False, durability=durability)
        self._read_engine = (
            dialect.make_engine(url, readonly=True, durability=durability) if self.is_sqlite else self._write_engine
        )
        self._local = threading.local()
        self._connections: list[sa.Connection] = []
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="db-read")
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._inline = self.is_sqlite and durability != "full"
        """Whether quick transactions need not wait for a network or a disk."""
        self._writing = threading.Lock()
        """SQLite: held by who uses the writing connection."""
        self._write_conn: sa.Connection | None = None
        self._checkpoints = Checkpoints(url, self._writing) if self.is_sqlite else None
        writers = 1 if self.is_sqlite else 4
        loop = self._sqlite_writer if self.is_sqlite else self._pool_writer
        self._writers = [threading.Thread(target=loop, name=f"db-write-{n}", daemon=True) for n in range(writers)]
        self._closed = False
        for thread in self._writers:
            thread.start()

    @property
    def engine(self) -> sa.Engine:
        """For migrations and administration only."""
        return self._write_engine

    async def read(self, work: Work[T], *, quick: bool = False) -> T:
        """Run `work` in a reader thread, or here if it is quick, on one consistent view."""
        if quick and self._inline:
            return self.read_now(work)
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.read_now, work)

    def read_now(self, work: Work[T]) -> T:
        """The same, in the calling thread (start-up, tests, worker threads)."""
        conn = self._reader()
        try:
            dialect.begin(conn, "read")
            try:
                return work(Tx(conn, self.clock.now()))
            finally:
                dialect.command(conn, "ROLLBACK")
        except sa.exc.DBAPIError as error:
            raise dialect.failure_of(error) or error from error

    async def write(self, work: Work[T], *, quick: bool = False) -> T:
        """Run `work` and commit; returns after the commit. A raised exception rolls this one transaction back."""
        if self._closed:
            raise Busy("the server is stopping")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        job = _Job(work, future)
        if not (quick and self._inline and self._write_here(job)):
            self._queue.put(job)
        return await future

    def write_now(self, work: Work[T]) -> T:
        """The same for threads without an event loop (start-up, tests)."""

        async def once() -> T:
            return await self.write(work)

        return asyncio.run(once())

    def close(self) -> None:
        """Finish what waits, then close every connection."""
        self._closed = True
        for _ in self._writers:
            self._queue.put(None)
        for thread in self._writers:
            thread.join()
        if self._checkpoints is not None:
            self._checkpoints.close()
        self._readers.shutdown(wait=True)
        for conn in self._connections:
            conn.close()
        self._read_engine.dispose()
        self._write_engine.dispose()

    def _reader(self) -> sa.Connection:
        conn: sa.Connection | None = getattr(self._local, "conn", None)
        if conn is None or conn.closed or conn.invalidated:
            conn = self._local.conn = self._read_engine.connect()
            self._connections.append(conn)
        return conn

    # --- SQLite: one thread, one commit for all that wait

    def _write_here(self, job: _Job) -> bool:
        """Run a job in this thread, the event loop's; False when somebody writes or waits to, here or in another process."""
        if not self._queue.empty() or not self._writing.acquire(blocking=False):
            return False
        try:
            try:
                if self._write_conn is None or not dialect.begin_at_once(self._write_conn):
                    return False
            except sa.exc.OperationalError:
                return False  # the writer's thread meets it, too, and answers it
            self._commit_group(self._write_conn, [job], _finish, begun=True)
        finally:
            self._writing.release()
        return True

    def _sqlite_writer(self) -> None:
        conn = self._write_conn = self._write_engine.connect()
        dialect.never_wait(conn)
        try:
            while True:
                job = self._queue.get()
                if job is None:
                    return
                group, last = [job], False
                while len(group) < MAX_GROUP:
                    try:
                        more = self._queue.get_nowait()
                    except queue.Empty:
                        break
                    if more is None:
                        last = True
                        break
                    group.append(more)
                with self._writing:
                    self._commit_group(conn, group, _answer)
                if last:
                    return
        finally:
            with self._writing:
                self._write_conn = None
                conn.close()

    def _commit_group(
        self, conn: sa.Connection, group: list[_Job], answer: "Callable[[list[_Job], AfterCommit], None]", *, begun: bool = False
    ) -> None:
        try:
            if not begun:
                _begin(conn)
            if len(group) == 1:
                self._run_job(conn, group[0])
            else:
                for job in group:
                    self._run_in_savepoint(conn, job)
            dialect.command(conn, "COMMIT")
        except Exception as error:
            _rollback(conn)
            if len(group) > 1:
                for job in group:
                    self._commit_group(conn, [job], answer)
                return
            group[0].error = _as_failure(error)
        answer(group, self.after_commit)

    def _run_job(self, conn: sa.Connection, job: _Job) -> None:
        job.error = job.result = None
        job.tx = tx = Tx(conn, self.clock.now())
        job.result = job.work(tx)
        if tx.facts:
            self.apply_facts(tx)

    def _run_in_savepoint(self, conn: sa.Connection, job: _Job) -> None:
        """An error of the function itself undoes its own writes only; an error that ends the transaction reaches the caller."""
        dialect.command(conn, "SAVEPOINT one")
        try:
            self._run_job(conn, job)
            dialect.command(conn, "RELEASE one")
        except Exception as error:
            if isinstance(error, sa.exc.OperationalError):
                raise
            dialect.command(conn, "ROLLBACK TO one")
            dialect.command(conn, "RELEASE one")
            job.error = _as_failure(error)

    # --- PostgreSQL: each alone, again after a conflict

    def _pool_writer(self) -> None:
        while (job := self._queue.get()) is not None:
            for attempt in range(8):
                try:
                    with self._write_engine.connect() as conn:
                        self._run_alone(conn, job)
                    break
                except Exception as error:
                    job.error = _as_failure(error)
                    if not dialect.retryable(error) or attempt == 7:
                        break
            _answer([job], self.after_commit)

    def _run_alone(self, conn: sa.Connection, job: _Job) -> None:
        dialect.begin(conn, "write")
        try:
            self._run_job(conn, job)
            dialect.command(conn, "COMMIT")
        except BaseException:
            _rollback(conn)
            raise


def _begin(conn: sa.Connection) -> None:
    """SQLite: open a transaction for writing, after the lock of another process if need be; raises Busy after a long wait."""
    end = time.monotonic() + dialect.BUSY_TIMEOUT_MS / 1000
    while not dialect.begin_at_once(conn):
        if time.monotonic() > end:
            raise Busy("another program keeps the database locked; try again")
        time.sleep(_LOCK_POLL_S)


def _answer(group: Iterable[_Job], after_commit: AfterCommit) -> None:
    """Hand results to the loops that wait for them: one call into each loop for the whole group."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
    for job in group:
        by_loop.setdefault(job.future.get_loop(), []).append(job)
    for loop, jobs in by_loop.items():
        try:
            loop.call_soon_threadsafe(_finish, jobs, after_commit)
        except RuntimeError:
            log.warning("a transaction ended after its event loop had closed")


def _finish(jobs: list[_Job], after_commit: AfterCommit) -> None:
    wakes: set[Hashable] = set()
    for job in jobs:
        if job.error is None and job.tx is not None:
            wakes |= job.tx.wakes
            for call in job.tx.after:
                call()
        if not job.future.done():
            if job.error is not None:
                job.future.set_exception(job.error)
            else:
                job.future.set_result(job.result)
    if wakes:
        after_commit(wakes)


def _as_failure(error: Exception) -> Exception:
    if isinstance(error, Failure):
        return error
    if isinstance(error, sa.exc.DBAPIError):
        return dialect.failure_of(error) or error
    return error


def _rollback(conn: sa.Connection) -> None:
    try:
        dialect.command(conn, "ROLLBACK")
    except sa.exc.DBAPIError as error:
        log.debug("nothing to roll back: %s", error)


def _no_facts(tx: Tx) -> None:
    raise RuntimeError(f"facts raised and nobody applies them: {tx.facts}")


def _ignore(_keys: set[Hashable]) -> None:
    """Nobody waits."""
