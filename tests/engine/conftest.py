"""What tests of random lives begin from."""

from pathlib import Path

import pytest

from tests.engine.fakes import FakeClock
from undeterred.store.database import Database
from undeterred.store.migrations import migrate


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database, to be copied for each life."""
    path = tmp_path_factory.mktemp("template") / "empty.db"
    database = Database(f"sqlite:///{path}", FakeClock())
    migrate.prepare(database.engine, None)
    database.close()
    return path
