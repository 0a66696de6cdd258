"""Checkpoints and models from end to end: real training code, the unmodified `det` and SDK, files in a real storage."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import SMALL, Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

FORGETFUL = Path(__file__).parent / "forgetful"


def sdk(cluster: Cluster, code: str) -> Any:
    """What a program that uses the SDK prints, as JSON."""
    return cluster.det.python(code)


def states(cluster: Cluster, experiment: int) -> dict[str, str]:
    """Uuid -> state of the checkpoints, in the order of their steps."""
    found = cluster.api("GET", f"experiments/{experiment}/checkpoints?sortByAttr=SORT_BY_BATCH_NUMBER")["checkpoints"]
    return {one["uuid"]: one["state"].removeprefix("STATE_") for one in found}


def storage(cluster: Cluster) -> Path:
    """The storage that experiments use which name none."""
    return cluster.data_dir / "storage"


def board(cluster: Cluster, experiment: int) -> list[Path]:
    """TensorBoard files of an experiment."""
    return list(storage(cluster).glob(f"*/tensorboard/experiment/{experiment}/**/*tfevents*"))


def test_collection_keeps_the_registered_one_and_deletion_leaves_nothing(cluster: Cluster) -> None:
    """A policy that keeps nothing, a folder removed by hand, an experiment that is first protected and then deleted."""
    keep = [f"checkpoint_storage.save_{name}=10" for name in ("experiment_best", "trial_best", "trial_latest")]
    grid = ["searcher.name=grid", "hyperparameters.x={type: categorical, vals: [1, 2, 3]}"]
    experiment = cluster.submit(SMALL, *grid, *keep, "hyperparameters.steps=2", "hyperparameters.checkpoint_every=1")
    assert cluster.wait(experiment, seconds=120)["state"] == "STATE_COMPLETED"
    uuids = list(states(cluster, experiment))
    assert len(uuids) == 6
    registered, by_hand = uuids[0], uuids[1]
    cluster.det("model", "create", "kept")
    cluster.det("model", "register-version", "kept", registered)
    for path in sorted((storage(cluster) / by_hand).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (storage(cluster) / by_hand).rmdir()
    zero = [f"--save-{name}=0" for name in ("experiment-best", "trial-best", "trial-latest")]
    preview = cluster.det("experiment", "set", "gc-policy", str(experiment), *zero, stdin="n\n")
    assert "will delete 5 checkpoints with validations" in preview
    assert set(states(cluster, experiment).values()) == {"COMPLETED"}
    cluster.det("experiment", "set", "gc-policy", str(experiment), *zero, "--yes")
    expected = dict.fromkeys(uuids, "DELETED") | {registered: "COMPLETED"}
    cluster.until(lambda: states(cluster, experiment), lambda now: now == expected, "the collection")
    assert [uuid for uuid in uuids if (storage(cluster) / uuid).exists()] == [registered]
    shown = cluster.experiment(experiment)
    size = sum(path.stat().st_size for path in (storage(cluster) / registered).rglob("*"))
    assert (shown["checkpointCount"], int(shown["checkpointSize"])) == (1, size)
    assert board(cluster, experiment)
    for what, which in (("experiment", str(experiment)), ("checkpoint", registered)):
        status, _, error = cluster.det.run(what, "delete", which, "--yes")
        assert (status, "'kept'" in error) == (1, True), error
    cluster.api("DELETE", "models/kept/versions/1")
    cluster.det("experiment", "delete", str(experiment), "--yes")
    cluster.until(lambda: experiments(cluster), lambda left: experiment not in left, "the deletion")
    assert not (storage(cluster) / registered).exists()
    assert not list(storage(cluster).glob(f"*/tensorboard/experiment/{experiment}"))


def test_deletion_takes_tensorboard_files_without_a_checkpoint(cluster: Cluster) -> None:
    """Nothing was stored but them."""
    experiment = cluster.submit(SMALL, "hyperparameters.steps=1", "hyperparameters.checkpoint_every=1000")
    assert cluster.wait(experiment)["state"] == "STATE_COMPLETED"
    assert states(cluster, experiment) == {}
    assert board(cluster, experiment)
    cluster.det("experiment", "delete", str(experiment), "--yes")
    cluster.until(lambda: experiments(cluster), lambda left: experiment not in left, "the deletion")
    assert not list(storage(cluster).glob(f"*/tensorboard/experiment/{experiment}"))


def experiments(cluster: Cluster) -> list[int]:
    """Ids of all experiments; none may have failed to be deleted."""
    found = cluster.api("GET", "experiments")["experiments"]
    assert not [one["id"] for one in found if one["state"] == "STATE_DELETE_FAILED"]
    return [one["id"] for one in found]


def test_what_training_code_deletes_is_never_begun_from(cluster: Cluster, tmp_path: Path) -> None:
    """Deleted by the trial itself and in part by the SDK: states, counts, best, latest, resume and downloads follow."""
    experiment = cluster.submit(FORGETFUL)
    trial = cluster.trial_of(experiment)["id"]
    cluster.until(lambda: cluster.log_of(trial), lambda log: "deleted two" in log, "the deletion")
    uuids = list(states(cluster, experiment))
    picked = f"""
trial = client.get_trial({trial})
best, latest = trial.top_checkpoint(), trial.select_checkpoint(latest=True)
overall = client.get_experiment({experiment}).top_checkpoint()
print(json.dumps([one.uuid for one in (best, latest, overall)]))
"""
    assert sdk(cluster, picked) == [uuids[3]] * 3
    sdk(cluster, f"client.get_checkpoint({uuids[1]!r}).remove_files(['sub']); print(1)")
    expected = ["DELETED", "PARTIALLY_DELETED", "COMPLETED", "COMPLETED", "DELETED"]
    cluster.until(lambda: list(states(cluster, experiment).values()), lambda now: now == expected, "the removal")
    shown = cluster.experiment(experiment)
    left = [path for uuid in uuids[1:4] for path in (storage(cluster) / uuid).rglob("*") if path.is_file()]
    assert (shown["checkpointCount"], int(shown["checkpointSize"])) == (3, sum(path.stat().st_size for path in left))
    cluster.det("experiment", "pause", str(experiment))
    cluster.wait(experiment, "PAUSED")
    cluster.det("experiment", "activate", str(experiment))
    assert cluster.wait(experiment)["state"] == "STATE_COMPLETED"
    assert "resumed at step 4" in cluster.log_of(trial)
    listed = cluster.det("experiment", "list-checkpoints", str(experiment), "--csv")
    assert [listed.count(f",{state},") for state in ("DELETED", "PARTIALLY_DELETED", "COMPLETED")] == [2, 1, 4]
    downloads = f"""
got = {{}}
for uuid in {uuids!r}:
    folder = pathlib.Path({str(tmp_path)!r}, uuid)
    try:
        client.get_checkpoint(uuid).download(str(folder), mode=client.DownloadMode.MASTER)
        got[uuid] = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
    except Exception as error:
        got[uuid] = str(error)
print(json.dumps(got))
"""
    got = sdk(cluster, downloads)
    whole = ["metadata.json", "step", "sub", "sub/weights.bin"]
    assert [got[uuid] for uuid in uuids[1:4]] == [whole[:2], whole, whole]
    assert all("STATE_DELETED" in got[uuids[number]] for number in (0, 4))
    for number in (2, 3):
        assert (tmp_path / uuids[number] / "sub" / "weights.bin").read_bytes() == b"w" * 512 * (number + 1)
    cluster.det("checkpoint", "download", uuids[3], "--output-dir", str(tmp_path / "by det"))
    assert (tmp_path / "by det" / "step").read_text() == "4"
    status, _, error = cluster.det.run("checkpoint", "download", uuids[0], "--output-dir", str(tmp_path / "deleted"))
    assert (status, "STATE_DELETED" in error) == (1, True), error


def test_models_by_every_name(cluster: Cluster) -> None:
    """Names with a percent sign, a coded slash, foreign letters, dots, like numbers; versions; a protected checkpoint."""
    experiment = cluster.submit(SMALL, "hyperparameters.steps=1", "hyperparameters.checkpoint_every=1")
    assert cluster.wait(experiment)["state"] == "STATE_COMPLETED"
    (checkpoint,) = states(cluster, experiment)
    names = ["50%", "a%2Fb", "naïve 模型", "v.1", "1e3"]
    for name in names[:3]:
        cluster.det("model", "create", name)
    sdk(cluster, f"print(json.dumps([client.create_model(name).model_id for name in {names[3:]!r}]))")
    ids = {one["name"]: one["id"] for one in cluster.api("GET", "models")["models"] if one["name"] in names}
    found = f"print(json.dumps([[client.get_model(key).name for key in (name, one)] for name, one in {ids!r}.items()]))"
    assert sdk(cluster, found) == [[name, name] for name in names]
    assert set(names) <= {one["name"] for one in json.loads(cluster.det("model", "list", "--json"))}
    for key in ("naïve 模型", str(ids["naïve 模型"])):
        assert json.loads(cluster.det("model", "describe", key, "--json"))["name"] == "naïve 模型"
    for name in ("50%", "50%", "a%2Fb"):
        cluster.det("model", "register-version", name, checkpoint)
    versions = f"print(json.dumps([v.model_version for v in client.get_model({'50%'!r}).list_versions()]))"
    assert sorted(sdk(cluster, versions)) == [1, 2]
    cluster.api("DELETE", "models/50%25/versions/2")
    cluster.det("model", "register-version", "50%", checkpoint)
    assert sorted(sdk(cluster, versions)) == [1, 3]
    for path in ("models/50%25/versions/1", "models/50%25/versions/3", "models/a%252Fb/versions/1"):
        cluster.det("checkpoint", "delete", checkpoint, "--yes", status=1)
        cluster.api("DELETE", path)
    cluster.det("checkpoint", "delete", checkpoint, "--yes")
    cluster.until(lambda: states(cluster, experiment)[checkpoint], lambda now: now == "DELETED", "the removal")
