"""How long a server that was killed needs until an experiment of 10,000 trials goes on.

The experiment is grown through the engine, without processes; then a real server is started on it, killed with SIGKILL, and
started again.
"""

import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from bench.run import PASSWORD, Server, keep_bytecode
from scripts.server import running
from tests.engine.helpers import World
from tests.recovery.support import free_port
from undeterred.base.clock import SystemClock
from undeterred.engine.reports import store_batch
from undeterred.store import runs
from undeterred.store.database import Database
from undeterred.store.reports import Report

AT_ONCE = 16
CONFIG = """
name: many
entrypoint: "true"
searcher: {name: adaptive_asha, metric: loss, smaller_is_better: true, time_metric: epochs, max_time: 16, max_trials: %d,
  max_concurrent_trials: %d}
hyperparameters:
  learning_rate: {type: log, base: 10, minval: -5, maxval: -1}
  hidden: {type: int, minval: 8, maxval: 512}
  dropout: {type: double, minval: 0, maxval: 0.9}
"""
FLAGS = ("--no-agent", "--initial-password", PASSWORD)


def grow(data_dir: Path, trials: int, port: int) -> int:
    """A data folder whose experiment has run all but the last of its trials; the id of one that runs on."""
    data_dir.mkdir(parents=True)
    config = data_dir.with_suffix(".yaml")
    config.write_text("launch_error: false\n")
    with running(data_dir, *FLAGS, "--config", str(config), port=port) as url:
        body = {"config": CONFIG % (trials, AT_ONCE), "activate": True}
        experiment = Server(url).call("POST", "/api/v1/experiments", body)["experiment"]["id"]
    db = Database(f"sqlite:///{data_dir}/undeterred.db", SystemClock())
    world = World(db)
    done = 0
    while done < trials - AT_ONCE:
        for allocation in world.open():
            world.start(allocation.id)
            _train(world, allocation.id, run_of(world, allocation.task_id), done)
            done += 1
    last = world.open()[0]
    world.start(last.id)
    run = run_of(world, last.task_id)
    db.close()
    print(f"experiment {experiment} has {done:,} ended trials", flush=True)
    return int(run.id)


def run_of(world: World, task_id: str) -> Any:
    """The run that a task is for."""
    return world.db.read_now(lambda tx: runs.get(tx, runs.of_task(tx, task_id) or 0))


def _train(world: World, allocation_id: str, run: Any, number: int) -> None:
    """Report until the search stops the trial or it is at its end, and leave."""
    for epochs in (1, 4, 16):
        metrics = {"loss": number * 7919 % 10_007 / epochs, "epochs": epochs}
        world.do(store_batch, [Report(run.id, run.run_number, "validation", epochs, None, metrics)])
        if any(one.id == allocation_id and one.preempt_at is not None for one in world.open()):
            world.acknowledge(allocation_id)
            break
    world.exit(allocation_id)


def seconds_back(data_dir: Path, port: int, report_for: int | None) -> tuple[float, float]:
    """Seconds from a start to the first answer, and of a validation until the search has heard it; the server is then killed."""
    command = [sys.executable, "-m", "undeterred", "up", "--port", str(port), "--data-dir", str(data_dir), *FLAGS]
    begun = time.monotonic()
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout is not None
    url = next(line.split()[1] for line in server.stdout if line.startswith("Ready: "))
    urllib.request.urlopen(f"{url}/api/v1/master", timeout=5).read()
    first = time.monotonic() - begun
    client = Server(url)
    asked = time.monotonic()
    if report_for is not None:
        inner = {"trialRunId": 1, "stepsCompleted": 99, "metrics": {"avgMetrics": {"loss": 1.0, "epochs": 1}}}
        client.call("POST", f"/api/v1/trials/{report_for}/metrics", {"group": "validation", "metrics": inner})
    heard = time.monotonic() - asked
    server.send_signal(signal.SIGKILL)
    server.wait()
    return first, heard


def measured(trials: int) -> str:
    """A row of the table of bench/SEARCH.md."""
    keep_bytecode()
    with tempfile.TemporaryDirectory() as folder:
        many, none, port = Path(folder) / "many", Path(folder) / "none", free_port()
        trial = grow(many, trials, port)
        for place in (many, none):
            seconds_back(place, port, None)  # the death that is recovered from
        (first, heard), (bare, _) = seconds_back(many, port, trial), seconds_back(none, port, None)
    return (
        f"| a server killed with an experiment of {trials:,} trials, until its search has heard a report, beyond the start of an "
        f"empty one | {first - bare + heard:.2f} s (first answer {first:.2f}, empty {bare:.2f}, report {heard:.2f}) | 1 |"
    )


if __name__ == "__main__":
    print(measured(int(sys.argv[1])))
