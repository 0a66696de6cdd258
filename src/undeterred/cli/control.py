"""`undeterred status` and `undeterred down`: speak to the server of a data folder through its record and signals."""

import argparse
import json
import os
import signal
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from undeterred.base.errors import Busy
from undeterred.cli import datadir

STOP_SECONDS = 30.0


def status(arguments: argparse.Namespace) -> int:
    """Print what runs; 0 when a server answers, 3 when none runs (as service managers expect)."""
    folder = datadir.locate(arguments.data_dir)
    record = datadir.read_record(folder)
    if record is None or not datadir.held(folder):
        print(f"No server runs on {folder}")
        return 3
    try:
        with urllib.request.urlopen(f"{record['url']}/info", timeout=5, context=_trust(record)) as answer:  # noqa: S310
            info = json.load(answer)
    except (OSError, ValueError, urllib.error.URLError) as error:
        print(f"The server with process id {record['pid']} holds {folder} and does not answer at {record['url']}: {error}")
        return 1
    print(f"Running at {record['url']} (process {record['pid']}, cluster {info['cluster_id']}, data folder {folder})")
    return 0


def down(arguments: argparse.Namespace) -> int:
    """Stop the server; 0 when it has gone or none was there."""
    folder = datadir.locate(arguments.data_dir)
    record = datadir.read_record(folder)
    if record is None or not datadir.held(folder):
        print(f"No server runs on {folder}")
        return 0
    flag = folder / "end-tasks"
    if arguments.tasks:
        flag.write_text("")
    os.kill(int(record["pid"]), signal.SIGTERM)
    _wait_until_free(folder, int(record["pid"]))
    print(datadir.stopped_line(int((datadir.read_record(folder) or {}).get("tasks", 0))))
    return 0


def _trust(record: dict[str, Any]) -> ssl.SSLContext | None:
    """The server's own certificate, whatever its name: it is asked at the address of this machine."""
    if not record.get("cert"):
        return None
    context = ssl.create_default_context(cafile=str(record["cert"]))
    context.check_hostname = False
    return context


def _wait_until_free(folder: Path, pid: int) -> None:
    end = time.monotonic() + STOP_SECONDS
    while datadir.held(folder):
        if time.monotonic() > end:
            raise Busy(f"the server with process id {pid} has not stopped within {STOP_SECONDS:.0f} s")
        time.sleep(0.05)
