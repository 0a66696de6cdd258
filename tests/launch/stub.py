"""As much of a server as the harness needs to run a trial; it keeps what it was told."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Stub:
    """A listening server on a free port."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, Any, dict[str, str]]] = []
        self.failures: list[int] = []
        """Statuses with which the next reports of metrics are answered, instead of 200."""
        self.preempt = threading.Event()
        stub = self

        class Handler(BaseHTTPRequestHandler):
            """One request."""

            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16  # header and body in one packet

            def _answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length) or "null")
                stub.calls.append((self.command, self.path, body, dict(self.headers)))
                status = stub.failures.pop(0) if self.path.endswith("/metrics") and stub.failures else 200
                text = json.dumps(stub.answer(self.path)).encode()
                with contextlib.suppress(ConnectionError):  # the script has gone
                    self._send(status, text)

            def _send(self, status: int, text: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

            def log_message(self, format: str, *args: Any) -> None:
                """Silence."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, path: str) -> dict[str, Any]:
        """Body for a path."""
        if path.endswith("/runs/start"):
            return {"storageId": 1}
        if "/signals/preemption" in path:
            end = time.monotonic() + (0 if "timeout_seconds=0" in path else 60)
            while not self.preempt.is_set() and time.monotonic() < end:
                time.sleep(0.02)
            return {"preempt": self.preempt.is_set()}
        return {}

    def bodies(self, end: str) -> list[Any]:
        """Bodies of the calls whose path ends with `end`."""
        return [body for _, path, body, _ in self.calls if path.split("?")[0].endswith(end)]

    @classmethod
    @contextmanager
    def running(cls) -> Iterator["Stub"]:
        """A stub that serves within this block."""
        stub = cls()
        thread = threading.Thread(target=stub._server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield stub
        finally:
            stub.preempt.set()
            stub._server.shutdown()
            stub._server.server_close()
            thread.join()
