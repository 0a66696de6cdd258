"""Deaths below the server: of a task's supervisor, of the task itself; and ordinary stops of the server."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.recovery.support import Killed, task_processes
from undeterred.shim import processes
from undeterred.shim.record import write

pytestmark = pytest.mark.e2e

SCRIPT = """
import os, subprocess, sys, time
print("start of run", os.environ["DET_TRIAL_RUN_ID"], flush=True)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
if os.environ["DET_TRIAL_RUN_ID"] == "1":
    print("waiting", flush=True)
    time.sleep(600)
child.kill()
print("end of run", os.environ["DET_TRIAL_RUN_ID"], flush=True)
"""
CONFIG: dict[str, Any] = {
    "name": "processes",
    "entrypoint": "python3 train.py",
    "searcher": {"name": "single", "metric": "loss"},
    "max_restarts": 1,
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Killed]:
    """A server with two slots."""
    killed = Killed(tmp_path)
    killed.start()
    yield killed
    killed.stop()


def submit(server: Killed, script: str, slots: int) -> int:
    """Submit a script; the experiment's id."""
    return server.submit(CONFIG | {"resources": {"slots_per_trial": slots}}, {"train.py": script})


def waiting(server: Killed, slots: int = 1) -> int:
    """Submit the script and wait until its first run waits; the experiment's id."""
    experiment = submit(server, SCRIPT, slots)
    server.until(lambda: server.rows("SELECT 1 FROM task_logs WHERE text LIKE 'waiting%'"), "the first run", 60)
    return experiment


def record(server: Killed) -> dict[str, Any]:
    """The start record of the only live task."""
    (run_dir,) = (server.data_dir / "runs").iterdir()
    found: dict[str, Any] = json.loads((run_dir / "start.json").read_text())
    return found


def end(server: Killed, experiment: int) -> tuple[Any, ...]:
    """Wait for the end; state of the experiment, then restarts and run number of the trial."""
    server.until(lambda: server.state(experiment) in ("COMPLETED", "ERROR", "CANCELED"), "the end", 60)
    ((restarts, number),) = server.rows("SELECT restarts, run_number FROM runs")
    return server.state(experiment), restarts, number


def outputs(server: Killed) -> list[str]:
    """Everything that the trial's runs have printed."""
    query = "SELECT text FROM task_logs WHERE stdtype = 'stdout' AND text NOT LIKE '[%' ORDER BY id"
    return [row[0].strip() for row in server.rows(query)]


def test_a_killed_supervisor_takes_its_tree_with_it_and_costs_no_restart(server: Killed) -> None:
    """The log is complete, every process is gone, the trial runs again for nothing."""
    experiment = waiting(server)
    os.kill(record(server)["shim"]["pid"], signal.SIGKILL)
    assert end(server, experiment) == ("COMPLETED", 0, 2)
    assert outputs(server) == ["start of run 1", "waiting", "start of run 2", "end of run 2"]
    assert task_processes(server.data_dir) == []


def test_a_killed_task_is_a_failure_that_counts(server: Killed) -> None:
    """Exit code 137 and nothing of its tree is left."""
    experiment = waiting(server)
    os.kill(record(server)["task"]["pid"], signal.SIGKILL)
    assert end(server, experiment) == ("COMPLETED", 1, 2)
    assert server.rows("SELECT exit_code FROM allocations ORDER BY id") == [(137,), (0,)]
    assert task_processes(server.data_dir) == []


def test_both_die_while_the_server_is_away(server: Killed) -> None:
    """Found at the next start, as if it had watched."""
    experiment = waiting(server)
    started = record(server)
    server.kill9()
    os.kill(started["shim"]["pid"], signal.SIGKILL)
    server.start()
    assert end(server, experiment) == ("COMPLETED", 0, 2)
    assert task_processes(server.data_dir) == []


def test_after_a_restart_of_the_machine_all_goes_on_in_its_order(server: Killed) -> None:
    """What ran is lost and runs again for nothing; who has its old process ids now is left alone; the queue is what it was."""
    first = waiting(server, slots=2)
    order = [first, *(submit(server, f"print({number})", 2) for number in range(3))]
    order.append(order.pop(1))
    for experiment, priority in zip(order, (10, 20, 30, 40), strict=True):
        job = server.api("GET", f"experiments/{experiment}")["experiment"]["jobId"]
        server.api("POST", "job-queues", {"updates": [{"jobId": job, "priority": priority}]})
    assert queue(server) == order
    supervisor = record(server)["shim"]["pid"]
    server.kill9()
    os.kill(supervisor, signal.SIGKILL)  # first: it must not live to see the end of its task
    for pid in task_processes(server.data_dir):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        (run_dir,) = (server.data_dir / "runs").iterdir()
        told = json.loads((run_dir / "start.json").read_text())
        alive = processes.look(stranger.pid)
        assert alive is not None
        same = {"pid": stranger.pid, "start": alive.start}
        write(str(run_dir / "start.json"), told | {"boot_id": "another", "shim": same, "task": same})
        server.start()
        server.until(lambda: {server.state(one) for one in order} == {"COMPLETED"}, "the end of all", 90)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
    query = "SELECT runs.experiment_id FROM allocations JOIN run_tasks USING (task_id) JOIN runs ON runs.id = run_tasks.run_id"
    started = [row[0] for row in server.rows(f"{query} ORDER BY allocations.start_time")]
    assert started == [first, *order]
    assert server.rows("SELECT restarts, run_number FROM runs ORDER BY id") == [(0, 2), (0, 1), (0, 1), (0, 1)]
    assert outputs(server)[:4] == ["start of run 1", "waiting", "start of run 2", "end of run 2"]


def queue(server: Killed) -> list[int]:
    """Experiments in the order of the queue."""
    return [int(job["full"]["entityId"]) for job in server.api("GET", "job-queues-v2")["jobs"]]


def test_a_killed_trial_leaves_no_process(server: Killed) -> None:
    """Children in sessions of their own included."""
    experiment = waiting(server)
    server.api("POST", f"experiments/{experiment}/kill")
    assert end(server, experiment)[0] == "CANCELED"
    assert task_processes(server.data_dir) == []


def test_a_stop_leaves_tasks_running_and_says_so(server: Killed) -> None:
    """SIGTERM: exit status 0, a closing line with the number, the tasks live; `down --tasks` ends them."""
    waiting(server)
    assert server.process is not None
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(30) == 0
    assert "1 task runs on" in server.tail()
    assert task_processes(server.data_dir) != []
    server.start()
    down = [sys.executable, "-m", "undeterred", "down", "--data-dir", str(server.data_dir), "--tasks"]
    done = subprocess.run(down, check=True, timeout=60, capture_output=True, text=True)
    assert "no tasks are running" in done.stdout
    assert task_processes(server.data_dir) == []
    assert server.process.wait(30) == 0


def test_another_port_is_refused_while_tasks_live(server: Killed) -> None:
    """One clear line and no traceback; --adopt-lost starts all the same."""
    waiting(server)
    server.kill9()
    base = [sys.executable, "-m", "undeterred", "up", "--data-dir", str(server.data_dir), "--port", "0"]
    done = subprocess.run(base, check=False, timeout=60, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("undeterred: 1 running tasks know this server as")
    assert "Traceback" not in done.stderr
    server.start()
