"""Fixtures that several rooms share."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import hypothesis
import msgspec
import pytest

from tests import databases
from tests.databases import Stores
from tests.support import Client
from undeterred.api.all import HANDLERS
from undeterred.app import App
from undeterred.base.clock import Clock, SystemClock
from undeterred.base.load import load
from undeterred.base.settings import Secret, Settings
from undeterred.http.server import Server
from undeterred.store.database import Database

PASSWORD = "Determined1"

hypothesis.settings.register_profile("suite", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("suite")


def make_settings(**flags: object) -> Settings:
    """Settings for tests: no agent, a known password, capacity overruns as warnings; `flags` are dotted keys with "__"."""
    given = {key.replace("__", "."): value for key, value in flags.items()}
    base = {"undeterred.agent": False, "security.initial_user_password": Secret(PASSWORD), "launch_error": False}
    return load(None, {}, base | given, lambda text: text)


@asynccontextmanager
async def serving(stores: Stores, data_dir: Path, settings: Settings) -> AsyncIterator[App]:
    """A whole server in this process, without a socket; every handler's declared rights are checked."""
    with stores.seeded(data_dir) as url:
        application = server_on(url, data_dir, settings)
        await application.start()
        yield application
        await application.stop()


def server_on(url: str, data_dir: Path, settings: Settings, clock: Clock | None = None) -> App:
    """A server in this process on a database that has been used before; it is not started."""
    application = App(msgspec.structs.replace(settings, db_url=url), data_dir, clock=clock)
    application.asgi = Server(application.services, HANDLERS, check_rights=True)
    return application


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """Databases of one's own, made from templates."""

    def seed(url: str, data_dir: Path) -> None:
        App(make_settings(db_url=url), data_dir).db.close()

    with databases.opened(tmp_path_factory.mktemp("stores"), seed) as made:
        yield made


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """What a test sets for all loggers ends with it: commands that run in this process set the level and the stream."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data folder of its own."""
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def db(stores: Stores, tmp_path: Path) -> Iterator[Database]:
    """A database with all tables and no rows."""
    with stores.empty(tmp_path) as url:
        database = Database(url, SystemClock())
        yield database
        database.close()


@pytest.fixture
def settings() -> Settings:
    """The settings of `app`; a test module overrides this fixture to change them."""
    return make_settings()


@pytest.fixture
async def app(stores: Stores, data_dir: Path, settings: Settings) -> AsyncIterator[App]:
    """A whole server in this process, without a socket; every handler's declared rights are checked."""
    async with serving(stores, data_dir, settings) as application:
        yield application


@pytest.fixture
async def client(app: App) -> AsyncIterator[Client]:
    """Calls operations as `admin` unless told otherwise."""
    async with Client.open(app.asgi, PASSWORD) as opened:
        yield opened
