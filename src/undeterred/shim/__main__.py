"""`python -m shim <run>/spec.json`: become the supervisor of one task. `--sweep` first: clean up after a dead one.

The process started here forks and ends as soon as the task runs (status 0), or with a reason on stderr; the supervisor
itself is in a session of its own and has no parent to die with.
"""

import contextlib
import fcntl
import json
import os
import sys
from typing import Any

from . import record, supervise

FAULTS = "shim.err"


def main(arguments: list[str]) -> int:
    """Run as the module's description says; the exit status of the first process."""
    sweeping = arguments[:1] == ["--sweep"]
    with open(arguments[-1], encoding="utf-8") as file:
        spec = json.load(file)
    os.umask(0o077)
    if sweeping:
        supervise.sweep(spec)
        return 0
    report, answer = os.pipe()
    if os.fork():
        os.close(answer)
        return _await(report)
    os.close(report)
    os.setsid()
    _serve(spec, answer)
    return 0


def _await(report: int) -> int:
    """Wait for the supervisor's word: "started", or what went wrong."""
    with os.fdopen(report, "rb") as stream:
        word = stream.read().decode(errors="replace")
    if word == "started":
        return 0
    sys.stderr.write(word or "the supervisor ended before it could start the task")
    return 1


def _serve(spec: dict[str, Any], answer: int) -> None:
    run_dir = spec["run_dir"]
    lock = os.open(os.path.join(run_dir, record.LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        _tell(answer, "started")  # another supervisor is at it: this is a repeated start
        return
    if any(os.path.exists(os.path.join(run_dir, name)) for name in (record.START, record.EXIT, record.LOST)):
        _tell(answer, "started")
        return
    try:
        supervisor = supervise.Supervisor(spec)
        running = supervisor.start()
    except OSError as error:
        _tell(answer, f"cannot write to the run folder: {error}")
        return
    _leave_starter(run_dir)
    _tell(answer, "started")
    if running:
        supervisor.run()


def _leave_starter(run_dir: str) -> None:
    """Let go of the starter's pipes: nothing in, our own faults into a file."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    faults = os.open(os.path.join(run_dir, FAULTS), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for target, source in ((0, nothing), (1, faults), (2, faults)):
        os.dup2(source, target)
    for descriptor in {nothing, faults} - {0, 1, 2}:
        os.close(descriptor)


def _tell(answer: int, word: str) -> None:
    with contextlib.suppress(OSError):  # the starter may have been killed meanwhile
        os.write(answer, word.encode())
    os.close(answer)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
