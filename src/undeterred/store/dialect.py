"""The only file that asks which database this is: connections, upsert, locks, and the few functions that are spelled apart."""

import functools
import re
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.pool import NullPool, QueuePool

from undeterred.base import json
from undeterred.base.errors import Broken, Busy, Exists, Failure, Invalid

BUSY_TIMEOUT_MS = 30_000
"""How long a statement waits for a lock that another process holds."""

_ANY_ALPHABET = "und-x-icu"
"""PostgreSQL's collation of no language; our columns have "C", which knows upper and lower case of ASCII only."""


def url_for(db: str, data_dir: Path) -> str:
    """SQLAlchemy's URL: `postgresql://` goes through psycopg, empty is `undeterred.db` in the data folder, else a SQLite path."""
    if db.startswith(("postgres://", "postgresql://")):
        return "postgresql+psycopg://" + db.split("://", 1)[1]
    if "://" in db and not db.startswith("sqlite:///"):
        raise Invalid(f"--db: {db.split('://', 1)[0]} is not supported; use sqlite:///FILE or postgresql://USER@HOST/NAME")
    return f"sqlite:///{db.removeprefix('sqlite:///') or data_dir / 'undeterred.db'}"


def make_engine(url: str, *, readonly: bool, durability: str = "normal") -> sa.Engine:
    """An engine whose connections leave transactions to us (`BEGIN`, `COMMIT` are written by `database.py`)."""
    if url.startswith("sqlite"):
        if sqlite3.sqlite_version_info < (3, 35):
            raise Invalid(f"SQLite {sqlite3.sqlite_version} is too old: 3.35 or newer is needed")
        engine = sa.create_engine(
            url, poolclass=NullPool, connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000}
        )
        sa.event.listen(engine, "connect", lambda connection, _record: _prepare_sqlite(connection, readonly, durability))
    else:
        engine = sa.create_engine(url, poolclass=QueuePool, pool_size=8, max_overflow=8, pool_pre_ping=True)
    sa.event.listen(engine, "before_cursor_execute", _drop_nul, retval=True)
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def _prepare_sqlite(connection: Any, readonly: bool, durability: str) -> None:
    connection.isolation_level = None
    connection.create_function("contains_like", 2, _contains_like, deterministic=True)
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        f"synchronous={'FULL' if durability == 'full' else 'NORMAL'}",
        "foreign_keys=ON",
        "temp_store=MEMORY",
        "cache_size=-16000",
        "wal_autocheckpoint=0",
        *(("query_only=ON",) if readonly else ()),
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _drop_nul(_conn: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> tuple[str, Any]:
    """PostgreSQL's texts hold no NUL, which a client may send: it is dropped, on SQLite too (but for the hot paths)."""
    return statement, without_nul(parameters)


def without_nul(value: Any) -> Any:
    """The same parameters, copied only where a text in them holds a NUL."""
    kind = type(value)
    if kind is str:
        return value.replace("\0", "") if "\0" in value else value
    if kind is dict and any(type(item) is str and "\0" in item for item in value.values()):
        return {key: without_nul(item) for key, item in value.items()}
    if kind in (list, tuple):
        cleaned = kind(without_nul(item) for item in value)
        return cleaned if any(new is not old for new, old in zip(cleaned, value, strict=True)) else value
    return value


def _contains_like(text: str | None, pattern: str | None) -> bool | None:
    """ILIKE for SQLite, whose LIKE folds ASCII only."""
    if text is None or pattern is None:
        return None
    return like_matches(text, pattern)


def like_matches(text: str, pattern: str) -> bool:
    """Whether `text` matches a LIKE pattern (`%` any run, `_` one character, backslash escapes), ignoring case everywhere."""
    return _like(pattern).fullmatch(text.casefold()) is not None


@functools.lru_cache(maxsize=256)
def _like(pattern: str) -> re.Pattern[str]:
    out, escaped = [], False
    for char in pattern.casefold():
        if escaped:
            out.append(re.escape(char))
            escaped = False
        elif char == "\\":
            escaped = True
        else:
            out.append({"%": ".*", "_": "."}.get(char) or re.escape(char))
    return re.compile("".join(out), re.S)


def begin(connection: sa.Connection, mode: Literal["read", "write"]) -> None:
    """Open a transaction: one consistent view for reading, the write lock at once for writing."""
    if connection.dialect.name == "sqlite":
        command(connection, "BEGIN IMMEDIATE" if mode == "write" else "BEGIN")
    else:
        command(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if mode == "read" else "BEGIN")


def never_wait(connection: sa.Connection) -> None:
    """SQLite: locks of other processes are told at once from now on; see `begin_at_once`."""
    command(connection, "PRAGMA busy_timeout=0")


def begin_at_once(connection: sa.Connection) -> bool:
    """Open a transaction for writing on a connection that never waits; False while another process holds the lock."""
    try:
        begin(connection, "write")
    except sa.exc.OperationalError as error:
        if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            return False
        raise
    return True


def command(connection: sa.Connection, text: str) -> None:
    """Run a command without parameters or rows, as `execute` does."""
    driver: Any = connection.connection.dbapi_connection
    try:
        driver.execute(text)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _as_sqlalchemy(connection, text, None, error) from error


def execute(connection: sa.Connection, text: str, values: Any) -> Any:
    """A cursor after running `text` through the driver: a tenth of what SQLAlchemy costs, with the errors that it would raise."""
    cursor = _cursor(connection)
    if connection.dialect.name != "sqlite":
        values = without_nul(values)
    try:
        cursor.execute(text, values)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _as_sqlalchemy(connection, text, values, error) from error
    return cursor


def execute_many(connection: sa.Connection, text: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """The same for a change with many sets of values."""
    cursor = _cursor(connection)
    if connection.dialect.name != "sqlite":
        rows = without_nul(rows)
    try:
        cursor.executemany(text, rows)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _as_sqlalchemy(connection, text, rows, error) from error


def _cursor(connection: sa.Connection) -> Any:
    driver = connection.connection.dbapi_connection
    assert driver is not None
    return driver.cursor()


def _as_sqlalchemy(connection: sa.Connection, text: str, values: Any, error: Any) -> Exception:
    """The error that SQLAlchemy would raise; a connection that is lost is not used again."""
    kind = connection.dialect
    if kind.is_disconnect(error, connection.connection.dbapi_connection, None):
        connection.invalidate(error)
    raised: Exception = sa.exc.DBAPIError.instance(text, values, error, kind.loaded_dbapi.Error, dialect=kind)
    return raised


def locks_rows(connection: sa.Connection) -> bool:
    """Whether rows must be locked one by one: SQLite has one writer at a time, and a query that only locks is for nothing."""
    return connection.dialect.name != "sqlite"


def take_turns(connection: sa.Connection, name: str) -> None:
    """Hold a name until the commit, so that what is numbered under it also commits in the order of its numbers.

    SQLite has one writer, whose transactions come one after another anyway.
    """
    if locks_rows(connection):
        execute(connection, "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (name,))


def insert_ignore(connection: sa.Connection, table: sa.Table) -> Any:
    """`INSERT ... ON CONFLICT DO NOTHING`."""
    return _insert(connection, table).on_conflict_do_nothing()


def upsert(connection: sa.Connection, table: sa.Table, values: dict[str, Any], keys: list[str]) -> Any:
    """Insert, or where the keys are taken update the other columns."""
    statement = _insert(connection, table).values(**values)
    rest = {name: statement.excluded[name] for name in values if name not in keys}
    if not rest:
        return statement.on_conflict_do_nothing(index_elements=keys)
    return statement.on_conflict_do_update(index_elements=keys, set_=rest)


def _insert(connection: sa.Connection, table: sa.Table) -> Any:
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # slow to import, and not needed on SQLite

    return postgresql.insert(table)


def _jsonb(text: Any) -> sa.Cast[Any]:
    """PostgreSQL: a JSON text parsed."""
    from sqlalchemy.dialects.postgresql import JSONB

    return sa.cast(text, JSONB)


def lock(connection: sa.Connection, statement: sa.Select[Any], of: sa.Table | None = None) -> sa.Select[Any]:
    """The same query holding its rows (of a join: those of one table) until commit; SQLite has one writer and needs nothing."""
    return statement if connection.dialect.name == "sqlite" else statement.with_for_update(of=of)


def ilike(connection: sa.Connection, column: Any, pattern: str) -> sa.ColumnElement[bool]:
    """Case-insensitive LIKE in every alphabet, `%` and `_` being wildcards."""
    if connection.dialect.name == "sqlite":
        return sa.func.contains_like(column, pattern, type_=sa.Boolean) == sa.true()
    return sa.cast(column, sa.Text).collate(_ANY_ALPHABET).ilike(pattern)


def json_text(connection: sa.Connection, column: Any, *path: str) -> sa.ColumnElement[Any]:
    """The member of a JSON text column as text (numbers as their digits), NULL when absent."""
    if connection.dialect.name == "sqlite":
        return sa.func.json_extract(column, "$" + "".join('."' + part.replace('"', '\\"') + '"' for part in path))
    return sa.func.jsonb_extract_path_text(_jsonb(column), *path)


def json_is_text(connection: sa.Connection, column: Any, *path: str) -> sa.ColumnElement[bool]:
    """Whether the member of a JSON text column is a text."""
    if connection.dialect.name == "sqlite":
        return sa.func.json_type(column, "$" + "".join('."' + part.replace('"', '\\"') + '"' for part in path)) == "text"
    return sa.func.jsonb_typeof(sa.func.jsonb_extract_path(_jsonb(column), *path)) == "string"


def json_has_text(connection: sa.Connection, column: Any, text: str) -> sa.ColumnElement[bool]:
    """Whether a JSON text column is a list with this text in it; rows that cannot have it are told without parsing."""
    encoded = json.dumps(text)
    if connection.dialect.name == "sqlite":
        members = sa.func.json_each(column).table_valued("value")
        found = sa.exists(sa.select(sa.literal(1)).select_from(members).where(members.c.value == text))
        return sa.and_(sa.func.instr(column, encoded) > 0, found)
    return sa.and_(sa.func.strpos(column, encoded) > 0, _jsonb(column).has_key(text))


def table_of(connection: sa.Connection, columns: Mapping[str, Any], rows: Sequence[Sequence[Any]]) -> sa.Select[Any]:
    """Given rows (name -> type of each column) as a query; they travel as one JSON text, however many they are."""
    text = sa.literal(json.dumps(rows), sa.Text)
    members: list[Any]
    if connection.dialect.name == "sqlite":
        given = sa.func.json_each(text).table_valued("value")
        members = [sa.func.json_extract(given.c.value, f"$[{place}]") for place in range(len(columns))]
    else:
        given = sa.func.jsonb_array_elements(_jsonb(text)).table_valued("value")
        row = _jsonb(given.c.value)
        members = [row.op("->>")(place) for place in range(len(columns))]
    typed = [sa.cast(member, kind).label(name) for member, (name, kind) in zip(members, columns.items(), strict=True)]
    return sa.select(*typed).select_from(given)


def failure_of(error: Exception) -> Failure | None:
    """What a driver's error means to a caller; None when it is our own mistake."""
    if isinstance(error, sa.exc.IntegrityError):
        return Exists("that name or id is taken")
    text = str(getattr(error, "orig", error)).lower()
    if "disk is full" in text or "disk i/o error" in text or "no space left" in text or "disk full" in text:
        return Busy("no space left where the data is kept; nothing was stored")
    if "database is locked" in text or "too many connections" in text or "connection refused" in text:
        return Busy("the database is busy; try again")
    if "malformed" in text:
        return Broken("the database file is damaged")
    return None


def retryable(error: Exception) -> bool:
    """Whether the same transaction may succeed when it is run again (PostgreSQL: serialization failure, deadlock)."""
    return getattr(getattr(error, "orig", None), "sqlstate", "") in ("40001", "40P01")
