"""A data folder without space."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.launch.support import make_spec, opened, shell, texts, until, wait_end
from undeterred.base.errors import Busy
from undeterred.launch.launcher import TaskState
from undeterred.launch.local.records import read_started

PRINTING = """
import time, pathlib
number = 0
while not pathlib.Path(STOP).exists():
    number += 1
    print(number, flush=True)
    time.sleep(0.01)
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("cannot mount a small file system here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(path: Path) -> None:
    """Write until nothing more goes in."""
    with path.open("wb", buffering=0) as file:
        size = 1 << 20
        while size:
            try:
                file.write(b"x" * size)
            except OSError:
                size //= 2


async def test_a_task_prints_and_ends_on_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
    """Running tasks live through it, new ones are refused, and exits are known once there is space again."""
    async with opened(small_disk) as launcher:
        program = PRINTING.replace("STOP", repr(str(tmp_path / "stop")))
        handle = await launcher.submit(make_spec("a.1", "python", "-c", program))
        output = small_disk / "runs/a.1/stdout.log"
        await until(lambda: output.stat().st_size > 10, "lines")
        fill(small_disk / "fill")
        size = output.stat().st_size
        await until(lambda: output.stat().st_size > size + 100, "more lines")
        with pytest.raises(Busy, match="No space left"):
            await launcher.submit(shell("a.2", "true"))
        assert await launcher.find("a.2") is None
        (tmp_path / "stop").touch()
        task_gone = f"/proc/{launcher_task(small_disk)}"
        await until(lambda: not os.path.exists(task_gone) or b"Z" in Path(task_gone, "stat").read_bytes(), "the end")
        # Whether the blocks reserved for the output make room for the exit depends on the file system; lost it never is.
        assert (await launcher.status(handle)).state in (TaskState.RUNNING, TaskState.EXITED)
        (small_disk / "fill").unlink()
        status = await wait_end(launcher, handle)
        assert status.exit is not None
        assert status.exit.code == 0
        numbers = [int(text) for text in await texts(launcher, handle)]
        assert numbers == list(range(1, len(numbers) + 1))


def launcher_task(data_dir: Path) -> int:
    """Pid of the task's first process."""
    started = read_started(data_dir / "runs/a.1")
    assert started is not None
    assert started.task_pid is not None
    return started.task_pid
