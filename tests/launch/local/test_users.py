"""Tasks of other Unix users."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.launch.support import opened, processes_with, run, shell, until, wait_end
from undeterred.base.errors import Refused
from undeterred.base.struct import replace
from undeterred.launch.local import users
from undeterred.launch.spec import ContextFile, UnixUser

SYSTEM_PYTHON = "/usr/bin/python3"
OTHER = UnixUser(54321, 54322, "somebody", "some")


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A closed folder below one that everybody can pass through."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts processes of other users")
with_system_python = pytest.mark.skipif(not os.path.exists(SYSTEM_PYTHON), reason="no interpreter that others can reach")


def test_the_servers_user_needs_no_change() -> None:
    """Nobody named, or the very same user: nothing to switch, no warning."""
    for wanted in (None, UnixUser(os.geteuid(), os.getegid())):
        who, warning = users.identity(wanted, "/fallback")
        assert (who.uid, warning) == (None, "")
        assert who.root == (os.geteuid() == 0)


@as_root
def test_root_switches_to_who_is_named() -> None:
    """Numbers without a name in the system work; the home is then the fallback."""
    who, warning = users.identity(OTHER, "/fallback")
    assert warning == ""
    assert (who.uid, who.gid, who.groups, who.login, who.home, who.root) == (
        54321,
        54322,
        (54322,),
        "somebody",
        "/fallback",
        False,
    )


@as_root
def test_a_way_through_is_for_one_user_alone(tmp_path: Path) -> None:
    """Closed folders stay closed: the user passes through but cannot list, others cannot even pass."""
    inner = tmp_path / "closed" / "inner"
    inner.mkdir(parents=True)
    (inner / "file").write_text("x")
    (tmp_path / "closed").chmod(0o700)
    try:
        users.let_through(inner, OTHER.uid, tmp_path)
        users.let_through(inner, OTHER.uid + 1, tmp_path)
    except Refused:
        pytest.skip("this file system keeps no access entries")

    def can(uid: int, *command: str) -> bool:
        return subprocess.run(command, user=uid, group=uid, extra_groups=[], capture_output=True, check=False).returncode == 0

    file = str(inner / "file")
    assert [can(OTHER.uid + number, "cat", file) for number in range(3)] == [True, True, False]
    assert not can(OTHER.uid, "ls", str(tmp_path / "closed"))
    assert (tmp_path / "closed").stat().st_mode & 0o007 == 0
    with pytest.raises(Refused, match="not this server's"):
        users.let_through(inner, OTHER.uid + 2, inner)


@as_root
@with_system_python
async def test_a_task_runs_as_the_named_user(tmp_path: Path) -> None:
    """It owns its work folder, cannot read the server's files, sees its own modules, and is killed like any other."""
    (tmp_path / "server.db").write_text("secret")
    (tmp_path / "server.db").chmod(0o600)
    text = (
        "id -u; id -g; id -G; cat main.txt; touch made $UNDETERRED_SHARED_FS/checkpoint && echo wrote; "
        "cat ../spec.json ../../../server.db; "
        "python -c 'import sys; print(sys.prefix)'; (setsid sleep 600 &); sleep 600"
    )
    spec = shell(
        "a.1", text, unix_user=OTHER, python=SYSTEM_PYTHON, context_files=(ContextFile("main.txt", b"mine\n", mode=0o600),)
    )
    spec = replace(spec, shared_fs=str(tmp_path / "storage"))
    async with opened(tmp_path) as launcher:
        handle = await launcher.submit(spec)
        run_dir = tmp_path / "runs/a.1"
        await until(lambda: "venv" in (run_dir / "stdout.log").read_text(), "the last line")
        await launcher.kill(handle, 0)
        status = await wait_end(launcher, handle)
        assert status.exit is not None
        assert status.exit.code == 137
        assert processes_with(str(tmp_path)) == []
        printed = (run_dir / "stdout.log").read_text().split("\n")
        assert printed[:6] == ["54321", "54322", "54322", "mine", "wrote", f"{run_dir}/venv"]
        assert (run_dir / "stderr.log").read_text().count("ermission denied") == 2
        assert (tmp_path / "storage/checkpoint").stat().st_uid == 54321
        assert (run_dir / "work/made").stat().st_uid == 54321
        await launcher.release(handle)
        assert not run_dir.exists()


@as_root
async def test_an_interpreter_that_the_user_cannot_reach_is_said(tmp_path: Path) -> None:
    """Refused before anything is started, naming interpreter and folder."""
    python = tmp_path / "closed" / "python"
    python.parent.mkdir(mode=0o700)
    python.touch()
    with pytest.raises(Refused, match="closed"):
        users.check_program(python, OTHER.uid)


@pytest.mark.skipif(os.geteuid() == 0, reason="root can")
async def test_an_ordinary_server_warns_about_another_user(tmp_path: Path) -> None:
    """The task runs as the server's user, and its log says so."""
    async with opened(tmp_path) as launcher:
        _, lines = await run(launcher, shell("a.1", "id -u", unix_user=OTHER))
        assert "not as somebody" in lines[0]
        assert lines[1] == str(os.geteuid())
