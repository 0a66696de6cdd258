"""Environment, info files and start script of a task."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from urllib3.util.retry import Retry

from undeterred.base.struct import replace
from undeterred.launch.build import Place, environment, info_files, retry_config, start_script
from undeterred.launch.spec import ClusterFacts, Device, LaunchSpec, NodeAsk, TrialFacts

PLACE = Place("/r", "/r/work", "/r/venv/bin", "/r/venv", "/r/shim/redirect", "/home/ada", "ada")
TRIAL = TrialFacts(3, 7, 2, 99, {"lr": 0.1, "nested": {"a": [1, 2]}}, {"name": "x", "debug": True}, 40, "ck-1")
SPEC = LaunchSpec(
    "1.aa.2", "1.aa", "TRIAL", ClusterFacts("c-1", "https://master.example:8443/", "agent-1"), "token", trial=TRIAL, user="ada"
)


def test_a_trial_is_told_everything_the_harness_reads() -> None:
    """Facts of cluster, task and trial are variables."""
    env = environment(SPEC, replace(PLACE, devices=(Device(0), Device(1)), ports={"C10D_PORT": 29400}))
    expected = {
        "DET_MASTER": "https://master.example:8443/", "DET_MASTER_HOST": "master.example", "DET_MASTER_PORT": "8443",
        "DET_USE_TLS": "true", "DET_CLUSTER_ID": "c-1", "DET_AGENT_ID": "agent-1", "DET_SLOT_IDS": "[0,1]",
        "DET_TASK_ID": "1.aa", "DET_TASK_TYPE": "TRIAL", "DET_ALLOCATION_ID": "1.aa.2", "DET_SESSION_TOKEN": "token",
        "DET_USER": "ada", "DET_EXPERIMENT_ID": "3", "DET_TRIAL_ID": "7", "DET_TRIAL_RUN_ID": "2", "DET_TRIAL_SEED": "99",
        "DET_STEPS_COMPLETED": "40", "DET_LATEST_CHECKPOINT": "ck-1", "C10D_PORT": "29400", "DET_RESOURCES_ID": "1.aa.2",
        "DET_RESOURCES_TYPE": "docker-container", "HOME": "/home/ada", "USER": "ada", "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1",
        "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1", "PYTHONPATH": "/r/shim/redirect", "VIRTUAL_ENV": "/r/venv",
        "UNDETERRED_ALLOCATION": "1.aa.2", "UNDETERRED_RUN_DIR": "/r",
    }  # fmt: skip
    assert expected.items() <= env.items()
    assert env["PATH"].split(":")[0] == "/r/venv/bin"
    assert json.loads(env["DET_HPARAMS"]) == TRIAL.hparams
    assert json.loads(env["DET_EXPERIMENT_CONFIG"]) == TRIAL.config
    assert "DET_USER_TOKEN" not in env


def test_the_users_variables_win_over_ours_but_not_over_facts() -> None:
    """A user may change defaults and ports and add paths after ours, but not whose task this is."""
    user = {
        "DET_RETRY_CONFIG": "{}", "DET_ALLOCATION_ID": "other", "PATH": "/my/bin", "PYTHONPATH": "/my/lib", "HOME": "/h",
        "TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1", "KIND": "mine", "UNDETERRED_RUN_DIR": "/x", "C10D_PORT": "5",
    }  # fmt: skip
    env = environment(replace(SPEC, env={"KIND": "ours"}, user_env=user), replace(PLACE, ports={"C10D_PORT": 29400}))
    assert env["DET_RETRY_CONFIG"] == "{}"
    assert env["DET_ALLOCATION_ID"] == "1.aa.2"
    assert env["UNDETERRED_RUN_DIR"] == "/r"
    assert (env["HOME"], env["KIND"], env["C10D_PORT"]) == ("/h", "mine", "5")
    assert env["PATH"] == "/r/venv/bin:/my/bin"
    assert env["PYTHONPATH"] == "/r/shim/redirect:/my/lib"
    assert "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD" not in env


def test_only_named_variables_of_the_server_reach_a_task() -> None:
    """A secret in the server's environment stays there; a proxy or a package index goes along."""
    inherited = {"UNDETERRED_DB": "postgresql://secret", "AWS_SECRET_ACCESS_KEY": "k", "HTTPS_PROXY": "p", "PIP_INDEX_URL": "i"}
    env = environment(SPEC, replace(PLACE, inherited=inherited))
    assert {"HTTPS_PROXY": "p", "PIP_INDEX_URL": "i"}.items() <= env.items()
    assert not {"UNDETERRED_DB", "AWS_SECRET_ACCESS_KEY"} & env.keys()


@pytest.mark.parametrize(
    ("devices", "hide", "expected"),
    [
        ((Device(1, "cuda", "A", "GPU-b"), Device(3, "cuda", "A", "GPU-d")), True, {"CUDA_VISIBLE_DEVICES": "GPU-b,GPU-d"}),
        ((Device(1, "rocm", "A", "GPU-x"),), True, {"ROCR_VISIBLE_DEVICES": "GPU-x"}),
        ((), True, {"CUDA_VISIBLE_DEVICES": "", "ROCR_VISIBLE_DEVICES": ""}),
        ((Device(0),), False, {}),
    ],
)
def test_a_task_sees_the_gpus_it_was_given(devices: tuple[Device, ...], hide: bool, expected: dict[str, str]) -> None:
    """Its own by their uuid, and none when it was given none on a machine that has some."""
    env = environment(SPEC, replace(PLACE, devices=devices, hide_gpus=hide))
    assert {name: value for name, value in env.items() if name.endswith("VISIBLE_DEVICES")} == expected


def test_a_configuration_too_large_for_a_variable_is_only_in_the_file() -> None:
    """Linux refuses variables from 128 KiB on; the harness reads the file anyway."""
    spec = replace(SPEC, trial=replace(TRIAL, config={"data": "x" * 200_000}))
    assert "DET_EXPERIMENT_CONFIG" not in environment(spec, PLACE)
    assert len(json.loads(info_files(spec, PLACE)["info/trial.json"])["config"]["data"]) == 200_000


def test_the_info_files_are_what_the_harness_loads(tmp_path: Path) -> None:
    """The harness's own classes read them back."""
    from determined import _info

    spec = replace(SPEC, nodes=(NodeAsk(2),))
    place = replace(PLACE, devices=(Device(0, "cuda", "A", "GPU-a"), Device(1, "cuda", "A", "GPU-b")), address="10.0.0.1")
    for name, content in info_files(spec, place).items():
        (tmp_path / name.replace("info/", "")).write_bytes(content)
    kinds: dict[str, Any] = {
        "trial": _info.TrialInfo, "rendezvous": _info.RendezvousInfo, "resources": _info.ResourcesInfo,
    }  # fmt: skip
    loaded = {name: kind._from_file(str(tmp_path / f"{name}.json")) for name, kind in kinds.items()}
    cluster = _info.ClusterInfo(**json.loads((tmp_path / "cluster.json").read_bytes()))
    assert cluster.slot_ids == [0, 1]
    assert cluster.latest_checkpoint == "ck-1"
    assert loaded["trial"].hparams == TRIAL.hparams
    assert loaded["trial"]._steps_completed == 40
    assert loaded["rendezvous"].container_slot_counts == [2]
    assert loaded["resources"].gpu_uuids == ["GPU-a", "GPU-b"]


def test_the_retry_setting_is_accepted_and_never_overflows() -> None:
    """The installed urllib3 takes it, waits at most 5 s, retries every method, and still after 5,000 errors in a row."""
    retry = Retry(**json.loads(retry_config((2, 8))))
    assert retry.is_retry("POST", 503)
    assert not retry.is_retry("POST", 500)
    entry = Retry(total=1, redirect=None).increment("GET", "/", error=ConnectionError("x")).history[0]
    tried = retry.new(history=(entry,) * 5000, total=500_000)
    waits = [tried.get_backoff_time() for _ in range(50)]
    assert all(0 <= wait <= 5 for wait in waits)
    assert sum(waits) > 0


def test_older_urllib3_gets_its_own_spelling() -> None:
    """1.26 knows neither jitter nor a cap; before that the methods had another name."""
    assert json.loads(retry_config((1, 26))).keys() == {"total", "backoff_factor", "allowed_methods", "status_forcelist"}
    assert "method_whitelist" in json.loads(retry_config((1, 25)))


@pytest.mark.parametrize("shell", ["/bin/bash", "/bin/sh"])
def test_hooks_run_in_the_shell_that_becomes_the_task(tmp_path: Path, shell: str) -> None:
    """What hooks export is there, in order; a failing command or an exit ends it, never with status 0."""

    def run(*hooks: str) -> tuple[int, str, str]:
        paths = [tmp_path / f"hook {number}.sh" for number in range(len(hooks))]
        for path, text in zip(paths, hooks, strict=True):
            path.write_text(text)
        script = tmp_path / "start.sh"
        script.write_text(start_script([str(path) for path in paths], shell))
        command = [shell, str(script), "/bin/sh", "-c", "echo $A; exit 7"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    assert run("export A=1", "export A=${A}2\n") == (7, "12\n", "")
    code, out, err = run("false\necho not reached")
    assert (code, out) == (1, "")
    assert "startup hook failed" in err
    assert run("exit 5", "echo second")[:2] == (5, "")
    assert run("exit 0")[:2] == (1, "")
