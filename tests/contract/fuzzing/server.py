"""A server for fuzzing whose machines are pretended: tasks are placed and run, but no process is started for them.

    python -m tests.contract.fuzzing.server up --port 0 --data-dir DIR ...     flags as of `undeterred up`

On SIGUSR1 it makes user 1 an active administrator again and writes new tokens to `rescue` in its data folder, so that nothing a
fuzzer does can lock it out.
"""

import asyncio
import contextlib
import json
import signal
from pathlib import Path

from tests.engine.fakes import FakeLauncher
from undeterred.app import App
from undeterred.base.errors import Exists
from undeterred.base.ids import new_secret
from undeterred.base.settings import Settings
from undeterred.cli import datadir, up
from undeterred.cli.main import parser
from undeterred.engine.launchers import Launchers
from undeterred.store import allocations, roles, sessions, users
from undeterred.store.database import Tx
from undeterred.store.schema.identity import groups

RESCUE = "rescue"
SLOTS = (2, 2)
CLUSTER_ADMIN, EDITOR = 1, 5


def make(settings: Settings, data_dir: Path, port: int | None = None) -> App:
    """A server with two pretended machines of two slots in the pool `default`."""
    return App(settings, data_dir, port, machines=Launchers({"default": FakeLauncher(SLOTS)}))


async def rescue(app: App) -> dict[str, str]:
    """New tokens: of user 1, who is an active administrator again, of user 2, an active member, and of a running task."""
    tokens = {"admin": new_secret(), "member": new_secret(), "task": new_secret()}

    def work(tx: Tx) -> None:
        users.update(tx, 1, active=True, admin=True)
        users.update(tx, 2, active=True, admin=False)
        for user, role in ((1, CLUSTER_ADMIN), (2, EDITOR)):
            (own,) = tx.rows(groups.select().where(groups.c.user_id == user))
            with contextlib.suppress(Exists):
                roles.assign(tx, [roles.Assignment(own.id, role, None)])
        sessions.create(tx, 1, tokens["admin"])
        sessions.create(tx, 2, tokens["member"])
        placed = allocations.in_states(tx, ("RUNNING",))
        if placed:
            name = placed[-1].id
            sessions.create(tx, 1, tokens["task"], kind="allocation", allocation_id=name)

    await app.db.write(work)
    app.identities.forget()
    return tokens


async def _serve(app: App, data_dir: Path, port: int) -> None:
    sock = up.bind("127.0.0.1", port)
    waiting: set[asyncio.Task[None]] = set()

    async def write() -> None:
        part = data_dir / f"{RESCUE}.part"
        part.write_text(json.dumps(await rescue(app)))
        part.rename(data_dir / RESCUE)

    def asked() -> None:
        task = asyncio.create_task(write())
        waiting.add(task)
        task.add_done_callback(waiting.discard)

    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, asked)
    await up._serve(app, data_dir, sock, f"http://127.0.0.1:{sock.getsockname()[1]}")


def main() -> None:
    """Serve until told to stop."""
    arguments = parser().parse_args()
    settings = up.read_settings(arguments)
    data_dir = Path(arguments.data_dir)
    datadir.prepare(data_dir)
    up.configure_logging(settings)
    asyncio.run(_serve(make(settings, data_dir), data_dir, arguments.port))


if __name__ == "__main__":
    main()
