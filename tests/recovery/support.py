"""A real server as a process of its own, which tests kill and start again on the same data folder."""

import base64
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

PASSWORD = "Determined1"


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Killed:
    """`undeterred up` on one data folder and one port; `kill9` and `start` as often as one likes."""

    def __init__(
        self, folder: Path, slots: int = 2, flags: Sequence[str] = (), environment: Mapping[str, str] | None = None
    ) -> None:
        self.data_dir = folder / "data"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.slots = slots
        self.flags = list(flags)
        self.environment = os.environ | (environment or {})
        self.log = folder / "server.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.token = ""

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "undeterred", "up", "--port", str(self.port), "--data-dir", str(self.data_dir)]
        command += ["--initial-password", PASSWORD, "--slots", str(self.slots), *self.flags]
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, env=self.environment, start_new_session=True)
        self.until(self._answers, "the server to answer", 60)
        if not self.token:
            self.token = self.api("POST", "auth/login", {"username": "admin", "password": PASSWORD})["token"]

    def kill9(self) -> None:
        """The server is gone from one instant to the next."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End it with its tasks; after a failed test there may be tasks without a server."""
        if self.process is None or self.process.poll() is not None:
            for pid in task_processes(self.data_dir):
                os.kill(pid, signal.SIGKILL)
            return
        down = [sys.executable, "-m", "undeterred", "down", "--data-dir", str(self.data_dir), "--tasks"]
        subprocess.run(down, check=False, timeout=60, stdout=subprocess.DEVNULL)
        self.process.wait(timeout=60)

    def api(self, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
        """One call, as admin unless another's token is given."""
        headers = {"Authorization": f"Bearer {token or self.token}"} if self.token else {}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/api/v1/{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}\n{self.tail()}") from None

    def submit(self, config: dict[str, Any], files: dict[str, str], token: str | None = None) -> int:
        """Submit and activate an experiment; its id."""
        context = [
            {"path": name, "type": 48, "content": base64.b64encode(text.encode()).decode(), "mode": 0o644, "mtime": "0"}
            for name, text in files.items()
        ]
        body = {"config": json.dumps(config), "modelDefinition": context, "activate": True}
        return int(self.api("POST", "experiments", body, token)["experiment"]["id"])

    def state(self, experiment_id: int) -> str:
        """The word shown for an experiment."""
        return str(self.api("GET", f"experiments/{experiment_id}")["experiment"]["state"]).removeprefix("STATE_")

    def until(self, good: Callable[[], Any], what: str, seconds: float = 60) -> Any:
        """Ask again until the answer is true."""
        end = time.monotonic() + seconds
        while not (found := good()):
            assert time.monotonic() < end, f"waited {seconds:.0f} s for {what}\n{self.tail()}\n{self.tasks()}"
            time.sleep(0.05)
        return found

    def rows(self, query: str, *values: Any) -> list[Any]:
        """Rows of the database, read beside the server."""
        with sqlite3.connect(f"file:{self.data_dir / 'undeterred.db'}?mode=ro", uri=True, timeout=30) as db:
            return list(db.execute(query, values))

    def tail(self) -> str:
        """The end of the server's own log."""
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""

    def tasks(self) -> str:
        """What is known of allocations, the ends of their logs and their processes, for the message of a failure."""
        columns = "id, state, exit_code, cause, log_offsets, handle IS NOT NULL, preempt_at, kill_at"
        found = [str(row) for row in self.rows(f"SELECT {columns} FROM allocations ORDER BY queued_at DESC LIMIT 10")]
        found += [row[0].rstrip()[:150] for row in self.rows("SELECT text FROM task_logs ORDER BY id DESC LIMIT 15")][::-1]
        for folder in sorted((self.data_dir / "runs").iterdir()):
            found.append(f"{folder.name}: {sorted(path.name for path in folder.iterdir())}")
        return "\n".join([*found, f"processes {task_processes(self.data_dir)}"])

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the server has ended: {self.tail()}"
        try:
            with urllib.request.urlopen(f"{self.url}/info", timeout=5):
                return True
        except OSError:
            return False


def task_processes(data_dir: Path) -> list[int]:
    """Pids of live processes that know this data folder, servers left out."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            folder = Path("/proc", name)
            state = folder.joinpath("stat").read_bytes().rsplit(b")", 1)[1].split()[0]
            environ = folder.joinpath("environ").read_bytes()
        except OSError:
            continue
        if str(data_dir).encode() in environ and state != b"Z":
            found.append(int(name))
    return found
