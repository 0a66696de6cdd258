"""Searches with real trials: one that a program outside decides and that is killed in between, and the replay of it."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

EXAMPLES = Path(__file__).parents[2] / "examples"


def program(cluster: Cluster, experiment: int) -> "subprocess.Popen[str]":
    """The deciding program of the example."""
    command = [sys.executable, str(EXAMPLES / "custom_search" / "decide.py"), str(experiment)]
    return subprocess.Popen(command, env=cluster.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def events(cluster: Cluster, experiment: int, after: int) -> list[Any]:
    """What happened in a custom search."""
    url = f"{cluster.url}/api/undeterred/v1/experiments/{experiment}/search/events?after={after}"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {cluster.token}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: list[Any] = json.load(answer)["events"]
        return found


def replay(cluster: Cluster, experiment: int, *flags: str) -> list[Any]:
    """What `undeterred search replay --json` prints."""
    command = [sys.executable, "-m", "undeterred", "search", "replay", str(experiment), "--json", *flags]
    done = subprocess.run(command, env=cluster.environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_deciding_program_is_killed_and_comes_back(cluster: Cluster) -> None:
    """After its first duel it is killed; started again it reads everything anew, and no duel is fought twice."""
    experiment = cluster.submit(EXAMPLES / "digits_core", config=EXAMPLES / "custom_search" / "config.yaml")
    first = program(cluster, experiment)
    assert first.stdout is not None
    assert "duel 1" in first.stdout.readline()
    assert first.stdout.readline() == "  carried out\n"
    first.kill()
    first.wait()
    cluster.until(
        lambda: events(cluster, experiment, after=4),
        lambda found: any(event["type"].endswith("VALIDATION_COMPLETED") for event in found),
        "something that the program misses",
    )
    second = program(cluster, experiment)
    printed, _ = second.communicate(timeout=200)
    assert second.returncode == 0, printed
    lines = printed.splitlines()
    assert lines[1] == "  had been carried out before"
    assert [line.split(":")[0] for line in lines[0:8:2]] == ["duel 1", "duel 2", "duel 3", "duel 4"]
    assert lines[3] == lines[5] == lines[7] == "  carried out"
    done = cluster.wait(experiment)
    assert (done["state"], done["numTrials"], done["progress"]) == ("STATE_COMPLETED", 5, 1)
    states = {trial["state"] for trial in cluster.api("GET", f"experiments/{experiment}/trials")["trials"]}
    assert states == {"STATE_COMPLETED"}
    there = replay(cluster, experiment, "--data-dir", str(cluster.data_dir))
    assert there[-1] == {"entries": len(there) - 1, "different": 0, "same": True}
    assert replay(cluster, experiment, "--master", cluster.url) == there


def test_halving_stops_real_trials(cluster: Cluster) -> None:
    """The losers of `digits_asha` leave after their rung, having saved their work, and spend a fraction of the budget."""
    experiment = cluster.submit(
        EXAMPLES / "digits_core",
        "searcher.max_trials=5",
        "searcher.max_time=4",
        "hyperparameters.epochs=4",
        config=EXAMPLES / "digits_asha" / "config.yaml",
    )
    done = cluster.wait(experiment, seconds=200)
    assert (done["state"], done["numTrials"]) == ("STATE_COMPLETED", 5)
    trials = cluster.api("GET", f"experiments/{experiment}/trials")["trials"]
    assert {trial["state"] for trial in trials} == {"STATE_COMPLETED"}
    spent = [trial["totalBatchesProcessed"] for trial in trials]
    assert sum(spent) < 5 * 4
    assert all(trial["checkpointCount"] for trial in trials)
    assert replay(cluster, experiment, "--data-dir", str(cluster.data_dir))[-1]["same"]


def test_optuna_searches_with_real_trials(cluster: Cluster) -> None:
    """`optuna_search` in small: the sampler's values reach the script, and the log replays the same."""
    pytest.importorskip("optuna")
    experiment = cluster.submit(
        EXAMPLES / "digits_core",
        "searcher.max_trials=3",
        "hyperparameters.epochs=2",
        config=EXAMPLES / "optuna_search" / "config.yaml",
    )
    done = cluster.wait(experiment, seconds=200)
    assert (done["state"], done["numTrials"]) == ("STATE_COMPLETED", 3)
    assert replay(cluster, experiment, "--data-dir", str(cluster.data_dir))[-1]["same"]
