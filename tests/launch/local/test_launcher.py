"""Real processes under real supervisors."""

import asyncio
import os
import signal
import sys
import textwrap
from pathlib import Path

import pytest

from tests.launch.support import make_launcher, make_spec, opened, processes_with, read_all, run, shell, texts, until, wait_end
from undeterred.base.errors import Invalid, Refused, Unsupported
from undeterred.launch.launcher import Offsets, TaskState
from undeterred.launch.local.records import read_started
from undeterred.launch.spec import TRIAL_PORTS, ContainerOptions, ContextFile, NodeAsk

STUBBORN = textwrap.dedent(
    """
    import os, signal, sys, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for number in range(3):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                if number == 2:  # without the marker, and not below a live parent of the task
                    os.execve(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)", sys.argv[1]], {})
                os.execv(sys.executable, [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); "
                                          "time.sleep(600)", sys.argv[1]])
            os._exit(0)
    print("ready", flush=True)
    time.sleep(600)
    """
)


async def test_a_task_runs_and_its_end_is_known(tmp_path: Path) -> None:
    """Output of both streams, exit code and times are there once the task has ended."""
    async with opened(tmp_path) as launcher:
        status, lines = await run(launcher, shell("a.1", "echo out; echo INFO: err >&2; exit 3"))
        assert status.state is TaskState.EXITED
        assert status.exit is not None
        assert (status.exit.code, status.exit.signal, status.exit.killed, status.exit.error) == (3, None, False, "")
        assert (status.exit.stdout_size, status.exit.stderr_size) == (4, 10)
        assert status.started_at is not None
        assert status.started_at < status.exit.ended_at
        assert sorted(lines) == ["err", "out"]


async def test_short_tasks_keep_line_and_status(tmp_path: Path) -> None:
    """A hundred tasks that end at once: the last line and the exit code are there every time, and nothing stays behind."""
    async with opened(tmp_path) as launcher:

        async def one(number: int) -> tuple[int | None, list[str]]:
            handle = await launcher.submit(shell(f"a.{number}", "echo last; exit 3"))
            status = await wait_end(launcher, handle)
            lines = await texts(launcher, handle)
            await launcher.release(handle)
            return status.exit and status.exit.code, lines

        for first in range(0, 100, 10):
            ended = await asyncio.gather(*(one(number) for number in range(first, first + 10)))
            assert ended == [(3, ["last"])] * 10
        assert list((tmp_path / "runs").iterdir()) == []
    assert processes_with(str(tmp_path)) == []


async def test_submitting_twice_starts_once(tmp_path: Path) -> None:
    """Again, at the same time and by another launcher: the allocation id is the key."""
    async with opened(tmp_path) as one, opened(tmp_path) as two:
        spec = shell("a.1", "echo started; sleep 600")
        handles = await asyncio.gather(*(launcher.submit(spec) for launcher in (one, two, one, two)))
        assert len(set(handles)) == 1
        await until(lambda: (tmp_path / "runs/a.1/stdout.log").read_text(), "a line")
        await one.kill(handles[0], 0)
        await wait_end(one, handles[0])
        await two.submit(spec)
        assert await texts(one, handles[0]) == ["started"]


async def test_a_signal_that_ends_a_task_is_shown(tmp_path: Path) -> None:
    """As a shell shows it: 128 and the number."""
    async with opened(tmp_path) as launcher:
        status, _ = await run(launcher, shell("a.1", "kill -SEGV $$"))
        assert status.exit is not None
        assert (status.exit.code, status.exit.signal, status.exit.killed) == (139, signal.SIGSEGV, False)


@pytest.mark.parametrize(
    ("argv", "code", "text"),
    [(("no-such-program",), 127, "command not found"), (("/etc/passwd",), 126, "not an executable")],
)
async def test_what_cannot_be_started_ends_as_in_a_shell(tmp_path: Path, argv: tuple[str, ...], code: int, text: str) -> None:
    """The reason is in the record and in the log."""
    async with opened(tmp_path) as launcher:
        status, lines = await run(launcher, make_spec("a.1", *argv))
        assert status.exit is not None
        assert status.exit.code == code
        assert text in status.exit.error
        assert any(text in line for line in lines)


@pytest.mark.parametrize(("env", "text"), [({"BIG": "x" * 200_000}, "too long"), ({"NUL": "a\0b"}, "null byte")])
async def test_variables_that_the_system_refuses_are_the_tasks_failure(tmp_path: Path, env: dict[str, str], text: str) -> None:
    """No exit code, because nothing ran, but the reason."""
    async with opened(tmp_path) as launcher:
        status, lines = await run(launcher, make_spec("a.1", "true", user_env=env))
        assert status.exit is not None
        assert status.exit.code is None
        assert text in status.exit.error
        assert text in lines[0]


async def test_a_kill_leaves_no_process(tmp_path: Path) -> None:
    """Children in sessions of their own, without the marker, ignoring SIGTERM: all are gone when the task has ended."""
    async with opened(tmp_path) as launcher:
        handle = await launcher.submit(make_spec("a.1", sys.executable, "-c", STUBBORN, str(tmp_path)))
        await until(lambda: (tmp_path / "runs/a.1/stdout.log").read_text(), "ready")
        await until(lambda: len(processes_with(str(tmp_path))) >= 4, "all processes")
        await launcher.kill(handle, 0.2)
        status = await wait_end(launcher, handle)
        assert status.exit is not None
        assert (status.exit.code, status.exit.killed) == (137, True)
        assert processes_with(str(tmp_path)) == []


async def test_what_a_task_leaves_behind_is_ended_with_it(tmp_path: Path) -> None:
    """A background child lives no longer than the task's first process, and the log is complete."""
    async with opened(tmp_path) as launcher:
        status, lines = await run(launcher, shell("a.1", "(setsid sleep 600 &) ; sleep 600 & echo last"))
        assert (status.exit and status.exit.code, lines) == (0, ["last"])
        assert processes_with(str(tmp_path)) == []


async def test_a_graceful_kill_lets_the_task_finish(tmp_path: Path) -> None:
    """SIGTERM comes first; a task that ends by itself keeps its own exit code."""
    async with opened(tmp_path) as launcher:
        script = "import signal, sys\nsignal.signal(15, lambda *_: (print('saving'), sys.exit(5)))\nprint('on')\nsignal.pause()"
        handle = await launcher.submit(make_spec("a.1", "python", "-c", script))
        await until(lambda: (tmp_path / "runs/a.1/stdout.log").read_text(), "on")
        await launcher.kill(handle, 60)
        status = await wait_end(launcher, handle)
        assert status.exit is not None
        assert (status.exit.code, status.exit.killed) == (5, True)
        assert await texts(launcher, handle) == ["on", "saving"]


async def test_log_and_file_end_at_the_same_number(tmp_path: Path) -> None:
    """Killed in the middle of printing, everything that was printed is in the log."""
    async with opened(tmp_path) as launcher:
        counter = "sleep 600 & i=0; while :; do i=$((i+1)); echo $i; echo $i >> count; done"
        handle = await launcher.submit(shell("a.1", counter))
        count = tmp_path / "runs/a.1/work/count"
        await until(lambda: count.exists() and count.stat().st_size > 1000, "some numbers")
        await launcher.kill(handle, 0)
        await wait_end(launcher, handle)
        printed = [int(text) for text in await texts(launcher, handle)]
        written = int(count.read_text().split()[-1])
        assert printed == list(range(1, len(printed) + 1))
        assert printed[-1] - written in (0, 1)


async def test_difficult_output_arrives(tmp_path: Path) -> None:
    """Progress bars, bad bytes, a line of a megabyte, NUL, colours, no newline at the end."""
    script = (
        "import sys; w = sys.stdout.buffer.write\n"
        "for n in range(200): w(b'step %d\\r' % n)\n"
        "w(b'\\xff\\x80\\xc3\\n' + b'x' * 1000000 + b'\\n' + b'a\\0b\\n' + b'\\x1b[31mred\\x1b[0m\\n' + b'the end')\n"
    )
    async with opened(tmp_path) as launcher:
        status, lines = await run(launcher, make_spec("a.1", "python", "-c", script))
        assert status.exit is not None
        assert status.exit.code == 0
        assert lines[:200] == [f"step {number}" for number in range(200)]
        assert lines[200:] == ["\ufffd\ufffd\ufffd", "x" * 1_000_000, "a\ufffdb", "\x1b[31mred\x1b[0m", "the end"]


async def test_lines_are_readable_while_the_task_runs(tmp_path: Path) -> None:
    """A line is there as soon as it is written, once, and with its time."""
    async with opened(tmp_path) as launcher:
        handle = await launcher.submit(shell("a.1", "echo one; while [ ! -e go ]; do sleep 0.02; done; echo two"))
        await until(lambda: (tmp_path / "runs/a.1/stdout.log").read_text(), "one")
        first = await launcher.read_lines(handle, Offsets())
        assert ([line.text for line in first.lines], first.complete) == (["one"], False)
        (tmp_path / "runs/a.1/work/go").touch()
        status = await wait_end(launcher, handle)
        rest = await launcher.read_lines(handle, first.offsets)
        assert ([line.text for line in rest.lines], rest.complete) == (["two"], True)
        assert status.exit is not None
        assert (rest.offsets.stdout, rest.offsets.stderr) == (status.exit.stdout_size, status.exit.stderr_size)
        assert first.lines[0].time <= rest.lines[0].time <= status.exit.ended_at
        assert await launcher.read_output(handle, 0, 4) == b"two\n"


async def test_a_task_has_its_context_files_and_links(tmp_path: Path) -> None:
    """Context, extra files and bind mounts are in the work folder where the command starts."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.csv").write_text("1,2")
    spec = shell(
        "a.1",
        "cat main.txt extra/key data/train.csv; pwd",
        context_files=(ContextFile("main.txt", b"context\n"),),
        files={"extra/key": b"secret\n"},
        options=ContainerOptions(bind_mounts=({"host_path": str(tmp_path / "data"), "container_path": "data"},), image="acme"),
    )
    async with opened(tmp_path) as launcher:
        status, lines = await run(launcher, spec)
        assert status.exit is not None
        assert status.exit.code == 0
        assert lines[0].startswith("not in a container: image acme is not used")
        assert lines[1:] == ["context", "secret", "1,2" + str(tmp_path / "runs/a.1/work")]


async def test_a_work_folder_elsewhere_is_used(tmp_path: Path) -> None:
    """An absolute `work_dir` is where the command starts, made when missing; the context is still in the task's own."""
    elsewhere = tmp_path / "made" / "here"
    async with opened(tmp_path) as launcher:
        _, lines = await run(launcher, shell("a.1", "pwd", options=ContainerOptions(work_dir=str(elsewhere))))
        assert lines == [str(elsewhere)]


async def test_what_cannot_be_prepared_leaves_nothing(tmp_path: Path) -> None:
    """A bad context, options that are refused, slots that do not exist: an error, no folder, and the id can be used again."""
    async with opened(tmp_path) as launcher:
        bad = [
            (shell("a.1", "true", context=b"garbage"), Invalid),
            (shell("a.1", "true", context_files=(ContextFile("../x", b""),)), Invalid),
            (shell("a.1", "true", nodes=(NodeAsk(1, slot_ids=(7,)),)), Invalid),
            (shell("a.1", "true", nodes=(NodeAsk(), NodeAsk())), Invalid),
            (shell("../a", "true"), Invalid),
        ]
        if os.geteuid() == 0:
            bad.append((shell("a.1", "true", options=ContainerOptions(drop_capabilities=("NET_RAW",))), Unsupported))
        for spec, kind in bad:
            with pytest.raises(kind):
                await launcher.submit(spec)
        assert list((tmp_path / "runs").iterdir()) == []
        status, _ = await run(launcher, shell("a.1", "true"))
        assert status.state is TaskState.EXITED


async def test_ports_differ_between_live_tasks_and_come_back(tmp_path: Path) -> None:
    """Two trials at a time share no port, also across a restart of the launcher; a released task's ports are free again."""
    async with opened(tmp_path) as launcher:
        one = await launcher.submit(shell("a.1", "echo $C10D_PORT; sleep 600", port_names=TRIAL_PORTS))
        async with opened(tmp_path) as restarted:
            two = await restarted.submit(shell("a.2", "sleep 600", port_names=TRIAL_PORTS))
            ports = [dict((await restarted.status(handle)).ports) for handle in (one, two)]
            assert len({*ports[0].values(), *ports[1].values()}) == 8
            await until(lambda: (tmp_path / "runs/a.1/stdout.log").read_text(), "the port")
            assert await texts(restarted, one) == [str(ports[0]["C10D_PORT"])]
        await wait_end(launcher, one)
        await launcher.release(one)
        three = await launcher.submit(shell("a.3", "true", port_names=TRIAL_PORTS))
        assert dict((await launcher.status(three)).ports) == ports[0]


async def test_release_waits_for_the_end_and_can_be_repeated(tmp_path: Path) -> None:
    """A running task keeps its folder; afterwards everything goes, whatever modes the task has set."""
    async with opened(tmp_path) as launcher:
        handle = await launcher.submit(shell("a.1", "mkdir -p closed/in && touch closed/in/x && chmod 0 closed; sleep 600"))
        with pytest.raises(Refused):
            await launcher.release(handle)
        await launcher.kill(handle, 0)
        await wait_end(launcher, handle)
        await launcher.release(handle)
        await launcher.release(handle)
        assert await launcher.find("a.1") is None
        assert list((tmp_path / "runs").iterdir()) == []
        assert (await launcher.status(handle)).state is TaskState.LOST


async def test_the_end_of_a_task_is_an_event(tmp_path: Path) -> None:
    """Whoever watches hears of it without asking; also when the task had ended before the launcher was opened."""
    async with opened(tmp_path) as launcher:
        watch = launcher.watch()
        handle = await launcher.submit(shell("a.1", "true"))
        assert (await asyncio.wait_for(anext(watch), 30)).allocation_id == "a.1"
        assert (await launcher.status(handle)).terminal
        async with opened(tmp_path) as restarted:
            assert (await asyncio.wait_for(anext(restarted.watch()), 30)).allocation_id == "a.1"


async def test_a_signal_reaches_the_tasks_processes(tmp_path: Path) -> None:
    """The first process group gets it; after the end nothing happens."""
    async with opened(tmp_path) as launcher:
        handle = await launcher.submit(shell("a.1", "trap 'echo got it; exit 0' USR2; echo on; while :; do sleep 0.05; done"))
        await until(lambda: (tmp_path / "runs/a.1/stdout.log").read_text(), "on")
        await launcher.signal(handle, signal.SIGUSR2)
        assert (await wait_end(launcher, handle)).state is TaskState.EXITED
        assert "got it" in await texts(launcher, handle)
        await launcher.signal(handle, signal.SIGKILL)


async def test_slots_and_inventory(tmp_path: Path) -> None:
    """The node has the slots asked for, and a task is told which are its own."""
    async with opened(tmp_path, slots=3) as launcher:
        node = (await launcher.inventory()).nodes[0]
        assert (node.slots, node.id, node.pool) == (3, "local", "default")
        _, lines = await run(launcher, shell("a.1", "echo $DET_SLOT_IDS", nodes=(NodeAsk(2, slot_ids=(2, 0)),)))
        assert lines == ["[2,0]"]


async def test_secrets_are_in_files_of_the_server_alone(tmp_path: Path) -> None:
    """The folder and the specification, which holds the token, are closed to others; no token is on a command line."""
    async with opened(tmp_path) as launcher:
        await launcher.submit(shell("a.1", "sleep 600", session_token="tok-very-secret"))
        run_dir = tmp_path / "runs" / "a.1"
        assert (tmp_path / "runs").stat().st_mode & 0o077 == 0
        assert (run_dir / "spec.json").stat().st_mode & 0o077 == 0
        started = read_started(run_dir)
        assert started is not None
        commands = [Path(f"/proc/{pid}/cmdline") for pid in (started.shim_pid, started.task_pid)]
        assert not any(b"tok-very-secret" in path.read_bytes() for path in commands)


async def test_a_data_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    """A file where the folder should be: one clear error."""
    (tmp_path / "file").touch()
    with pytest.raises(Exception, match="cannot use"):
        await make_launcher(tmp_path / "file").open()


async def test_lines_of_both_streams_are_read_in_small_portions(tmp_path: Path) -> None:
    """A limit far below the size of the log loses and doubles nothing."""
    async with opened(tmp_path) as launcher:
        handle = await launcher.submit(shell("a.1", "for i in $(seq 300); do echo o$i; echo e$i >&2; done"))
        await wait_end(launcher, handle)
        lines = await read_all(launcher, handle, limit_bytes=100)
        assert [line.text for line in lines if line.source == "stdout"] == [f"o{number}" for number in range(1, 301)]
        assert [line.text for line in lines if line.source == "stderr"] == [f"e{number}" for number in range(1, 301)]
