"""Runs the real search of examples/digits_asha through `det` on a fresh server, and writes what came of it into docs/search.md.

    python scripts/search_report.py

The table and the sums stand between two marks in the page; the plot is docs/images/digits_asha.svg, made from the same data.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
from scripts.server import running

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "search.md"
PLOT = ROOT / "docs" / "images" / "digits_asha.svg"
BEGIN, END = "<!-- digits_asha: written by scripts/search_report.py -->\n", "<!-- end of digits_asha -->\n"
PASSWORD = "Determined1"
RUNGS, BUDGET = (1, 4, 16), 16


@dataclass(frozen=True)
class Course:
    """How a trial went: its validation loss after each epoch, and whether the search stopped it before the last rung."""

    number: int
    hparams: dict[str, Any]
    losses: list[float]
    accuracies: list[float]
    stopped_at: int
    """The rung (in epochs) at which it was told to stop."""
    decided: str

    @property
    def epochs(self) -> int:
        """Epochs that it trained."""
        return len(self.losses)


class Server:
    """Calls to the server as admin."""

    def __init__(self, url: str) -> None:
        self.url, self.token = url, ""
        self.token = self.call("POST", "/api/v1/auth/login", {"username": "admin", "password": PASSWORD})[0]["token"]

    def call(self, method: str, path: str, body: Any = None) -> list[Any]:
        """The lines of an answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Authorization": f"Bearer {self.token}"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return [json.loads(line) for line in answer]


def search(server: Server, home: Path) -> tuple[int, float]:
    """Submit and wait; the experiment's id and the seconds it took."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DET_")}
    environment |= {"DET_MASTER": server.url, "DET_USER": "admin", "DET_PASS": PASSWORD, "HOME": str(home)}
    command = [str(Path(sys.executable).parent / "det"), "experiment", "create"]
    command += [str(ROOT / "examples" / "digits_asha" / "config.yaml"), str(ROOT / "examples" / "digits_core")]
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120).stdout
    experiment, begun = int(printed.split("Created experiment ")[1].split()[0]), time.monotonic()
    while True:
        state = server.call("GET", f"/api/v1/experiments/{experiment}")[0]["experiment"]["state"]
        if state in ("STATE_COMPLETED", "STATE_ERROR", "STATE_CANCELED"):
            print(f"experiment {experiment}: {state}")
            return experiment, time.monotonic() - begun
        time.sleep(2)


def courses(server: Server, experiment: int) -> list[Course]:
    """Every trial with its reports and what the replay says of its end."""
    stops: dict[int, tuple[int, str]] = {}
    for line in server.call("GET", f"/api/undeterred/v1/experiments/{experiment}/search/replay"):
        step = line["result"]
        assert step["same"], step["difference"]
        for decision in step["decisions"]:
            if decision["kind"].endswith("STOP"):
                stops[decision["trialId"]] = (int(decision["facts"]["units"]), decision["reason"])
    found = []
    for trial in server.call("GET", f"/api/v1/experiments/{experiment}/trials?limit=-1&orderBy=ORDER_BY_ASC")[0]["trials"]:
        path = f"/api/v1/trials/metrics/validation_metrics?trialIds={trial['id']}"
        reports = [one for line in server.call("GET", path) for one in line["result"]["metrics"]]
        metrics = [one["metrics"]["validation_metrics"] for one in reports]
        rung, reason = stops.get(trial["id"], (BUDGET, "ended by itself"))
        losses, accuracies = [one["validation_loss"] for one in metrics], [one["accuracy"] for one in metrics]
        found.append(Course(trial["id"], trial["hparams"], losses, accuracies, rung, reason))
    return sorted(found, key=lambda one: min(one.losses, default=math.inf))


def table(found: list[Course], seconds: float) -> str:
    """The final table, best first, and what was spent."""
    rows = [
        f"| {one.number} | {one.hparams['learning_rate']:.5f} | {one.hparams['hidden']} | {one.hparams['batch_size']} "
        f"| {one.epochs} | {min(one.losses):.4f} | {max(one.accuracies):.3f} | {one.decided} |"
        for one in found
    ]
    spent, full = sum(one.epochs for one in found), len(found) * BUDGET
    head = ["| trial | learning rate | hidden | batch | epochs | best loss | best accuracy | why it ended |", "|---" * 8 + "|"]
    sums = (
        f"**{spent} of {full} epochs were spent**: {1 - spent / full:.0%} of the compute of {len(found)} full trainings "
        f"was saved. The whole search took {seconds:.0f} s on two slots."
    )
    return "\n".join([sums, "", "![Validation loss of every trial by epoch](images/digits_asha.svg)", "", *head, *rows, ""])


def plot(found: list[Course]) -> str:
    """The losses of all trials by epoch as an SVG, both axes logarithmic; those that reached the last rung are coloured."""
    width, height, left, top, right, bottom = 760, 420, 70, 44, 20, 52
    every = [loss for one in found for loss in one.losses]
    low, high = math.log10(min(every)) - 0.05, math.log10(max(every)) + 0.05

    def x(epoch: float) -> float:
        return left + (width - left - right) * math.log2(epoch) / math.log2(BUDGET)

    def y(loss: float) -> float:
        return top + (height - top - bottom) * (high - math.log10(loss)) / (high - low)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{left}" y="20" font-size="15" fill="#222222">adaptive_asha on digits: '
        f"{len(found)} trials, {sum(one.epochs for one in found)} of {len(found) * BUDGET} epochs</text>",
    ]
    for epoch in (1, 2, 4, 8, 16):
        rung = epoch in RUNGS
        line = 'stroke="#888888" stroke-dasharray="4 3"' if rung else 'stroke="#e4e4e4"'
        parts.append(f'<line x1="{x(epoch):.1f}" y1="{top}" x2="{x(epoch):.1f}" y2="{height - bottom}" {line}/>')
        label = f"{epoch}" + (f" (rung {RUNGS.index(epoch) + 1})" if rung else "")
        parts.append(f'<text x="{x(epoch):.1f}" y="{height - bottom + 18}" text-anchor="middle" fill="#444444">{label}</text>')
    for tick in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10):
        if low <= math.log10(tick) <= high:
            parts.append(f'<line x1="{left}" y1="{y(tick):.1f}" x2="{width - right}" y2="{y(tick):.1f}" stroke="#e4e4e4"/>')
            parts.append(f'<text x="{left - 8}" y="{y(tick) + 4:.1f}" text-anchor="end" fill="#444444">{tick:g}</text>')
    for one in reversed(found):
        kept = one.stopped_at == BUDGET
        colour, weight = ("#0b6e4f", 2.2) if kept else ("#b0413e", 1.1)
        points = " ".join(f"{x(epoch):.1f},{y(loss):.1f}" for epoch, loss in enumerate(one.losses, 1))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{weight}" opacity="0.8"/>')
        parts.append(f'<circle cx="{x(one.epochs):.1f}" cy="{y(one.losses[-1]):.1f}" r="3" fill="{colour}"/>')
    middle = (top + height - bottom) / 2
    parts += [
        f'<text x="{(left + width - right) / 2}" y="{height - 12}" text-anchor="middle" fill="#222222">epochs trained</text>',
        f'<text x="18" y="{middle}" text-anchor="middle" fill="#222222" transform="rotate(-90 18 {middle})">'
        "validation loss</text>",
        f'<text x="{width - right}" y="{top - 8}" text-anchor="end" fill="#444444">'
        '<tspan fill="#0b6e4f">reached the last rung</tspan>, <tspan fill="#b0413e">stopped before</tspan></text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def main() -> int:
    """Run, and write table and plot."""
    with tempfile.TemporaryDirectory() as temporary:
        data = Path(temporary) / "data"
        with running(data, "--initial-password", PASSWORD, "--slots", "2") as url:
            server = Server(url)
            experiment, seconds = search(server, Path(temporary))
            found = courses(server, experiment)
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + BEGIN + table(found, seconds) + END + after, encoding="utf-8")
    PLOT.write_text(plot(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
