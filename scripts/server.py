"""A server of one's own for a script: starts `undeterred up` on a free port, waits until it is ready, ends it."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def running(data_dir: Path, *flags: str, port: int = 0, log: Path | None = None, module: str = "undeterred") -> Iterator[str]:
    """The address of a fresh server; it is stopped at the end. `module` is what understands `up`."""
    command = [sys.executable, "-m", module, "up", "--port", str(port), "--data-dir", str(data_dir), *flags]
    errors = (log or data_dir.with_suffix(".log")).open("ab")
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        yield _wait_ready(server, Path(errors.name))
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        errors.close()


def _wait_ready(server: "subprocess.Popen[str]", log: Path) -> str:
    assert server.stdout is not None
    for line in server.stdout:
        if line.startswith("Ready: "):
            return line.split()[1]
    raise SystemExit(f"the server did not start (status {server.wait()}):\n{log.read_text()[-2000:]}")
