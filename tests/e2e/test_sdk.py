"""The unmodified SDK, from a login to a downloaded checkpoint; and logs of thousands of lines through it and `det`."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import PASSWORD, SMALL, Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SHARED = "2026-01-01T00:00:00.123456Z"


def test_a_whole_experiment_by_program(cluster: Cluster, tmp_path: Path) -> None:
    """Create from a mapping, wait, read metrics and checkpoints, edit, register, list, end."""
    got: dict[str, Any] = cluster.det.python(
        f"""
import yaml
config = yaml.safe_load(open({str(SMALL / "config.yaml")!r})) | {{"name": "by program", "labels": ["sdk"]}}
experiment = client.create_experiment(config, {str(SMALL)!r})
got = {{"id": experiment.id, "state": str(experiment.wait(interval=0.2))}}
experiment = client.get_experiment(experiment.id)
(trial,) = experiment.list_trials()
got["trial"] = [trial.id == client.get_trial(trial.id).id, trial.hparams, str(trial.state), trial.summary_metrics]
got["awaited"] = experiment.await_first_trial().id == trial.id
for group in ("training", "validation"):
    got[group] = [[row.steps_completed, row.metrics] for row in trial.iter_metrics(group)]
got["streamed"] = len(list(client.iter_trials_metrics([trial.id], "validation")))
got["logs"] = [line for line in trial.logs() if "step 4" in line and "||" in line]
got["tail"] = len(list(trial.logs(tail=3)))
best = experiment.top_checkpoint()
got["best"] = [best.uuid, best.metadata["steps_completed"], str(best.state), best.training.trial_id == trial.id]
got["listed"] = [one.uuid for one in experiment.list_checkpoints()]
got["file"] = pathlib.Path(best.download({str(tmp_path / "best")!r})).joinpath("step").read_text()
got["through the server"] = pathlib.Path(
    best.download({str(tmp_path / "master")!r}, mode=client.DownloadMode.MASTER)
).joinpath("step").read_text()
best.add_metadata({{"note": "kept"}})
got["metadata"] = client.get_checkpoint(best.uuid).metadata["note"]
model = client.create_model("from the SDK", description="d", metadata={{"a": 1}})
version = model.register_version(best.uuid)
version.set_name("first")
got["model"] = [version.model_version, model.get_version().checkpoint.uuid, client.get_model("from the SDK").get_version(1).name]
got["models"] = "from the SDK" in [one.name for one in client.list_models()]
experiment.set_name("renamed"); experiment.set_description("d"); experiment.add_label("two"); experiment.remove_label("sdk")
experiment.archive(); experiment.unarchive()
experiment.reload()
got["edited"] = [experiment.name, experiment.description, sorted(experiment.labels), experiment.archived]
got["found"] = [one.id for one in client.list_experiments(name="renamed", labels=["two"])]
running = client.create_experiment(config | {{"entrypoint": "sleep 60"}}, {str(SMALL)!r})
running.pause(); running.activate()
running.kill()
got["killed"] = str(running.wait(interval=0.2))
model.delete()
got["whoami"] = client.whoami().username
print(json.dumps(got))
"""
    )
    assert got["state"] == "ExperimentState.COMPLETED"
    assert got["trial"][0] is True
    assert got["trial"][1]["steps"] == 4
    assert got["trial"][2] == "TrialState.COMPLETED"
    assert got["trial"][3]["validation_metrics"]["validation_loss"]["last"] == 0.5
    assert got["awaited"] is True
    assert got["training"] == [[step, {"loss": 1.0 / step}] for step in range(1, 5)]
    assert got["validation"] == [[step, {"validation_loss": 2.0 / step}] for step in range(1, 5)]
    assert (got["streamed"], len(got["logs"]), got["tail"]) == (4, 1, 3)
    assert got["best"][1:] == [4, "CheckpointState.COMPLETED", True]
    assert got["best"][0] in got["listed"]
    assert (got["file"], got["through the server"], got["metadata"]) == ("4", "4", "kept")
    assert got["model"] == [1, got["best"][0], "first"]
    assert got["models"] is True
    assert got["edited"] == ["renamed", "d", ["two"], False]
    assert got["found"] == [got["id"]]
    assert got["killed"] == "ExperimentState.CANCELED"
    assert got["whoami"] == "admin"


def test_mistakes_of_a_program_are_told(cluster: Cluster) -> None:
    """An unknown experiment, a wrong password, a search for nothing: the SDK's own errors, with what was wrong."""
    got = cluster.det.python(
        f"""
from determined.common import api
got = []
for call in (
    lambda: client.get_experiment(999999),
    lambda: client.get_trial(999999),
    lambda: client.get_checkpoint("00000000-0000-0000-0000-000000000000"),
    lambda: client.get_model("nowhere"),
    lambda: client.Determined(os.environ["DET_MASTER"], "nobody", {PASSWORD!r}),
):
    try:
        call()
    except Exception as error:
        got.append([type(error).__name__, str(error)])
print(json.dumps(got))
"""
    )
    assert [name for name, _ in got] == ["NotFoundException"] * 4 + ["UnauthenticatedException"]
    assert all(text for _, text in got)


def test_thousands_of_lines_are_read_in_order_both_ways(cluster: Cluster, finished: int) -> None:
    """Lines that share a time and lines a microsecond apart: in the order of their posting, page by page, and through `det`."""
    task = cluster.api("POST", "commands", {"config": {"entrypoint": ["true"], "resources": {"slots": 0}}})["command"]["id"]
    cluster.until(
        lambda: cluster.api("GET", f"commands/{task}")["command"]["state"], lambda s: s == "STATE_TERMINATED", "the end"
    )
    posted = []
    for batch in range(6):
        times = [SHARED if batch < 5 else f"2026-01-01T00:00:01.{number:06d}Z" for number in range(500)]
        lines = [{"taskId": task, "timestamp": time, "log": f"line {batch * 500 + n}\n"} for n, time in enumerate(times)]
        cluster.api("POST", "task/logs", {"logs": lines})
        posted += [line["log"] for line in lines]
    path = f"tasks/{task}/logs?limit=0&timestampBefore=2026-01-02T00:00:00Z"
    rising = cluster.lines(f"{path}&orderBy=ORDER_BY_ASC")
    assert [line["log"] for line in rising] == posted
    falling = cluster.lines(f"{path}&orderBy=ORDER_BY_DESC")
    assert [line["log"] for line in falling] == posted[::-1]
    assert [line["timestamp"] for line in rising[:2501] + rising[-1:]] == [
        *[SHARED] * 2500,
        "2026-01-01T00:00:01Z",
        "2026-01-01T00:00:01.000499Z",
    ]
    assert len(cluster.lines(f"tasks/{task}/logs?limit=0&timestampAfter={SHARED}&timestampBefore={SHARED}")) == 2500
    seen: list[str] = []
    before = "2026-01-02T00:00:00Z"
    while len(seen) < 500:
        page = cluster.lines(f"tasks/{task}/logs?limit=100&orderBy=ORDER_BY_DESC&timestampBefore={before}")
        texts = [line["log"] for line in page]
        assert not seen or texts[0] == seen[-1]
        seen += texts[bool(seen) :]
        before = page[-1]["timestamp"]
    assert seen[:500] == posted[::-1][:500]
    for flags, most in (((), 3000), (("--tail", "2700"), 2700)):
        printed = [line for line in cluster.det("task", "logs", task, *flags).splitlines() if "|| " in line]
        shown = [line.partition("|| ")[2] + "\n" for line in printed if "|| line " in line]
        own = len(printed) - len(shown)  # the last few are the server's own
        assert len(shown) == (most - own if flags else most)
        assert shown == posted[-len(shown) :]
        assert own < 10
    assert json.loads(cluster.det("task", "list", "--json")) == {}
