"""Composition: settings to a running server. The only module that builds objects; `start` and `stop` do it in order."""

import asyncio
import logging
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from undeterred import DETERMINED_VERSION
from undeterred.api import passwords
from undeterred.api.all import HANDLERS
from undeterred.api.call import Services
from undeterred.api.who import Identities
from undeterred.base.clock import SystemClock
from undeterred.base.ids import new_uuid
from undeterred.base.settings import Settings
from undeterred.engine.engine import Engine
from undeterred.engine.waiters import Waiters
from undeterred.http.server import Server
from undeterred.store import cluster, dialect
from undeterred.store.database import Database
from undeterred.store.migrations import migrate
from undeterred.store.seed import seed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Opened:
    """What opening the store found."""

    db: Database
    fresh: bool
    """Whether the database was empty."""
    generated_password: str | None
    """The password made for the first users, to be shown once."""


class App:
    """One server: `start()` before the socket listens, `stop()` after it is closed."""

    def __init__(self, settings: Settings, data_dir: Path) -> None:
        self.settings = settings
        self.data_dir = data_dir
        self.clock = SystemClock()
        self.waiters = Waiters()
        self.opened = open_store(settings, data_dir, self.clock)
        self.db = self.opened.db
        self.db.after_commit = self.waiters.wake
        cluster_id = self.db.read_now(lambda tx: cluster.get(tx, "cluster_id")) or ""
        self.engine = Engine(self.db, settings, self.clock, self.waiters, cluster_id, new_uuid())
        self.identities = Identities(self.db, self.clock)
        self.services = Services(
            self.db, self.engine, settings, self.identities, self.clock, DETERMINED_VERSION, default_storage(settings, data_dir)
        )
        self.asgi = Server(self.services, HANDLERS)

    async def start(self) -> None:
        """Start the background services."""

    async def stop(self) -> None:
        """Stop them in reverse order and close the store; tasks go on."""
        await asyncio.to_thread(self.db.close)


def open_store(settings: Settings, data_dir: Path, clock: SystemClock) -> Opened:
    """Open or make the database; an empty one gets its first users."""
    url = dialect.url_for(db_of(settings), data_dir)
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
