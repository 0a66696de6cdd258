"""Fixtures that several rooms share."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.support import Client
from undeterred.api.all import HANDLERS
from undeterred.app import App
from undeterred.base.clock import SystemClock
from undeterred.base.load import load
from undeterred.base.settings import Secret, Settings
from undeterred.http.server import Server
from undeterred.store.database import Database
from undeterred.store.migrations import migrate

PASSWORD = "Determined1"

hypothesis.settings.register_profile("suite", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("suite")


def make_settings(**flags: object) -> Settings:
    """Settings for tests: no agent, a known password, capacity overruns as warnings; `flags` are dotted keys with "__"."""
    given = {key.replace("__", "."): value for key, value in flags.items()}
    base = {"undeterred.agent": False, "security.initial_user_password": Secret(PASSWORD), "launch_error": False}
    return load(None, {}, base | given, lambda text: text)


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a fresh, seeded database, to be copied."""
    folder = tmp_path_factory.mktemp("seeded")
    App(make_settings(), folder).db.close()
    return folder


@pytest.fixture
def data_dir(seeded: Path, tmp_path: Path) -> Path:
    """A data folder of its own."""
    return Path(shutil.copytree(seeded, tmp_path / "data"))


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    """An empty database with all tables."""
    database = Database(f"sqlite:///{tmp_path / 'test.db'}", SystemClock())
    migrate.prepare(database.engine, None)
    yield database
    database.close()


@pytest.fixture
def settings() -> Settings:
    """The settings of `app`; a test module overrides this fixture to change them."""
    return make_settings()


@pytest.fixture
async def app(data_dir: Path, settings: Settings) -> AsyncIterator[App]:
    """A whole server in this process, without a socket; every handler's declared rights are checked."""
    application = App(settings, data_dir)
    application.asgi = Server(application.services, HANDLERS, check_rights=True)
    await application.start()
    yield application
    await application.stop()


@pytest.fixture
async def client(app: App) -> AsyncIterator[Client]:
    """Calls operations as `admin` unless told otherwise."""
    async with Client.open(app.asgi, PASSWORD) as opened:
        yield opened
