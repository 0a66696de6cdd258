"""The unmodified harness of `determined` as a local task."""

import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.launch.stub import Stub
from tests.launch.support import opened, read_all, run, shell, texts, until, wait_end
from undeterred.launch.local.launcher import LocalLauncher
from undeterred.launch.spec import TRIAL_ARGV, TRIAL_PORTS, ClusterFacts, ContextFile, LaunchSpec, TrialFacts

SCRIPT = """
import logging, sys, time, determined as det
from determined import core
logging.basicConfig(level=logging.INFO, format=det.LOG_FORMAT)
info = det.get_cluster_info()
with core.init() as context:
    start = 0
    if info.latest_checkpoint:
        with context.checkpoint.restore_path(info.latest_checkpoint) as path:
            start = int((path / "steps").read_text())
    for step in range(start + 1, STEPS + 1):
        context.train.report_training_metrics(step, {"loss": 1 / step})
        if context.preempt.should_preempt():
            break
        time.sleep(0.01)
    context.train.report_validation_metrics(step, {"accuracy": 0.5})
    with context.checkpoint.store_path({"steps_completed": step}) as (path, uuid):
        (path / "steps").write_text(str(step))
    print("stored", uuid, "after", step, "with", info.trial.hparams["lr"])
sys.exit(0)
"""


def make_trial(url: str, storage: Path, script: str, allocation_id: str = "1.trial.1", **facts: Any) -> LaunchSpec:
    """A trial whose entrypoint is `script`."""
    config = {
        "name": "test", "entrypoint": "python3 train.py", "debug": False, "hyperparameters": {}, "data": {},
        "checkpoint_storage": {"type": "shared_fs", "host_path": str(storage), "storage_path": "below"},
        "searcher": {"name": "single", "metric": "accuracy", "max_length": {"batches": 5}},
        "environment": {"environment_variables": {"cpu": [], "cuda": [], "rocm": []}, "registry_auth": None},
        "resources": {"slots_per_trial": 1},
    }  # fmt: skip
    return LaunchSpec(
        allocation_id=allocation_id,
        task_id="1.trial",
        task_type="TRIAL",
        cluster=ClusterFacts("cluster-1", url),
        session_token="allocation-token",
        argv=TRIAL_ARGV,
        trial=TrialFacts(1, 1, facts.pop("run", 1), 7, {"lr": 0.25}, config, **facts),
        context_files=(ContextFile("train.py", script.encode()),),
        shared_fs=str(storage),
        port_names=TRIAL_PORTS,
    )


async def outcome(launcher: LocalLauncher, spec: LaunchSpec) -> tuple[int | None, str]:
    """Exit code and log of a trial."""
    handle = await launcher.submit(spec)
    status = await wait_end(launcher, handle)
    return status.exit and status.exit.code, "\n".join(await texts(launcher, handle))


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="the harness finds PyTorch's own writer")
async def test_a_plain_core_script_reports_stores_and_writes_tensorboard_files(tmp_path: Path) -> None:
    """Without PyTorch, in the default TensorBoard mode: metrics, checkpoint and event files arrive."""
    storage = tmp_path / "storage"
    with Stub.running() as stub:
        async with opened(tmp_path) as launcher:
            code, log = await outcome(launcher, make_trial(stub.url, storage, SCRIPT.replace("STEPS", "5")))
            assert (code, "after 5 with 0.25" in log) == (0, True), log
        metrics = stub.bodies("/trials/1/metrics")
        assert [report["metrics"]["stepsCompleted"] for report in metrics] == [1, 2, 3, 4, 5, 5]
        assert {headers.get("Grpc-Metadata-x-allocation-token") for *_, headers in stub.calls} == {"Bearer allocation-token"}
        [checkpoint] = stub.bodies("/checkpoints")
        assert (storage / "below" / checkpoint["uuid"] / "steps").read_text() == "5"
    read = EventAccumulator(str(storage / "below/cluster-1/tensorboard/experiment/1/trial/1"))
    read.Reload()
    losses = [(event.step, round(event.value, 6)) for event in read.Scalars("Determined/loss")]
    assert losses == [(step, round(1 / step, 6)) for step in range(1, 6)]
    assert [event.value for event in read.Scalars("Determined/val_accuracy")] == [0.5]


async def test_a_trial_is_preempted_and_resumes(tmp_path: Path) -> None:
    """The signal arrives, the script stores and leaves with 0; the next run starts from that checkpoint."""
    storage = tmp_path / "storage"
    script = SCRIPT.replace("STEPS", "10**9").replace("core.init()", "core.init(tensorboard_mode=core.TensorboardMode.MANUAL)")
    with Stub.running() as stub:
        async with opened(tmp_path) as launcher:
            handle = await launcher.submit(make_trial(stub.url, storage, script))
            await until(lambda: len(stub.bodies("/trials/1/metrics")) > 3, "some reports")
            stub.preempt.set()
            status = await wait_end(launcher, handle)
            assert status.exit is not None
            assert status.exit.code == 0
            assert len(stub.bodies("/signals/ack_preemption")) == 1
            [checkpoint] = stub.bodies("/checkpoints")
            steps = checkpoint["metadata"]["steps_completed"]
            stub.preempt.clear()
            again = make_trial(
                stub.url, storage, script.replace("10**9", str(steps + 2)), "1.trial.2", run=2,
                steps_completed=steps, latest_checkpoint=checkpoint["uuid"],
            )  # fmt: skip
            code, log = await outcome(launcher, again)
            assert (code, f"after {steps + 2}" in log) == (0, True), log


async def test_reports_are_repeated_until_the_server_is_back(tmp_path: Path) -> None:
    """Answers that say "not now" end no script."""
    script = SCRIPT.replace("STEPS", "2").replace("core.init()", "core.init(tensorboard_mode=core.TensorboardMode.MANUAL)")
    with Stub.running() as stub:
        stub.failures = [503, 502]
        async with opened(tmp_path) as launcher:
            code, log = await outcome(launcher, make_trial(stub.url, tmp_path / "storage", script))
            assert code == 0, log
        steps = [report["metrics"]["stepsCompleted"] for report in stub.bodies("/trials/1/metrics")]
        assert steps == [1, 1, 1, 2, 2]


async def test_an_import_error_is_shown_with_its_traceback(tmp_path: Path) -> None:
    """The log holds what Python says, with levels parsed from the harness's own lines."""
    with Stub.running() as stub:
        async with opened(tmp_path) as launcher:
            handle = await launcher.submit(make_trial(stub.url, tmp_path / "storage", "import no_such_module"))
            status = await wait_end(launcher, handle)
            lines = await read_all(launcher, handle)
            assert status.exit is not None
            assert status.exit.code == 1
            assert any("No module named 'no_such_module'" in line.text for line in lines)
            assert any(line.level == "INFO" and "Validating checkpoint storage" in line.text for line in lines)
            assert "allocation-token" not in "\n".join(line.text for line in lines)


async def test_two_trials_at_a_time_see_their_own_facts(tmp_path: Path) -> None:
    """The harness's fixed paths lead each task to its own folder, also in its children and for its sockets."""
    script = (
        "import determined as det\n"
        "from determined import constants, ipc, tensorboard\n"
        "from determined.common import constants as common\n"
        "print(det.get_cluster_info().allocation_id, common.SHARED_FS_CONTAINER_PATH, constants.CONTAINER_STDOUT)\n"
        "print(ipc.read_pid_server_addr('/tmp/pid_server-1'), ipc.read_pid_server_addr('localhost:7'))\n"
        "print(tensorboard.get_base_path({}))\n"
    )
    with Stub.running() as stub:
        async with opened(tmp_path) as launcher:
            found = []
            for name in ("one", "two"):
                handle = await launcher.submit(make_trial(stub.url, tmp_path / name, script, f"{name}.1"))
                await wait_end(launcher, handle)
                lines = (await texts(launcher, handle))[-3:]
                run_dir = tmp_path / "runs" / f"{name}.1"
                assert lines[0] == f"{name}.1 {tmp_path / name} {run_dir}/train/logs/stdout.log"
                assert lines[1].endswith("('localhost', 7)")
                assert lines[2] == f"{run_dir}/tmp/tensorboard-{name}.1-0"
                assert len(lines[1].split()[0]) < 108
                found.append(lines[1].split()[0])
            assert found[0] != found[1]


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name below it."""
    with tempfile.TemporaryDirectory(prefix="u") as folder:
        yield Path(folder)


async def test_the_harnesss_watch_over_workers_uses_a_private_socket(short_folder: Path) -> None:
    """Its server and clients find each other, and tasks of two servers with the same ids could not collide."""
    address = "/tmp/pid_server-same.id.1"
    worker = f"python3 -m determined.exec.pid_client {address} -- sh -c 'ls {short_folder}/runs/c.1/tmp | wc -l; ls {address}'"
    async with opened(short_folder) as launcher:
        server = f"python3 -m determined.exec.pid_server --on-fail SIGTERM --on-exit WAIT {address} 1 -- {worker}; echo $?"
        _, lines = await run(launcher, shell("c.1", server))
        assert "1" in lines
        assert any("No such file" in line for line in lines)


async def test_the_redirect_does_not_touch_other_programs(tmp_path: Path) -> None:
    """Without the marker variable the harness's paths are its own."""
    program = "import determined._info; print(determined._info.DEFAULT_TRIAL_INFO_PATH)"
    async with opened(tmp_path) as launcher:
        _, lines = await run(launcher, shell("c.1", f"env -u UNDETERRED_RUN_DIR python -c '{program}'"))
        assert lines == ["/run/determined/info/trial.json"]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The folder for packages, empty, of a virtual environment."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    return next((tmp_path / "bare").glob("lib/python*/site-packages"))


async def test_a_trial_without_the_harness_says_what_to_install(site: Path, tmp_path: Path) -> None:
    """Its log tells it, in an interpreter that lacks the package; after the installation the next one says nothing."""
    async with opened(tmp_path, python=str(tmp_path / "bare/bin/python")) as launcher:
        for number, told in (("1", True), ("2", False)):
            spec = make_trial("http://127.0.0.1:9", tmp_path / "storage", "pass", f"bare.{number}")
            handle = await launcher.submit(spec)
            await wait_end(launcher, handle)
            lines = await texts(launcher, handle)
            assert any("No module named 'determined'" in line for line in lines)
            assert any("pip install 'undeterred[tasks]'" in line and str(site) in line for line in lines) is told
            info = site / "determined-0.38.1.dist-info"
            info.mkdir(exist_ok=True)
            (info / "METADATA").write_text("Metadata-Version: 2.1\nName: determined\nVersion: 0.38.1\n")
