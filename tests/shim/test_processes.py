"""Finding and ending processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from undeterred.shim import processes

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A sleeping process with a marker."""
    started = subprocess.Popen(SLEEP, env={"UNDETERRED_TEST": "marker-1", "PATH": os.defpath}, start_new_session=True)
    yield started
    started.kill()
    started.wait()


def test_a_process_is_known_by_pid_and_start(child: subprocess.Popen[bytes]) -> None:
    """One look says parent, group, session and start; a second look the same start."""
    found = processes.look(child.pid)
    assert found is not None
    assert (found.parent, found.group, found.session) == (os.getpid(), child.pid, child.pid)
    assert processes.look(child.pid) == found
    assert processes.table()[child.pid] == found


def test_zombies_and_missing_processes_are_not_alive(child: subprocess.Popen[bytes]) -> None:
    """A process that ended counts as gone even before its parent has collected it."""
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert processes.look(child.pid) is None
    assert child.pid not in processes.table()
    assert processes.look(2**22 + 1) is None


def test_a_marker_must_match_whole(child: subprocess.Popen[bytes]) -> None:
    """All markers of a task, and not just their beginnings."""
    found = processes.look(child.pid)
    assert found is not None
    for _ in range(200):
        if child.pid in processes.marked(("UNDETERRED_TEST=marker-1",)):
            break
        time.sleep(0.01)  # the child may not have got its environment yet
    assert child.pid in processes.marked(("UNDETERRED_TEST=marker-1", f"PATH={os.defpath}"))
    assert child.pid not in processes.marked(("UNDETERRED_TEST=marker",))
    assert child.pid not in processes.marked(("UNDETERRED_TEST=marker-1", "OTHER=1"))


def test_members_are_what_is_below_in_the_session_or_marked(child: subprocess.Popen[bytes]) -> None:
    """Each way of belonging is enough, and the asking process is never one of them."""
    marker = ("UNDETERRED_TEST=marker-1",)
    nobody = ("UNDETERRED_TEST=no-such",)
    for _ in range(200):
        if processes.marked(marker):
            break
        time.sleep(0.01)
    assert [process.pid for process in processes.members(-1, None, marker)] == [child.pid]
    assert [process.pid for process in processes.members(-1, child.pid, nobody)] == [child.pid]
    assert child.pid in [process.pid for process in processes.members(os.getpid(), None, nobody)]
    assert processes.members(-1, None, nobody) == []


def test_a_signal_reaches_only_the_very_process(child: subprocess.Popen[bytes]) -> None:
    """Another start time means that the pid has passed to a stranger, who gets nothing."""
    found = processes.look(child.pid)
    assert found is not None
    processes.send(found._replace(start="1"), signal.SIGKILL)
    assert processes.look(child.pid) == found
    processes.send(found, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    processes.send(found, signal.SIGKILL)


def test_ending_all_takes_as_many_rounds_as_needed() -> None:
    """A process that keeps forking new sessions is ended together with what it made meanwhile."""
    text = "import os, time\nwhile True:\n if os.fork() == 0:\n  os.setsid(); time.sleep(600)\n time.sleep(0.005)\n"
    marker = f"UNDETERRED_TEST=marker-{os.getpid()}"
    forking = subprocess.Popen([sys.executable, "-c", text], env=dict([marker.split("=")]), start_new_session=True)
    while len(processes.marked((marker,))) < 5:
        time.sleep(0.01)
    assert processes.end_all(-1, None, (marker,), forking.pid, 30) == 0
    assert processes.table().keys() & processes.marked((marker,)) == set()
    assert forking.wait() == -signal.SIGKILL


def test_the_boot_has_an_id() -> None:
    """The same text at each call."""
    assert processes.boot_id() == processes.boot_id() != ""
