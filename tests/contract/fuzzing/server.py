"""A server for fuzzing whose machines are pretended: tasks are placed and run, but no process is started for them.

    python -m tests.contract.fuzzing.server up --port 0 --data-dir DIR ...     flags as of `undeterred up`

On SIGUSR1 it makes user 1 an active administrator again and writes a new token of that user to `rescue` in its data folder,
so that nothing a fuzzer does can lock it out.
"""

import asyncio
import signal
from pathlib import Path

from tests.engine.fakes import FakeLauncher
from undeterred.app import App
from undeterred.base.ids import new_secret
from undeterred.base.settings import Settings
from undeterred.cli import datadir, up
from undeterred.cli.main import parser
from undeterred.engine.launchers import Launchers
from undeterred.store import sessions, users
from undeterred.store.database import Tx

RESCUE = "rescue"
SLOTS = (2, 2)


def make(settings: Settings, data_dir: Path, port: int | None = None) -> App:
    """A server with two pretended machines of two slots in the pool `default`."""
    return App(settings, data_dir, port, machines=Launchers({"default": FakeLauncher(SLOTS)}))


async def rescue(app: App) -> str:
    """A new token of user 1, who is an active administrator again."""
    token = new_secret()

    def work(tx: Tx) -> None:
        users.update(tx, 1, active=True, admin=True)
        sessions.create(tx, 1, token)

    await app.db.write(work)
    app.identities.forget()
    return token


async def _serve(app: App, data_dir: Path, port: int) -> None:
    sock = up.bind("127.0.0.1", port)
    waiting: set[asyncio.Task[None]] = set()

    async def write() -> None:
        part = data_dir / f"{RESCUE}.part"
        part.write_text(await rescue(app))
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
