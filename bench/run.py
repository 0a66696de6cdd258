"""`make bench`: the running server under load beside the bare ceiling, written to bench/RESULTS.md.

    python bench/run.py [--seconds N] [--only NAME] [--dry]

Everything is measured in one run on one machine: read the ratios, not the rates.
"""

import argparse
import asyncio
import datetime
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from bench.load import Load, Result, alternate, request, run  # noqa: E402 (after the path)
from scripts.server import running  # noqa: E402

PASSWORD = "bench"
CONFIG = "{name: bench %d, searcher: {name: single, metric: loss}, hyperparameters: {lr: 0.1, layers: 4}, labels: [bench]}"
ORIGINAL_REPORTS = 208.4
"""Reports of 10 metrics a second that the original takes from 8 clients (its own machine of the same size)."""
STARTS = 11
ORIGINAL_LIST_MS = 31.7
"""Milliseconds of the original for 20 of 202 experiments, sorted by id."""


class Server:
    """A server with data in it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.token = ""
        self.token = self.call("POST", "/api/v1/auth/login", {"username": "admin", "password": PASSWORD})["token"]

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One call."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data, headers, method=method), timeout=60) as answer:
            return json.load(answer)

    def seed(self, experiments: int) -> list[int]:
        """Unmanaged experiments with one running trial each; ids of the trials."""
        trials = []
        for number in range(experiments):
            made = self.call("POST", "/api/v1/experiments", {"config": CONFIG % number, "unmanaged": True})["experiment"]["id"]
            trial = self.call("POST", "/api/v1/trials", {"experimentId": made, "unmanaged": True})["trial"]["id"]
            self.call("POST", f"/api/v1/trials/{trial}/start", {"resume": True})
            trials.append(trial)
        return trials


def report_body(steps: int) -> bytes:
    """A report of 10 metrics as the harness sends it."""
    metrics = {f"metric_{n}": steps * 0.001 + n for n in range(10)}
    inner = {
        "trialRunId": 1,
        "stepsCompleted": steps,
        "reportTime": None,
        "metrics": {"avgMetrics": metrics, "batchMetrics": None},
    }
    return json.dumps({"group": "training", "metrics": inner}).encode()


async def measure(server: Server, trials: list[int], ceiling: str, seconds: float) -> list[Result]:
    """All loads, one after another; reports and the ceilings by turns, since their ratio is what counts."""
    results = []
    for connections in (1, 8, 32):
        body = report_body(1)
        empty = request(ceiling, "POST", "/empty", body)
        insert = request(ceiling, "POST", "/insert", body)

        def report(connection: int, number: int, base: int = connections) -> bytes:
            steps = base * 1_000_000 + number + 1
            path = f"/api/v1/trials/{trials[connection]}/metrics"
            return request(server.url, "POST", path, report_body(steps), server.token)

        loads = [
            Load("ceiling: empty handler", ceiling, lambda _c, _n: empty),  # noqa: B023 (used up before the next turn)
            Load("ceiling: one durable insert", ceiling, lambda _c, _n: insert),  # noqa: B023 (likewise)
            Load("metric reports of 10 values", server.url, report),
        ]
        results += await alternate(loads, connections, 2 * seconds)
    task = server.call("GET", f"/api/v1/trials/{trials[0]}")["trial"]["taskId"]
    lines = [
        {"taskId": task, "log": f"line {n}\n", "timestamp": "2026-01-01T00:00:00Z", "level": "LOG_LEVEL_INFO"} for n in range(500)
    ]
    logs = request(server.url, "POST", "/api/v1/task/logs", json.dumps({"logs": lines}).encode(), server.token)
    results.append(await run("log lines, 500 a request", server.url, lambda _c, _n: logs, 1, seconds))
    results.append(await run("log lines, 500 a request", server.url, lambda _c, _n: logs, 8, seconds))
    reads = {
        "list of experiments, 20 of 200": "/api/v1/experiments?limit=20&sortBy=SORT_BY_ID&orderBy=ORDER_BY_DESC",
        "one experiment": "/api/v1/experiments/1",
        "one trial": f"/api/v1/trials/{trials[0]}",
        "master": "/api/v1/master",
        "last page of a log, 100 lines": f"/api/v1/tasks/{task}/logs?limit=100&orderBy=ORDER_BY_DESC",
    }
    for name, path in reads.items():
        read = request(server.url, "GET", path, b"", server.token)
        results.append(await run(name, server.url, lambda _c, _n: read, 1, seconds))  # noqa: B023
    first = request(server.url, "POST", "/api/v1/auth/logout", b"", "")
    last = request(server.url, "GET", "/api/v1/workspaces/1/tensorboards-none", b"", server.token)
    results.append(await run("route: login refused (first area)", server.url, lambda _c, _n: first, 1, seconds))
    results.append(await run("route: unknown path (whole tree)", server.url, lambda _c, _n: last, 1, seconds))
    return results


def start_ceiling(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """The bare server on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "bench.ceiling", str(port), str(folder / "ceiling.db")], cwd=ROOT)
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process, f"http://127.0.0.1:{port}"
        time.sleep(0.1)
    raise SystemExit("the bare server did not start")


def keep_bytecode() -> None:
    """Servers started from now on compile their modules once, as on any machine, and not at every start."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def start_up_seconds(folder: Path) -> list[float]:
    """Time from the command to the first answer, warm starts on a seeded data folder, in order."""
    keep_bytecode()
    with running(folder, "--no-agent", "--initial-password", PASSWORD):
        pass
    times = []
    for _ in range(STARTS):
        started = time.monotonic()
        with running(folder, "--no-agent", "--initial-password", PASSWORD) as url:
            urllib.request.urlopen(f"{url}/api/v1/master", timeout=5).read()
            times.append(time.monotonic() - started)
    return sorted(times)


def rate(results: list[Result], name: str, connections: int) -> float:
    """The rate of one load."""
    return next(r.rate for r in results if r.name == name and r.connections == connections)


def text(results: list[Result], starts: list[float], seconds: float) -> str:
    """The page."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    reports, insert = rate(results, "metric reports of 10 values", 8), rate(results, "ceiling: one durable insert", 8)
    listed = next(r for r in results if r.name.startswith("list of experiments"))
    lines = [
        "# Measurements",
        "",
        "Written by `make bench`. Generator, server and ceiling share the machine by turns: read ratios of one run, not rates.",
        "",
        f"- {datetime.date.today().isoformat()}, commit {commit}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, {seconds:g} s a load",
        f"- metric reports from 8 clients: {reports:,.0f}/s, {reports / insert:.0%} of the ceiling with one durable insert "
        f"({insert:,.0f}/s; target 50 %), {reports / ORIGINAL_REPORTS:.1f} times the original's "
        f"{ORIGINAL_REPORTS:.0f}/s (target 5)",
        f"- list of 20 of 200 experiments: {listed.p50:.1f} ms, {listed.p50 / ORIGINAL_LIST_MS:.0%} of the original's "
        f"{ORIGINAL_LIST_MS} ms (target 20 %)",
        f"- warm start to the first answer, least / median / most of {len(starts)}: "
        f"{starts[0]:.2f} / {statistics.median(starts):.2f} / {starts[-1]:.2f} s (target 1.0)",
        "",
        "| load | connections | answers/s | p50 ms | p95 ms | errors |",
        "|---|---|---|---|---|---|",
    ]
    lines += [f"| {r.name} | {r.connections} | {r.rate:,.0f} | {r.p50:.2f} | {r.p95:.2f} | {r.errors} |" for r in results]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--dry", action="store_true", help="print instead of writing bench/RESULTS.md")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ceiling, ceiling_url = start_ceiling(folder)
        try:
            with running(folder / "data", "--no-agent", "--initial-password", PASSWORD) as url:
                server = Server(url)
                trials = server.seed(200)
                results = asyncio.run(measure(server, trials, ceiling_url, arguments.seconds))
            page = text(results, start_up_seconds(folder / "data"), arguments.seconds)
        finally:
            ceiling.terminate()
            ceiling.wait()
    print(page)
    if not arguments.dry:
        (ROOT / "bench" / "RESULTS.md").write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
