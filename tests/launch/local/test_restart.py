"""What is left when the server, a supervisor or the machine goes."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from tests.launch.support import opened, processes_with, shell, shim_pid, start_program, start_time, texts, until, wait_end
from undeterred.launch.launcher import TaskState
from undeterred.launch.local import folder, records
from undeterred.shim import processes

SERVER = """
import asyncio, sys
from pathlib import Path
from tests.launch.support import make_launcher, shell

async def main():
    launcher = make_launcher(Path(sys.argv[1]))
    await launcher.open()
    await launcher.submit(shell("a.1", "echo one; while [ ! -e go ]; do sleep 0.02; done; echo two; exit 4"))
    print("submitted", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_a_task_outlives_the_server(tmp_path: Path) -> None:
    """After SIGKILL of the server the task runs on, a new launcher finds it, and nothing of its log or exit is lost."""
    root = str(Path(__file__).parents[3])
    paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    server = start_program(sys.executable, "-c", SERVER, str(tmp_path), cwd=root, env=os.environ | {"PYTHONPATH": paths})
    assert server.stdout is not None
    assert await asyncio.to_thread(server.stdout.readline) == b"submitted\n"
    os.killpg(os.getpgid(shim_pid(tmp_path, "a.1")), 0)  # a group of its own exists
    server.kill()
    server.wait()
    server.stdout.close()
    async with opened(tmp_path) as launcher:
        [(name, handle, status)] = await launcher.list_owned()
        assert (name, status.state) == ("a.1", TaskState.RUNNING)
        assert await launcher.find("a.1") == handle
        (tmp_path / "runs/a.1/work/go").touch()
        ended = await wait_end(launcher, handle)
        assert ended.exit is not None
        assert ended.exit.code == 4
        assert await texts(launcher, handle) == ["one", "two"]


async def test_the_death_of_a_supervisor_ends_its_task(tmp_path: Path) -> None:
    """After SIGKILL of the supervisor the whole tree is ended, the log is complete and the task is lost, not failed."""
    async with opened(tmp_path) as launcher:
        text = "(setsid sh -c 'trap \"\" TERM; echo child; sleep 600' &) ; sleep 0.1; echo parent; sleep 600"
        handle = await launcher.submit(shell("a.1", text))
        await until(lambda: "parent" in (tmp_path / "runs/a.1/stdout.log").read_text(), "both lines")
        os.kill(shim_pid(tmp_path, "a.1"), signal.SIGKILL)
        status = await wait_end(launcher, handle)
        assert status.state is TaskState.LOST
        assert "supervisor" in status.reason
        assert processes_with(str(tmp_path)) == []
        assert await texts(launcher, handle) == ["child", "parent"]
        await launcher.kill(handle, 0)
        await launcher.release(handle)
        assert list((tmp_path / "runs").iterdir()) == []


async def test_after_a_restart_of_the_machine_a_task_is_lost_and_no_stranger_is_hurt(tmp_path: Path) -> None:
    """A record of another boot is never followed to a process, whoever has that pid now."""
    async with opened(tmp_path) as launcher:
        handle = await launcher.submit(shell("a.1", "true"))
        await wait_end(launcher, handle)
        stranger = start_program("sleep", "600", cwd="/", env={"UNDETERRED_ALLOCATION": "b.1", "PATH": os.defpath})
        try:
            run_dir = tmp_path / "runs/a.1"
            (run_dir / "exit.json").unlink()
            record = json.loads((run_dir / "start.json").read_text())
            same = {"pid": stranger.pid, "start": start_time(stranger.pid)}
            records.write(run_dir / "start.json", record | {"boot_id": "another", "shim": same, "task": same})
            assert (await launcher.status(handle)).state is TaskState.LOST
            await launcher.kill(handle, 0)
            await launcher.signal(handle, signal.SIGKILL)
            assert stranger.poll() is None
            # The same boot, but the pid belongs to a process that started at another time.
            other = {"pid": stranger.pid, "start": "1"}
            records.write(run_dir / "start.json", record | {"shim": other, "task": other})
            await launcher.kill(handle, 0)
            assert (await launcher.status(handle)).state is TaskState.LOST
            assert stranger.poll() is None
        finally:
            stranger.kill()
            stranger.wait()


async def test_a_server_killed_before_the_start_can_start_again(tmp_path: Path) -> None:
    """A whole run folder without supervisor: submitting again starts it; without that the task is lost and stays unstarted."""
    async with opened(tmp_path) as launcher:
        for name in ("a.1", "a.2"):
            handle = await launcher.submit(shell(name, "echo ran"))
            await wait_end(launcher, handle)
            for leftover in ("start.json", "exit.json", "stdout.log", "stderr.log", "times.bin"):
                (tmp_path / "runs" / name / leftover).unlink()
        one = await launcher.submit(shell("a.1", "echo never this one"))
        assert (await wait_end(launcher, one)).state is TaskState.EXITED
        assert await texts(launcher, one) == ["ran"]
        two = await launcher.find("a.2")
        assert two is not None
        status = await launcher.status(two)
        assert (status.state, status.reason) == (TaskState.LOST, "the task was never started")
        await launcher.submit(shell("a.2", "echo too late"))
        assert (await launcher.status(two)).state is TaskState.LOST
        assert await texts(launcher, two) == []


async def test_half_made_folders_are_removed_at_the_next_start(tmp_path: Path) -> None:
    """What a server killed while preparing or removing left is no task and goes away."""
    async with opened(tmp_path):
        pass
    for name in (".new-a.1-ab", ".old-a.2"):
        (tmp_path / "runs" / name / folder.WORK).mkdir(parents=True)
    async with opened(tmp_path) as launcher:
        assert await launcher.list_owned() == []
        assert list((tmp_path / "runs").iterdir()) == []


async def test_many_tasks_are_found_again(tmp_path: Path) -> None:
    """A new launcher lists running, ended and lost ones, each as what it is."""
    async with opened(tmp_path) as launcher:
        await launcher.submit(shell("run.1", "sleep 600"))
        lost = await launcher.submit(shell("lost.1", "sleep 600"))
        ended = await launcher.submit(shell("end.1", "true"))
        await wait_end(launcher, ended)
        killed = shim_pid(tmp_path, "lost.1")
        os.kill(killed, signal.SIGKILL)
        await until(lambda: processes.look(killed) is None, "the end of the supervisor")
        async with opened(tmp_path) as restarted:
            found = {name: status.state for name, _, status in await restarted.list_owned()}
            assert found == {"run.1": TaskState.RUNNING, "lost.1": TaskState.LOST, "end.1": TaskState.EXITED}
            assert (await launcher.status(lost)).state is TaskState.LOST
