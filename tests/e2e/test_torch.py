"""PyTorch trials with the unmodified harness, on CPU."""

from pathlib import Path

import pytest

from tests.e2e.conftest import Cluster

pytestmark = [pytest.mark.torch, pytest.mark.timeout(400)]

EXAMPLE = Path(__file__).parents[2] / "examples" / "digits_pytorch"


def test_a_pytorch_trial_pauses_and_resumes(cluster: Cluster) -> None:
    """Paused it stores its work; activated it goes on from the checkpoint to the end."""
    experiment = cluster.submit(EXAMPLE, "hyperparameters.batches=2000")
    trial = cluster.trial_of(experiment)["id"]
    checkpoints = f"trials/{trial}/checkpoints"
    cluster.until(lambda: cluster.api("GET", checkpoints)["checkpoints"], bool, "the first checkpoint", 200)
    cluster.det("experiment", "pause", str(experiment))
    cluster.wait(experiment, "PAUSED", seconds=100)
    cluster.until(lambda: cluster.log_of(trial), lambda log: "was terminated" in log, "the trial to leave", 100)
    cluster.det("experiment", "activate", str(experiment))
    assert cluster.wait(experiment, seconds=200)["state"] == "STATE_COMPLETED", cluster.log_of(trial)[-3000:]
    done = cluster.api("GET", f"trials/{trial}")["trial"]
    assert (done["restarts"], done["totalBatchesProcessed"]) == (0, 2000)
    assert done["summaryMetrics"]["validation_metrics"]["accuracy"]["max"] > 0.8


def test_two_processes_share_a_trial(cluster: Cluster) -> None:
    """`torch_distributed` starts two workers on two slots; both ranks write to the log."""
    experiment = cluster.submit(EXAMPLE, config=EXAMPLE / "distributed.yaml")
    trial = cluster.trial_of(experiment)["id"]
    assert cluster.wait(experiment, seconds=300)["state"] == "STATE_COMPLETED", cluster.log_of(trial)[-3000:]
    ranks = {line.get("rankId") for line in cluster.lines(f"trials/{trial}/logs")}
    assert {0, 1} <= ranks
