"""The unmodified `det` from PyPI, command by command."""

import json
import tarfile
import urllib.error
from pathlib import Path

import pytest

from tests.e2e.conftest import SMALL, Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def test_who_am_i(cluster: Cluster) -> None:
    """Login by environment variables, and the master's own words."""
    assert "admin" in cluster.det("user", "whoami")
    assert "0.38.1" in cluster.det("master", "info", "--json")


def test_agents_and_slots(cluster: Cluster) -> None:
    """This machine is the agent, with its slots."""
    assert "local" in cluster.det("agent", "list")
    assert cluster.det("slot", "list").count("local") == 2


def test_the_finished_experiment_in_every_view(cluster: Cluster, finished: int) -> None:
    """list, describe, list-trials, list-checkpoints, config, and the trial's own views agree."""
    assert "COMPLETED" in cluster.det("experiment", "list", "--csv")
    assert "small" in cluster.det("experiment", "describe", str(finished))
    described = json.loads(cluster.det("experiment", "describe", str(finished), "--json"))
    assert str(described).count("COMPLETED") >= 1
    assert "train.py" in cluster.det("experiment", "config", str(finished))
    trials = cluster.det("experiment", "list-trials", str(finished), "--csv")
    assert "COMPLETED" in trials
    checkpoints = cluster.det("experiment", "list-checkpoints", str(finished))
    assert "COMPLETED" in checkpoints
    trial = cluster.trial_of(finished)["id"]
    assert "validation_loss" in cluster.det("trial", "describe", str(trial), "--metrics-summary")


def test_logs(cluster: Cluster, finished: int) -> None:
    """Experiment logs, trial logs and task logs hold the script's lines."""
    trial = cluster.trial_of(finished)
    for command in (
        ("experiment", "logs", str(finished)),
        ("trial", "logs", str(trial["id"])),
        ("task", "logs", trial["taskId"]),
    ):
        printed = cluster.det(*command)
        assert [f"step {n}" in printed for n in (1, 2, 3, 4)] == [True] * 4, command
    assert "step 4" in cluster.det("trial", "logs", str(trial["id"]), "--tail", "20")


def test_model_definition_comes_back(cluster: Cluster, finished: int, tmp_path: Path) -> None:
    """download-model-def gives the submitted files."""
    cluster.det("experiment", "download-model-def", str(finished), "--output-dir", str(tmp_path))
    with tarfile.open(next(tmp_path.iterdir())) as archive:
        stream = archive.extractfile("train.py")
        assert stream is not None
        assert stream.read().decode() == (SMALL / "train.py").read_text()


def test_checkpoints(cluster: Cluster, finished: int, tmp_path: Path) -> None:
    """describe and download of the latest checkpoint."""
    trial = cluster.trial_of(finished)["id"]
    found = cluster.api("GET", f"trials/{trial}/checkpoints?sortByAttr=SORT_BY_BATCH_NUMBER&orderBy=ORDER_BY_DESC")["checkpoints"]
    uuid = next(c["uuid"] for c in found if c["state"] == "STATE_COMPLETED")
    assert uuid in cluster.det("checkpoint", "describe", uuid)
    cluster.det("checkpoint", "download", uuid, "--output-dir", str(tmp_path / "one"))
    assert (tmp_path / "one" / "step").read_text() == "4"
    cluster.det("trial", "download", str(trial), "--latest", "--output-dir", str(tmp_path / "two"))
    assert (tmp_path / "two" / "step").read_text() in ("2", "4")  # this client takes the oldest of the list it gets


def test_editing(cluster: Cluster) -> None:
    """set name and description, labels, archive and unarchive."""
    experiment = str(cluster.submit(SMALL, "hyperparameters.steps=1"))
    cluster.wait(int(experiment))
    cluster.det("experiment", "set", "name", experiment, "renamed")
    cluster.det("experiment", "set", "description", experiment, "in words")
    cluster.det("experiment", "label", "add", experiment, "good")
    changed = cluster.experiment(int(experiment))
    assert (changed["name"], changed["description"], changed["labels"]) == ("renamed", "in words", ["good"])
    cluster.det("experiment", "label", "remove", experiment, "good")
    cluster.det("experiment", "archive", experiment)
    assert cluster.experiment(int(experiment))["archived"] is True
    cluster.det("experiment", "unarchive", experiment)
    assert cluster.experiment(int(experiment))["labels"] == []
    cluster.det("experiment", "delete", experiment, "--yes")


def test_pause_resumes_from_the_checkpoint(cluster: Cluster) -> None:
    """A paused trial stores its work and goes on from it; this is no restart."""
    experiment = cluster.submit(
        SMALL, "hyperparameters.steps=60", "hyperparameters.pause=0.1", "hyperparameters.checkpoint_every=1000"
    )
    trial = cluster.trial_of(experiment)["id"]
    cluster.until(lambda: cluster.log_of(trial), lambda log: "step 3" in log, "the third step")
    cluster.det("experiment", "pause", str(experiment))
    cluster.until(lambda: cluster.log_of(trial), lambda log: "left at step" in log, "the trial to leave")
    cluster.wait(experiment, "PAUSED")
    cluster.det("experiment", "activate", str(experiment))
    cluster.until(lambda: cluster.log_of(trial), lambda log: "resumed at step" in log, "the trial to go on")
    cluster.det("experiment", "cancel", str(experiment))
    assert cluster.wait(experiment)["state"] == "STATE_CANCELED"
    assert cluster.trial_of(experiment)["restarts"] == 0


def test_kill_leaves_no_process(cluster: Cluster) -> None:
    """Killed: the state is CANCELED and nothing of the task is left."""
    experiment = cluster.submit(SMALL, "hyperparameters.steps=1000", "hyperparameters.pause=0.1")
    trial = cluster.trial_of(experiment)
    cluster.until(lambda: cluster.log_of(trial["id"]), lambda log: "step 2" in log, "the second step")
    cluster.det("experiment", "kill", str(experiment))
    assert cluster.wait(experiment)["state"] == "STATE_CANCELED"
    assert processes_of(trial["taskId"]) == []
    cluster.det("experiment", "wait", str(experiment), "--polling-interval", "1", status=1)


def processes_of(task_id: str) -> list[str]:
    """Command lines of processes that carry the task's marker."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if task_id.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text())
        except OSError:
            continue
    return found


def test_a_failing_script_is_restarted(cluster: Cluster) -> None:
    """Exit code 3 in the first start; the second goes on from the checkpoint and completes; one restart is counted."""
    experiment = cluster.submit(
        SMALL, "hyperparameters.steps=4", "hyperparameters.fail_at=3", "hyperparameters.checkpoint_every=1", "max_restarts=2"
    )
    assert cluster.wait(experiment)["state"] == "STATE_COMPLETED"
    trial = cluster.trial_of(experiment)
    assert trial["restarts"] == 1
    assert "resumed at step 3" in cluster.log_of(trial["id"])


def test_mistakes_are_told(cluster: Cluster, tmp_path: Path) -> None:
    """Every mistake of a configuration with its path; a missing entrypoint; unknown things; a wrong password; nothing is made."""
    before = cluster.api("GET", "experiments")["pagination"]["total"]
    for text, words in (
        ("entrypoint: 5\nsearcher: {name: nope}\nmax_restarts: -1\n", ("entrypoint", "searcher.name", "max_restarts")),
        ("searcher: {name: single, metric: x}\n", ("entrypoint",)),
        ("entrypoint: x\nsearcher: {name: single, metric: x}\nresources: {slots_per_trial: 99}\n", ("slots", "99")),
        ("entrypoint: x\nsearcher: {name: single, metric: x}\nproject: nowhere\nworkspace: neither\n", ("neither",)),
    ):
        (tmp_path / "bad.yaml").write_text(text)
        status, _, error = cluster.det.run("experiment", "create", str(tmp_path / "bad.yaml"), str(SMALL))
        assert status == 1
        assert [word for word in words if word not in error] == [], error
        assert "Traceback" not in error
    assert cluster.api("GET", "experiments")["pagination"]["total"] == before
    nobody = "00000000-0000-0000-0000-000000000000"
    for command in (
        "experiment describe 999999",
        "trial logs 999999",
        "experiment pause 999999",
        f"checkpoint describe {nobody}",
        f"task logs {nobody}",
    ):
        status, _, error = cluster.det.run(*command.split())
        assert (status, "Traceback" in error) == (1, False), (command, error)
        assert "not found" in error
    status, _, error = cluster.det.run("experiment", "list", DET_USER="nobody")
    assert status == 1
    assert "nobody" in error or "password" in error


def test_a_context_that_is_too_large_is_refused(cluster: Cluster) -> None:
    """More than 95 MB, sent without the client's own check: a clear answer, and nothing stays."""
    before = cluster.api("GET", "experiments")["pagination"]["total"]
    entry = {"path": "big", "type": 48, "content": "A" * (130 << 20), "mode": 420, "mtime": "0"}
    config = "{name: big, entrypoint: x, searcher: {name: single, metric: l}}"
    with pytest.raises(urllib.error.HTTPError) as caught:
        cluster.api("POST", "experiments", {"config": config, "modelDefinition": [entry]})
    assert caught.value.code in (400, 413)
    assert "MB" in caught.value.read().decode()
    assert cluster.api("GET", "experiments")["pagination"]["total"] == before


def test_tasks_and_jobs(cluster: Cluster, finished: int) -> None:
    """task list and job list answer."""
    cluster.det("task", "list")
    cluster.det("job", "list")
