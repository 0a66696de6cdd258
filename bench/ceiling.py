"""The bare ceiling: what the same web server and database can do with next to no program between them.

    python -m bench.ceiling PORT DATABASE

`POST /empty` answers `{}`; `POST /insert` parses the body, stores it as one row through a writer thread that commits once for
all that wait, and answers after the commit. Nothing is checked, so no real server can reach these figures.
"""

import asyncio
import queue
import sqlite3
import sys
import threading
from typing import Any

import msgspec
import uvicorn


class Writer:
    """One thread, one commit for all that wait: the cheapest durable insert."""

    def __init__(self, file: str) -> None:
        self.jobs: queue.SimpleQueue[tuple[bytes, asyncio.Future[None]]] = queue.SimpleQueue()
        self.file = file
        threading.Thread(target=self.run, daemon=True).start()

    def run(self) -> None:
        """Collect, insert, commit, answer."""
        conn = sqlite3.connect(self.file, isolation_level=None)
        conn.execute("PRAGMA journal_mode=WAL")
        conn.execute("PRAGMA synchronous=NORMAL")
        conn.execute("CREATE TABLE IF NOT EXISTS reports (id INTEGER PRIMARY KEY, body BLOB)")
        while True:
            group = [self.jobs.get()]
            while not self.jobs.empty():
                group.append(self.jobs.get())
            conn.execute("BEGIN IMMEDIATE")
            conn.executemany("INSERT INTO reports (body) VALUES (?)", [(body,) for body, _ in group])
            conn.execute("COMMIT")
            group[0][1].get_loop().call_soon_threadsafe(_finish, [future for _, future in group])


def _finish(futures: "list[asyncio.Future[None]]") -> None:
    for future in futures:
        future.set_result(None)


def application(file: str) -> Any:
    """The ASGI application."""
    writer, decoder = Writer(file), msgspec.json.Decoder()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = (await receive()).get("body", b"")
        if scope["path"] == "/insert":
            decoder.decode(body)
            future = asyncio.get_running_loop().create_future()
            writer.jobs.put((body, future))
            await future
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})

    return app


if __name__ == "__main__":
    uvicorn.run(application(sys.argv[2]), port=int(sys.argv[1]), lifespan="off", log_level="warning", access_log=False)
