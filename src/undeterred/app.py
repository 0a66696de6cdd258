"""Composition: settings to a running server. The only module that builds objects; `start` and `stop` do it in order."""

import asyncio
import logging
import os
import secrets
import sys
from collections.abc import Hashable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from undeterred import DETERMINED_VERSION, __version__
from undeterred.api import passwords
from undeterred.api.all import HANDLERS
from undeterred.api.call import Services
from undeterred.api.who import Identities
from undeterred.base import tls
from undeterred.base.clock import Clock, SystemClock
from undeterred.base.ids import new_uuid
from undeterred.base.settings import Settings
from undeterred.base.struct import Struct
from undeterred.core.config.mask import read_storage
from undeterred.core.pools import default_for, pools_of
from undeterred.engine import keys
from undeterred.engine.engine import Engine
from undeterred.engine.launchers import Launchers
from undeterred.engine.running import Running
from undeterred.engine.specs import defaults_by_pool
from undeterred.engine.waiters import Waiters
from undeterred.http.server import Server
from undeterred.launch.local.launcher import LocalLauncher, LocalSettings
from undeterred.store import cluster, dialect
from undeterred.store.database import Database
from undeterred.store.migrations import migrate
from undeterred.store.seed import seed

log = logging.getLogger(__name__)

THREADS = 64
"""For calls that block, made as they are needed: logins and starts of tasks must not wait for slow storages."""
END_TASKS = "end-tasks"
"""File in the data folder: tasks end together with the server."""


class Opened(Struct, frozen=True):
    """What opening the store found."""

    db: Database
    fresh: bool
    """Whether the database was empty."""
    generated_password: str | None
    """The password made for the first users, to be shown once."""


class App:
    """One server: `start()` before the socket listens, `stop()` after it is closed."""

    def __init__(
        self,
        settings: Settings,
        data_dir: Path,
        port: int | None = None,
        *,
        clock: Clock | None = None,
        machines: Launchers | None = None,
    ) -> None:
        """`port` is the one that the server listens on, when it is not that of the settings.

        `clock` replaces the machine's, `machines` those that the settings name to run tasks.
        """
        self.settings = settings
        self.data_dir = data_dir
        self.clock = clock or SystemClock()
        self.waiters = Waiters()
        self.opened = open_store(settings, data_dir, self.clock)
        self.db = self.opened.db
        self.db.after_commit = self._after_commit
        cluster_id = self.db.read_now(lambda tx: cluster.get(tx, "cluster_id")) or ""
        self.engine = Engine(
            self.db,
            settings,
            self.clock,
            self.waiters,
            cluster_id,
            new_uuid(),
            launchers=machines or launchers(settings, data_dir, self.clock),
            master_url=master_url(settings, settings.port if port is None else port),
            certificate=tls.read(settings.security.tls),
        )
        self.running = Running(self.engine)
        self.identities = Identities(self.db, self.clock)
        self.services = Services(
            self.db, self.engine, settings, self.identities, self.clock, DETERMINED_VERSION, default_storage(settings, data_dir)
        )
        self.asgi = Server(self.services, HANDLERS)

    async def start(self) -> None:
        """Take over what runs and start the background services. Raises Refused or Broken with one clear line."""
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="work"))
        self.engine.log.attach(loop)
        log.info("Undeterred %s starts cluster %s as master %s", __version__, self.engine.cluster_id, self.engine.master_id)
        log.info("data is kept in %s", "SQLite" if self.db.is_sqlite else "PostgreSQL")
        log.info("resource pools: %s", ", ".join(pool.name for pool in self.engine.pools))
        await self.running.start()

    async def stop(self) -> int:
        """Stop them in reverse order and close the store; the number of tasks that run on.

        Tasks go on, unless the file `end-tasks` in the data folder asks for their end.
        """
        flag = self.data_dir / END_TASKS
        end_tasks = flag.exists()
        left = await self.running.stop(end_tasks=end_tasks)
        flag.unlink(missing_ok=True)
        self.engine.log.detach()
        await asyncio.to_thread(self.db.close)
        return left

    def _after_commit(self, woken: set[Hashable]) -> None:
        if keys.SESSIONS in woken:
            self.identities.forget()
        self.waiters.wake(woken)


def check(settings: Settings) -> None:
    """Raises Invalid for a certificate, database, pools, task defaults or storage that cannot be, before anything is made."""
    tls.read(settings.security.tls)
    dialect.url_for(db_of(settings), Path())
    defaults_by_pool(settings, pools_of(settings.resource_manager, settings.resource_pools))
    if settings.checkpoint_storage:
        read_storage(settings.checkpoint_storage)


def launchers(settings: Settings, data_dir: Path, clock: Clock) -> Launchers:
    """This machine as the one agent of the pool for compute, unless it is kept out."""
    if not settings.undeterred.agent:
        return Launchers()
    pool = default_for(pools_of(settings.resource_manager, settings.resource_pools), 1).name
    local = LocalSettings(
        data_dir,
        pool=pool,
        slots=settings.undeterred.slots,
        python=settings.undeterred.task_python or sys.executable,
        environment=dict(os.environ),
        reserved_ports=frozenset(settings.reserved_ports),
    )
    return Launchers({pool: LocalLauncher(local, clock)})


def master_url(settings: Settings, port: int) -> str:
    """The address under which tasks reach this server."""
    scheme = "https" if settings.security.tls.cert else "http"
    return settings.undeterred.master_url or f"{scheme}://127.0.0.1:{port}{settings.undeterred.prefix}"


def open_store(settings: Settings, data_dir: Path, clock: Clock) -> Opened:
    """Open or make the database; an empty one gets its first users."""
    url = dialect.url_for(db_of(settings), data_dir)
    migrate.reach(url)
    db = Database(url, clock, durability=settings.undeterred.durability)
    sqlite_file = Path(url.removeprefix("sqlite:///")) if db.is_sqlite else None
    fresh = migrate.prepare(db.engine, sqlite_file)
    generated = None
    if fresh:
        given = settings.security.initial_user_password
        generated = secrets.token_urlsafe(12) if given is None else None
        password_hash = passwords.hash_digest(passwords.digest(generated if given is None else given.reveal()))  # type: ignore[arg-type]
        db.write_now(lambda tx: seed(tx, password_hash))
    return Opened(db, fresh, generated)


def default_storage(settings: Settings, data_dir: Path) -> dict[str, Any]:
    """The configured checkpoint storage, else a folder inside the data folder."""
    return settings.checkpoint_storage or {"type": "shared_fs", "host_path": str(data_dir / "storage")}


def db_of(settings: Settings) -> str:
    """The database that the settings name: a URL, Determined's `db` block, or nothing (SQLite in the data folder)."""
    if settings.db_url or not settings.db.name:
        return settings.db_url
    db = settings.db
    password = f":{db.password.reveal()}" if db.password else ""
    return f"postgresql://{db.user}{password}@{db.host}:{db.port}/{db.name}"
