"""The examples do what they say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import PASSWORD, Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def test_the_digits_are_learnt(cluster: Cluster) -> None:
    """`digits_core` ends with a good accuracy and a checkpoint."""
    experiment = cluster.submit(EXAMPLES / "digits_core")
    assert cluster.wait(experiment, seconds=120)["state"] == "STATE_COMPLETED"
    trial = cluster.api("GET", f"trials/{cluster.trial_of(experiment)['id']}")["trial"]
    assert trial["summaryMetrics"]["validation_metrics"]["accuracy"]["max"] > 0.8
    assert trial["checkpointCount"] >= 1


def test_the_search_tries_eight(cluster: Cluster) -> None:
    """`digits_search` runs its trials, two at a time, and knows the best."""
    experiment = cluster.submit(
        EXAMPLES / "digits_core", "hyperparameters.epochs=2", config=EXAMPLES / "digits_search" / "config.yaml"
    )
    done = cluster.wait(experiment, seconds=200)
    assert (done["state"], done["numTrials"], done["progress"]) == ("STATE_COMPLETED", 8, 1)


def test_an_unmanaged_script_is_tracked(cluster: Cluster) -> None:
    """`unmanaged` reports from outside and ends COMPLETED."""
    subprocess.run([sys.executable, str(EXAMPLES / "unmanaged" / "track.py")], env=cluster.environment, check=True, timeout=120)
    found = cluster.api("GET", "experiments?name=unmanaged")["experiments"]
    assert [(e["unmanaged"], e["state"]) for e in found] == [(True, "STATE_COMPLETED")]


def test_the_rest_walk(cluster: Cluster) -> None:
    """`rest_walkthrough.sh`: login, list archived, unarchive, with curl."""
    environment = os.environ | {"DET_MASTER": cluster.url, "DET_USER": "determined", "DET_PASS": PASSWORD}
    done = subprocess.run(
        ["bash", str(EXAMPLES / "rest_walkthrough.sh")], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "archived: False" in done.stdout
