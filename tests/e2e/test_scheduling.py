"""A pool with preemption: who has to leave, who comes back first, and what a new priority does."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.server import running
from tests.e2e.conftest import PASSWORD, SMALL, Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture
def preempting(tmp_path: Path) -> Iterator[Cluster]:
    """A server of two slots whose scheduler preempts."""
    (tmp_path / "home").mkdir()
    (tmp_path / "master.yaml").write_text("resource_manager: {type: agent, scheduler: {type: priority, preemption: true}}")
    data = tmp_path / "data"
    with running(data, "--initial-password", PASSWORD, "--slots", "2", "--config", str(tmp_path / "master.yaml")) as url:
        cluster = Cluster(url, data)
        yield cluster
        cluster.det.close()
        subprocess.run([sys.executable, "-m", "undeterred", "down", "--data-dir", str(data), "--tasks"], check=False, timeout=60)


def test_the_youngest_leaves_and_comes_back_before_those_who_never_ran(preempting: Cluster) -> None:
    """Two run, one waits; a more urgent one comes and goes; then the waiting one is made urgent. No restart is counted."""
    cluster = preempting
    base = ["hyperparameters.steps=5000", "hyperparameters.pause=0.2", "hyperparameters.checkpoint_every=100000"]
    first, second, third = (cluster.submit(SMALL, *base, "resources.priority=40") for _ in range(3))

    def states() -> dict[int, str]:
        return {number: cluster.experiment(number)["state"].removeprefix("STATE_") for number in every}

    def settled(wanted: dict[int, str], what: str) -> None:
        cluster.until(states, lambda now: now == wanted, what, 30)

    def listed() -> list[int]:
        jobs = {cluster.experiment(number)["jobId"]: number for number in every}
        return [jobs[job["jobId"]] for job in json.loads(cluster.det("job", "list", "--json"))["jobs"]]

    every = [first, second, third]
    settled({first: "RUNNING", second: "RUNNING", third: "QUEUED"}, "the first two")
    trial = cluster.trial_of(second)["id"]
    cluster.until(lambda: cluster.log_of(trial), lambda log: "step 2" in log, "work that is worth a checkpoint")
    urgent = cluster.submit(SMALL, *base, "resources.priority=30")
    every.append(urgent)
    settled({first: "RUNNING", second: "QUEUED", third: "QUEUED", urgent: "RUNNING"}, "the urgent one")
    assert listed() == [urgent, first, second, third]
    cluster.det("experiment", "cancel", str(urgent))
    settled({first: "RUNNING", second: "RUNNING", third: "QUEUED", urgent: "CANCELED"}, "the second's return")
    cluster.until(lambda: cluster.log_of(trial), lambda log: "resumed at step" in log, "the second's work to go on")
    cluster.det("job", "update", cluster.experiment(third)["jobId"], "--priority", "10")
    settled({first: "RUNNING", second: "QUEUED", third: "RUNNING", urgent: "CANCELED"}, "the third")
    assert listed() == [third, first, second]
    assert [cluster.trial_of(number)["restarts"] for number in (first, second, third)] == [0, 0, 0]
    assert "left at step" not in cluster.log_of(cluster.trial_of(first)["id"])
    for number in (first, second, third):
        cluster.det("experiment", "kill", str(number))
