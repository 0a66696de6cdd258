"""Opening a database: make it when it is empty, upgrade it when it is older, refuse it when it is newer.

An empty database gets all tables at once and the newest revision number, without importing Alembic (0.7 s); a test holds the
tables made this way against those that the migrations make.
"""

import shutil
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from undeterred.base.errors import Invalid, Unsupported
from undeterred.store import dialect
from undeterred.store.schema.base import tables_for

HEAD = "0001"
"""Newest revision in `versions/`."""


def reach(url: str) -> None:
    """Raises Invalid with one line when no connection to this database can be had, or its file is none."""
    try:
        engine = dialect.make_engine(url, readonly=False)
    except ModuleNotFoundError as error:
        raise Unsupported(f"PostgreSQL needs the library {error.name}: pip install 'undeterred[postgres]'") from None
    try:
        with engine.connect() as conn:
            conn.execute(sa.text("SELECT 1"))
    except sa.exc.DBAPIError as error:
        shown = sa.make_url(url).render_as_string(hide_password=True)
        raise Invalid(f"the database {shown} cannot be opened: {str(error.orig).strip().splitlines()[0]}") from None
    finally:
        engine.dispose()


def prepare(engine: sa.Engine, sqlite_file: Path | None) -> bool:
    """Bring the tables to `HEAD`; True when the database was empty. A SQLite file is copied before an upgrade."""
    with engine.connect() as conn:
        current = _revision(conn)
        if current == HEAD:
            return False
        if current is None:
            if sa.inspect(conn).get_table_names():
                raise Invalid("the database holds tables of another program; name an empty database")
            _create_all(conn)
            return True
    if not _known(current):
        raise Invalid(
            f"the database is of revision {current}, newer than this version of undeterred knows ({HEAD}); upgrade undeterred"
        )
    if sqlite_file is not None:
        shutil.copy2(sqlite_file, sqlite_file.with_suffix(f".{current}.bak"))
    upgrade(engine)
    return False


def upgrade(engine: sa.Engine) -> None:
    """Run the migrations that are missing, each in a transaction."""
    from alembic import command  # slow to import and needed once per release

    with engine.connect() as conn:
        config = alembic_config()
        config.attributes["connection"] = conn
        command.upgrade(config, "head")


def alembic_config() -> Any:
    """Alembic's configuration, without a file."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def _create_all(conn: sa.Connection) -> None:
    conn.exec_driver_sql("BEGIN")
    tables_for(conn.dialect.name).create_all(conn, checkfirst=False)
    conn.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    conn.execute(sa.text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})
    conn.exec_driver_sql("COMMIT")


def _revision(conn: sa.Connection) -> str | None:
    if not sa.inspect(conn).has_table("alembic_version"):
        return None
    revision: str | None = conn.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return revision


def _known(revision: str) -> bool:
    return any((Path(__file__).parent / "versions").glob(f"{revision}_*.py"))
