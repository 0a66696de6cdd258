"""Where tests keep their data: SQLite, or PostgreSQL when the environment says TEST_DATABASE=postgres (`make test-pg`)."""

import contextlib
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from scripts import postgres
from undeterred.base.clock import SystemClock
from undeterred.store.database import Database
from undeterred.store.migrations import migrate

ON_POSTGRES = os.environ.get("TEST_DATABASE") == "postgres"
REQUIRED = bool(os.environ.get("REQUIRE_POSTGRES"))
"""Whether a machine without PostgreSQL is a failure rather than a reason to skip."""

ONLY_SQLITE = pytest.mark.skipif(ON_POSTGRES, reason="about SQLite's file")

Seed = Callable[[str, Path], None]
"""Fills the database of a URL ("": SQLite in the data folder) with what a fresh server has."""


class Stores(Protocol):
    """Databases of one's own, made from templates."""

    def empty(self, folder: Path) -> AbstractContextManager[str]:
        """The URL, in SQLAlchemy's form, of a database with all tables and no rows."""

    def seeded(self, data_dir: Path) -> AbstractContextManager[str]:
        """The setting `db_url` of a server in this data folder that has been started once."""


class OnSqlite:
    """A file per test."""

    def __init__(self, folder: Path, seed: Seed) -> None:
        self._folder = folder
        make_tables(f"sqlite:///{folder / 'empty.db'}")
        seed("", folder)

    @contextmanager
    def empty(self, folder: Path) -> Iterator[str]:
        """See Stores."""
        shutil.copy(self._folder / "empty.db", folder / "test.db")
        yield f"sqlite:///{folder / 'test.db'}"

    @contextmanager
    def seeded(self, data_dir: Path) -> Iterator[str]:
        """See Stores."""
        shutil.copy(self._folder / "undeterred.db", data_dir)
        yield ""


class OnPostgres:
    """A database per test on one server."""

    def __init__(self, server: postgres.Postgres, folder: Path, seed: Seed) -> None:
        self._server = server
        self._numbers = itertools.count(1)
        make_tables(driver_url(server.create("empty")))
        seed(server.create("seeded"), folder)

    @contextmanager
    def empty(self, folder: Path) -> Iterator[str]:
        """See Stores."""
        with self._copy("empty") as url:
            yield driver_url(url)

    @contextmanager
    def seeded(self, data_dir: Path) -> Iterator[str]:
        """See Stores."""
        with self._copy("seeded") as url:
            yield url

    @contextmanager
    def _copy(self, template: str) -> Iterator[str]:
        name = f"test{next(self._numbers)}"
        try:
            yield self._server.create(name, template)
        finally:
            self._server.drop(name)


@contextmanager
def opened(folder: Path, seed: Seed) -> Iterator[Stores]:
    """The kind that the environment asks for; skips the test where PostgreSQL is asked for and cannot be started."""
    if not ON_POSTGRES:
        yield OnSqlite(folder, seed)
        return
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(postgres.running())
        except postgres.Unavailable as reason:
            if REQUIRED:
                raise
            pytest.skip(str(reason))
        yield OnPostgres(server, folder, seed)


def make_tables(url: str) -> None:
    """All tables in an empty database."""
    database = Database(url, SystemClock())
    migrate.prepare(database.engine, None)
    database.close()


def driver_url(url: str) -> str:
    """SQLAlchemy's form of `postgresql://`."""
    return url.replace("postgresql://", "postgresql+psycopg://")
