"""`undeterred up`: settings, data folder, socket, server. Prints one line for each thing a person must know."""

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from undeterred.base import tls
from undeterred.base.errors import Busy, Invalid
from undeterred.base.load import load
from undeterred.base.settings import Secret, Settings
from undeterred.cli import datadir

if TYPE_CHECKING:
    import uvicorn

    from undeterred.app import App

BACKLOG = 2048


def up(arguments: argparse.Namespace) -> int:
    """Start the server and stay until it is told to stop."""
    gc.disable()  # until all is built: what the imports make stays, and looking through it takes a tenth of the start
    settings = read_settings(arguments)
    folder = datadir.locate(settings.undeterred.data_dir or None)
    sock = bind(settings.undeterred.host, settings.port)
    from undeterred.app import check  # slow to import: a port in use is told before

    check(settings)
    datadir.prepare(folder)
    lock = datadir.Lock(folder)
    configure_logging(settings)
    try:
        return run(settings, folder, sock)
    finally:
        lock.release()


def read_settings(arguments: argparse.Namespace) -> Settings:
    """Settings from `--config`, the environment and the flags."""
    text = None
    if arguments.config:
        try:
            text = Path(arguments.config).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Invalid(f"--config {arguments.config}: {getattr(error, 'strerror', None) or error}") from None
    password = arguments.initial_password
    flags: dict[str, Any] = {
        "undeterred.host": arguments.host,
        "port": arguments.port,
        "undeterred.data_dir": arguments.data_dir,
        "db_url": arguments.db,
        "undeterred.slots": arguments.slots,
        "undeterred.agent": False if arguments.no_agent else None,
        "undeterred.adopt_lost": True if arguments.adopt_lost else None,
        "security.initial_user_password": None if password is None else Secret(password),
    }
    return load(text, os.environ, flags, lambda source: yaml.load(source, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))  # noqa: S506


def bind(host: str, port: int) -> socket.socket:
    """A bound socket that does not listen yet; raises Busy or Invalid with one clear line."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, or asyncio leaves connections waiting for ACKs
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except (OSError, OverflowError) as error:
        sock.close()
        if isinstance(error, OSError) and "in use" in (error.strerror or ""):
            raise _taken(host, port) from None
        raise Invalid(f"cannot listen on {host}:{port}: {getattr(error, 'strerror', None) or error}") from None
    return sock


def _taken(host: str, port: int) -> Busy:
    return Busy(f"port {port} on {host} is in use by another program; choose one with --port")


def configure_logging(settings: Settings) -> None:
    """Structured lines on standard error; characters that it cannot show are escaped."""
    level = {"trace": "DEBUG", "warn": "WARNING", "fatal": "CRITICAL"}.get(settings.log.level, settings.log.level.upper())
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr, force=True)


def run(settings: Settings, folder: Path, sock: socket.socket) -> int:
    """Build, serve, stop."""
    from undeterred.app import App

    host, port = sock.getsockname()[:2]
    app = App(settings, folder, port)
    scheme = "https" if settings.security.tls.cert else "http"
    url = f"{scheme}://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"  # noqa: S104
    _announce(app, settings, folder, url)
    with asyncio.Runner(loop_factory=_loop) as runner:
        return runner.run(_serve(app, folder, sock, url))


def _loop() -> asyncio.AbstractEventLoop:
    """The quickest loop that there is: half of what a short request costs is its loop's work."""
    try:
        from uvloop import new_event_loop
    except ImportError:  # no build of it for this system
        return asyncio.new_event_loop()
    return new_event_loop()


def _announce(app: "App", settings: Settings, folder: Path, url: str) -> None:
    opened = app.opened
    if opened.generated_password is not None:
        print(f"First start: the password of the users admin and determined is {opened.generated_password}")
        print("It is shown only now; change it with: det user change-password")
    elif not opened.fresh and settings.security.initial_user_password is not None:
        print("The initial password is ignored: users exist already")
    print(f"Data folder {folder}")
    if app.db.is_sqlite and (warning := datadir.warn_of_network(folder)) is not None:
        print(warning)
    print(f"Undeterred is starting at {url}", flush=True)


async def _serve(app: "App", folder: Path, sock: socket.socket, url: str) -> int:
    import uvicorn

    sys.setswitchinterval(0.0005)  # a busy worker thread must not make the event loop wait for 5 ms
    gc.collect()
    gc.freeze()  # what is there now stays; and with many live trials a full collection takes a third of a second
    gc.set_threshold(20_000, 20, 20)
    gc.enable()
    certificate = tls.read(app.settings.security.tls)
    await app.start()
    config = uvicorn.Config(
        app.asgi,
        log_config=None,
        access_log=False,
        http="httptools",
        lifespan="off",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
        h11_max_incomplete_event_size=64 * 1024,
        server_header=False,
        ws=app.asgi.upgrades,  # type: ignore[arg-type]
        ssl_certfile=certificate.cert if certificate else None,
        ssl_keyfile=certificate.key if certificate else None,
    )
    server = uvicorn.Server(config)
    config.load()
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _stop, server)
    try:
        sock.listen(BACKLOG)
    except OSError:  # another program that had bound it at the same time was quicker
        await app.stop()
        raise _taken(*sock.getsockname()[:2]) from None
    datadir.write_record(folder, pid=os.getpid(), url=url, cert=certificate.cert if certificate else "")
    print(f"Ready: {url}  (playground: {url}/docs/rest-api/)", flush=True)
    with contextlib.suppress(asyncio.CancelledError):
        await server.serve(sockets=[sock])
    left = await app.stop()
    datadir.write_record(folder, pid=os.getpid(), url=url, tasks=left)
    print(datadir.stopped_line(left))
    return 0


def _stop(server: "uvicorn.Server") -> None:
    server.force_exit = server.should_exit
    server.should_exit = True
