"""A PostgreSQL server of one's own for tests: Debian's package, in a folder that goes away with it, on a Unix socket.

    with running() as server:                  # raises Unavailable with the reason where it is not installed
        url = server.create("one")             # an empty database; server.create("two", template="one") copies it

PostgreSQL refuses to run as root; for root it runs as the system user `postgres` or `nobody`. A small shell waits beside it for
the end of this process, however that comes, then ends the server and removes the folder. Its texts sort by the rules of a
language, not by bytes, as where most people install it. Nothing here survives a crash of the machine: test data only.
"""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INSTALLED = Path("/usr/lib/postgresql")
USER = "undeterred"
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "64MB",
    "max_connections": "200",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",
}
GUARD = 'folder=$1; shift; "$@" <&- & server=$!; read -r _; kill -INT $server; wait $server; rm -rf "$folder"'
"""Runs a command until the end of its own input, then interrupts it (PostgreSQL ends at once) and removes the folder."""


class Unavailable(Exception):
    """PostgreSQL cannot be started here; the text says why."""


@dataclass(frozen=True)
class Postgres:
    """A running server."""

    folder: Path
    admin: Any
    """A connection to a database that nobody else uses."""

    def url(self, name: str) -> str:
        """How `undeterred up --db` names a database of this server."""
        return f"postgresql://{USER}@/{name}?host={self.folder}"

    def create(self, name: str, template: str = "template0") -> str:
        """Make a database as a copy of another that nobody uses at the moment; its URL."""
        how = " STRATEGY file_copy" if self.admin.info.server_version >= 150_000 else ""
        self.admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"{how}')
        return self.url(name)

    def drop(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        self.admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextlib.contextmanager
def running() -> Iterator[Postgres]:
    """A fresh server; ended, and its folder removed, at the end."""
    programs, account = _programs(), _account()
    caller: dict[str, Any] = {} if account is None else {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    folder = Path(tempfile.mkdtemp(prefix="undeterred-postgres-", dir=_roomy_memory()))
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
    _make(programs, folder, caller)
    command = [str(programs / "postgres"), "-D", f"{folder}/data", "-k", str(folder)]
    command += [f"--{name}={value}" for name, value in SETTINGS.items()]
    with (folder / "log").open("wb") as log:
        guard = subprocess.Popen(
            ["sh", "-c", GUARD, "sh", folder, *command], cwd="/", stdin=subprocess.PIPE, stdout=log, stderr=log, **caller
        )
    try:
        with _connect(folder) as admin:
            yield Postgres(folder, admin)
    finally:
        assert guard.stdin is not None
        guard.stdin.close()
        guard.wait()


def _roomy_memory() -> str | None:
    """A folder in memory with a GB to spare, where a database is copied five times as fast; None: the usual one."""
    memory = "/dev/shm"
    return memory if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 1 << 30 else None


def _make(programs: Path, folder: Path, caller: dict[str, Any]) -> None:
    command = [programs / "initdb", "-D", folder / "data", "-U", USER, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]
    if int(programs.parent.name) >= 15:
        command += ["--locale-provider=icu", "--icu-locale=en-US"]
    made = subprocess.run(command, cwd=folder, capture_output=True, text=True, **caller)
    if made.returncode:
        shutil.rmtree(folder)
        raise Unavailable(f"initdb failed: {made.stderr.strip()}")


def _connect(folder: Path) -> Any:
    import psycopg  # an extra

    for _ in range(300):
        with contextlib.suppress(psycopg.OperationalError):
            return psycopg.connect(host=str(folder), user=USER, dbname="postgres", autocommit=True)
        time.sleep(0.05)
    raise Unavailable(f"PostgreSQL does not answer: {(folder / 'log').read_text()[-2000:]}")


def _programs() -> Path:
    found = sorted(INSTALLED.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise Unavailable("PostgreSQL is not installed; on Debian: apt-get install postgresql")
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise Unavailable("psycopg is not installed: pip install 'undeterred[postgres]'") from None
    return found[-1].parent


def _account() -> pwd.struct_passwd | None:
    """The account that the server runs as, when the caller is root; None for any other caller."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise Unavailable("PostgreSQL does not run as root, and there is no user postgres or nobody")
