"""What real trials print, report and leave behind: each line, each number, and no process."""

import contextlib
import importlib.util
import json
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.e2e.conftest import Cluster
from tests.launch.local.test_overlay import build_wheel
from tests.recovery.support import task_processes

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

LOUD = Path(__file__).parent / "loud"


@pytest.fixture(scope="module")
def loud(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The context, with a package that its startup hook installs."""
    folder = Path(shutil.copytree(LOUD, tmp_path_factory.mktemp("loud") / "context"))
    build_wheel(folder, "overlaid", "7.5")
    return folder


@pytest.fixture(scope="module")
def followed(cluster: Cluster, loud: Path) -> tuple[int, str]:
    """The experiment's id, and what `det experiment create --follow` printed."""
    printed = cluster.det("experiment", "create", "-f", str(loud / "config.yaml"), str(loud))
    return int(printed.split("Created experiment ")[1].split()[0]), printed


def test_every_line_arrives_in_order(cluster: Cluster, followed: tuple[int, str]) -> None:
    """Progress bars line by line, bad bytes replaced, a megabyte whole, NUL and colours harmless, a last line without end."""
    experiment, printed = followed
    lines = [line.partition(" || ")[2] for line in printed.splitlines() if " || " in line]
    expected = [
        "hooked 7.5",
        *(f"bar {number} of 20" for number in range(20)),
        "bytes \ufffd\ufffd\ufffd end",
        "a" * 1_000_000 + "z",
        "nul \ufffd here",
        "\x1b[31mred\x1b[0m",
        "from the third",
        "last without newline",
    ]
    assert [line for line in lines if line in expected] == expected
    assert printed.rstrip().splitlines()[-1].startswith("Trial log stream ended")
    assert cluster.experiment(experiment)["state"] == "STATE_COMPLETED"


def test_lines_are_found_by_level_rank_and_stream(cluster: Cluster, followed: tuple[int, str]) -> None:
    """The level of Python's logging, the rank of distributed training, and where a line was written to."""
    trial = str(cluster.trial_of(followed[0])["id"])
    for flags, expected in (
        (("--level", "ERROR"), ["ERROR: an error"]),
        (("--level", "WARNING"), ["WARNING: a warning", "ERROR: an error"]),
        (("--rank-id", "3"), ["from the third"]),
    ):
        found = cluster.det("trial", "logs", trial, *flags).splitlines()[:-1]
        found = [line for line in found if "pynvml" not in line]  # the harness misses a library for GPUs
        assert [re.sub(r".* \|\| |\[\d+\] root: ", "", line) for line in found] == expected
    found = cluster.det("trial", "logs", trial, "--json", "--rank-id", "3")
    assert json.loads(found[: found.rindex("}") + 1])["rankId"] == 3
    assert "to stderr" in cluster.det("trial", "logs", trial, "--stdtype", "stderr")
    assert "to stderr" not in cluster.det("trial", "logs", trial, "--stdtype", "stdout")


def test_a_hook_installs_for_its_own_task_only(cluster: Cluster, followed: tuple[int, str]) -> None:
    """The task has imported the package; the environment of the server does not know it."""
    assert "hooked 7.5" in followed[1]
    assert importlib.util.find_spec("overlaid") is None


def test_every_number_is_stored(cluster: Cluster, followed: tuple[int, str]) -> None:
    """Training, validation, a group of one's own and the profiler's; TensorBoard's files; the checkpoint; the progress."""
    experiment = cluster.experiment(followed[0])
    trial = cluster.trial_of(followed[0])["id"]
    groups = {group: rows(cluster, trial, group) for group in ("training", "validation", "inference", "cpu", "memory", "network")}
    assert [row["totalBatches"] for row in groups["training"]] == list(range(1, 11))
    assert {row["metrics"]["avg_metrics"]["odd"] for row in groups["training"]} == {"NaN"}
    assert [row["metrics"]["validation_metrics"]["loss"] for row in groups["validation"]] == [0.1]
    assert [row["metrics"]["avg_metrics"]["seen"] for row in groups["inference"]] == [5]
    assert all(groups.values()), {name: len(found) for name, found in groups.items()}
    assert experiment["progress"] == 1
    files = list((cluster.data_dir / "storage").glob(f"*/tensorboard/experiment/{followed[0]}/trial/{trial}/*tfevents*"))
    losses: list[int] = []
    for file in files:
        board = EventAccumulator(str(file)).Reload()
        losses += [
            event.step for tag in board.Tags()["scalars"] if "loss" in tag and "val" not in tag for event in board.Scalars(tag)
        ]
    assert sorted(losses) == list(range(1, 11))


def rows(cluster: Cluster, trial: int, group: str) -> list[Any]:
    """What is stored of one group."""
    return [
        row for part in cluster.lines(f"trials/metrics/trial_metrics?trialIds={trial}&group={group}") for row in part["metrics"]
    ]


def test_no_process_outlives_its_trial(cluster: Cluster, followed: tuple[int, str], loud: Path) -> None:
    """Neither after its own end nor after a kill: not in sessions of their own, not daemons, not those that ignore signals."""
    task = cluster.trial_of(followed[0])["taskId"]
    assert task_processes(cluster.data_dir / "runs" / f"{task}.1") == []
    assert nameless() == 0
    experiment = cluster.submit(loud, "environment.environment_variables=[LINGER=1]")
    trial = cluster.trial_of(experiment)
    run = cluster.data_dir / "runs" / f"{trial['taskId']}.1"
    cluster.until(lambda: rows(cluster, trial["id"], "inference"), bool, "the last report")
    assert len(task_processes(run)) >= 5
    assert nameless() == 1
    cluster.det("experiment", "kill", str(experiment))
    assert cluster.wait(experiment)["state"] == "STATE_CANCELED"
    cluster.until(lambda: task_processes(run), lambda left: left == [], "the end of all processes", 5)
    assert nameless() == 0


def nameless() -> int:
    """How many of the script's processes live that carry no sign of their task."""
    found = 0
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found += path.read_bytes() == b"sleep\x00600.4242\x00"
    return found


def test_a_traceback_is_shown_before_the_command_returns(cluster: Cluster, tmp_path: Path) -> None:
    """A script that cannot be imported; whoever waits for it gets exit status 1, and 0 for one that has completed."""
    (tmp_path / "config.yaml").write_text((LOUD / "config.yaml").read_text())
    (tmp_path / "train.py").write_text("print('first')\nimport no_such_module\n")
    printed = cluster.det("experiment", "create", "-f", str(tmp_path / "config.yaml"), str(tmp_path))
    assert "ModuleNotFoundError: No module named 'no_such_module'" in printed
    experiment = int(printed.split("Created experiment ")[1].split()[0])
    began = time.monotonic()
    cluster.det("experiment", "wait", str(experiment), "--polling-interval", "1", status=1)
    assert time.monotonic() - began < 30
    assert cluster.experiment(experiment)["state"] == "STATE_ERROR"
