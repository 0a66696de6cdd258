"""`make demo`: from nothing to a trained model, through the unmodified `det` command.

Starts the server on `demo-data/`, submits `examples/digits_core`, follows its log, shows its metrics, and prints what to try
next. On a terminal the server stays until Ctrl-C; otherwise it stops by itself.
"""

import csv
import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
DATA = ROOT / "demo-data"
PASSWORD = "demo"
EXAMPLE = ROOT / "examples" / "digits_core"


class Progress:
    """One line that counts seconds while something takes longer than a blink."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> None:
        print(f"==> {self.text}", flush=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _tick(self) -> None:
        started = time.monotonic()
        while not self._done.wait(2):
            print(f"    ... {time.monotonic() - started:.0f} s", flush=True)


def main() -> int:
    """Run the demonstration; 0 when the experiment completed."""
    port = free_port(8080)
    command = [
        sys.executable,
        "-m",
        "undeterred",
        "up",
        "--port",
        str(port),
        "--data-dir",
        str(DATA),
        "--initial-password",
        PASSWORD,
    ]
    server = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=(ROOT / "demo.log").open("wb"), text=True, start_new_session=True
    )
    try:
        with Progress("Starting the server on SQLite in demo-data/"):
            url = wait_ready(server)
        if url is None:
            print((ROOT / "demo.log").read_text()[-2000:], file=sys.stderr)
            return 1
        print(f"    {url}", flush=True)
        status = train(url)
        show_next(url)
        if status == 0 and sys.stdin.isatty():
            wait_for_interrupt(server)
        return status
    finally:
        print("==> Stopping the server and its tasks", flush=True)
        subprocess.run([sys.executable, "-m", "undeterred", "down", "--data-dir", str(DATA), "--tasks"], check=False)
        server.wait()


def train(url: str) -> int:
    """Submit the example with `det`, follow its log, show the metrics."""
    environment = os.environ | {"DET_MASTER": url, "DET_USER": "determined", "DET_PASS": PASSWORD, "NO_COLOR": "1"}
    det = str(BIN / "det")
    print(f"==> det experiment create --follow {EXAMPLE.relative_to(ROOT)}/config.yaml {EXAMPLE.relative_to(ROOT)}", flush=True)
    started = time.monotonic()
    created = subprocess.run(
        [det, "experiment", "create", "--follow", str(EXAMPLE / "config.yaml"), str(EXAMPLE)], env=environment, check=False
    )
    if created.returncode:
        return created.returncode
    experiment = newest(det, environment, "experiment", "list")
    trial = newest(det, environment, "experiment", "list-trials", experiment["ID"])
    print(f"==> det trial describe {trial['Trial ID']} --metrics-summary", flush=True)
    subprocess.run([det, "trial", "describe", trial["Trial ID"], "--metrics-summary"], env=environment, check=False)
    seconds = time.monotonic() - started
    print(f"==> Trained in {seconds:.0f} s; experiment {experiment['ID']} is {experiment['State']}", flush=True)
    return 0 if experiment["State"] == "COMPLETED" else 1


def newest(det: str, environment: dict[str, str], *command: str) -> dict[str, str]:
    """The row with the highest id of a list that `det` prints as CSV."""
    printed = subprocess.run([det, *command, "--csv"], env=environment, check=True, capture_output=True, text=True).stdout
    rows = list(csv.DictReader(io.StringIO(printed)))
    return max(rows, key=lambda row: int(next(iter(row.values()))))


def show_next(url: str) -> None:
    """What a person can do now."""
    print(
        f"""
The server is at      {url}    (users admin and determined, password {PASSWORD})
Playground            {url}/docs/rest-api/

Try next, in another terminal:
    export DET_MASTER={url} DET_USER=determined DET_PASS={PASSWORD}
    {BIN}/det experiment list
    {BIN}/det experiment create -f examples/digits_search/config.yaml examples/digits_core
    {BIN}/python examples/unmanaged/track.py
    bash examples/rest_walkthrough.sh
""",
        flush=True,
    )


def wait_for_interrupt(server: "subprocess.Popen[str]") -> None:
    """Until Ctrl-C, or the server is gone."""
    print("The server stays up until Ctrl-C.", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    try:
        server.wait()
    except KeyboardInterrupt:
        print()


def wait_ready(server: "subprocess.Popen[str]") -> str | None:
    """The address that the server prints when it is ready; None when it ended instead."""
    assert server.stdout is not None
    url = next((line.split()[1] for line in server.stdout if line.startswith("Ready: ")), None)
    threading.Thread(target=server.stdout.read, daemon=True).start()
    return url


def free_port(preferred: int) -> int:
    """The preferred port, or any free one when it is taken."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    return preferred


if __name__ == "__main__":
    sys.exit(main())
