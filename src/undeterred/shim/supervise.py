"""Life of one task: start it, watch it, end whatever it leaves, write down how it ended.

The specification (`spec.json`) holds: allocation_id, run_dir, argv, env, cwd, grace_s, note (a line for the log, or ""),
uid, gid, groups (null: the supervisor's own user).
"""

import ctypes
import os
import select
import signal
import subprocess
import time
from typing import Any

from . import processes, record
from .output import Output

ACTIVE_S, QUIET_S = 0.1, 0.25
"""How often the output is looked at, when it changed at the last look and when it did not."""
END_LIMIT_S = 60.0
"""How long to wait for killed processes that do not go (stuck in the kernel) before the exit is written all the same."""
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


class Supervisor:
    """Runs one task to its end."""

    def __init__(self, spec: dict[str, Any]) -> None:
        """`spec` as in the module's description."""
        self._spec = spec
        self._run_dir: str = spec["run_dir"]
        self._markers = (f"UNDETERRED_ALLOCATION={spec['allocation_id']}", f"UNDETERRED_RUN_DIR={self._run_dir}")
        self._asked_to_end = False
        self._end_now = False
        self._killed = False
        self._deadline: float | None = None

    def start(self) -> bool:
        """Start the task; False when that failed, which is then written down. Raises OSError when nothing can be written."""
        self._prepare_process()
        self._output = Output(self._run_dir, self._owner())
        self._write_start(None)
        if self._spec["note"]:
            self._output.say(self._spec["note"])
            self._output.sample()  # so that it is older than the task's first line
        try:
            self._child = self._spawn()
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            code, number, text = _failed_start(error, self._spec)
            self._output.say(f"ERROR: {text}")
            self._write_exit(code, number, text)
            return False
        self._write_start(processes.look(self._child.pid))
        return True

    def run(self) -> None:
        """Watch until the task has ended, end what is left of it, write the exit."""
        pause = QUIET_S
        ended = False
        while not ended:
            select.select([self._wake], [], [], self._until_next(pause))
            woken = self._drain()
            pause = ACTIVE_S if self._output.sample() else QUIET_S
            ended = woken and self._first_has_ended()
            if self._end_now or (self._deadline is not None and time.monotonic() >= self._deadline):
                break
            if self._asked_to_end:
                self._ask_task_to_end()
        left = processes.end_all(os.getpid(), self._child.pid, self._markers, self._child.pid, END_LIMIT_S)
        error = f"{left} processes did not end after SIGKILL" if left else ""
        self._write_exit(*_meaning(self._collect_first()), error)

    def _prepare_process(self) -> None:
        """Be found as the parent of all orphans of the task; be woken by signals."""
        if processes.LINUX:
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._wake, write_end = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_end)
        signal.signal(signal.SIGUSR1, self._on_end_now)

    def _on_end(self, *_: object) -> None:
        self._asked_to_end = True

    def _on_end_now(self, *_: object) -> None:
        self._asked_to_end = self._end_now = True

    def _owner(self) -> tuple[int, int] | None:
        return None if self._spec["uid"] is None else (self._spec["uid"], self._spec["gid"])

    def _spawn(self) -> subprocess.Popen[bytes]:
        me = os.getpid()
        control = ctypes.CDLL(None).prctl if processes.LINUX else None

        def bind_to_supervisor() -> None:
            # Runs between fork and exec, after the change of user (which clears this setting).
            if control is not None:
                control(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
                if os.getppid() != me:
                    os._exit(1)

        return subprocess.Popen(
            self._spec["argv"],
            cwd=self._spec["cwd"],
            env=self._spec["env"],
            stdin=subprocess.DEVNULL,
            stdout=self._output.stdout,
            stderr=self._output.stderr,
            start_new_session=True,
            user=self._spec["uid"],
            group=self._spec["gid"],
            extra_groups=self._spec["groups"],
            umask=0o022,
            preexec_fn=bind_to_supervisor,
        )

    def _until_next(self, pause: float) -> float:
        return pause if self._deadline is None else max(0.0, min(pause, self._deadline - time.monotonic()))

    def _drain(self) -> bool:
        """Whether a signal has come since the last time. What was read here tells so, not `select`, which it may come after."""
        woken = False
        try:
            while os.read(self._wake, 512):
                woken = True
        except BlockingIOError:
            pass
        return woken

    def _first_has_ended(self) -> bool:
        """Whether the task's first process ended; its pid, and so its session's id, stays taken until it is collected.

        Other ended children, orphans of the task, are collected here.
        """
        if not hasattr(os, "waitid"):
            return processes.look(self._child.pid) is None
        while True:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is None or ended.si_pid == self._child.pid:
                return ended is not None
            os.waitpid(ended.si_pid, os.WNOHANG)

    def _collect_first(self) -> int | None:
        """Exit status of the first process, negative for a signal; None when not even SIGKILL has ended it."""
        pid, status = os.waitpid(self._child.pid, os.WNOHANG)
        self._child.returncode = os.waitstatus_to_exitcode(status) if pid else -signal.SIGKILL
        return self._child.returncode if pid else None

    def _ask_task_to_end(self) -> None:
        self._asked_to_end = False
        asked = record.read(os.path.join(self._run_dir, record.KILL)) or {}
        deadline = time.monotonic() + float(asked.get("grace_s", self._spec["grace_s"]))
        first = self._deadline is None
        self._deadline = deadline if self._deadline is None else min(self._deadline, deadline)
        self._killed = True
        if first:
            for process in processes.members(os.getpid(), self._child.pid, self._markers):
                processes.send(process, signal.SIGTERM)

    def _write_start(self, task: processes.Process | None) -> None:
        me = processes.look(os.getpid())
        value = {
            "version": 1,
            "allocation_id": self._spec["allocation_id"],
            "boot_id": processes.boot_id(),
            "started_at": record.now(),
            "shim": {"pid": os.getpid(), "start": me.start if me else ""},
            "task": {"pid": task.pid, "start": task.start} if task else None,
        }
        record.write(os.path.join(self._run_dir, record.START), value)

    def _write_exit(self, code: int | None, number: int | None, error: str) -> None:
        stdout, stderr = self._output.finish()
        value = {
            "version": 1,
            "code": code,
            "signal": number,
            "ended_at": record.now(),
            "stdout_size": stdout,
            "stderr_size": stderr,
            "error": error,
            "killed": self._killed or self._end_now,
        }
        record.write_at_last(os.path.join(self._run_dir, record.EXIT), value)


def sweep(spec: dict[str, Any]) -> None:
    """After the death of a supervisor: end what is left of its task, note the final sizes of the output."""
    run_dir = spec["run_dir"]
    markers = (f"UNDETERRED_ALLOCATION={spec['allocation_id']}", f"UNDETERRED_RUN_DIR={run_dir}")
    started = record.read(os.path.join(run_dir, record.START)) or {}
    task = started.get("task") or {}
    leader = processes.look(task.get("pid", -1))
    session = leader.pid if leader is not None and leader.start == task.get("start") else None
    left = processes.end_all(-1, session, markers, None, END_LIMIT_S)
    value = {"version": 1, "ended_at": record.now(), "left": left}
    record.write_at_last(os.path.join(run_dir, record.LOST), value)


def _meaning(status: int | None) -> tuple[int | None, int | None]:
    """Exit code as a shell shows it, and the signal if there was one."""
    if status is None:
        return None, None
    return (128 - status, -status) if status < 0 else (status, None)


def _failed_start(error: Exception, spec: dict[str, Any]) -> tuple[int | None, int | None, str]:
    program = spec["argv"][0] if spec["argv"] else ""
    if isinstance(error, FileNotFoundError) and error.filename != spec["cwd"]:
        return 127, None, f"{program}: command not found"
    if isinstance(error, PermissionError) and error.filename == program:
        return 126, None, f"{program}: not an executable program"
    return None, None, f"the task could not be started: {error}"
