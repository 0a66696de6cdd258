"""The data folder: what it must not be on, nor be called."""

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from undeterred.base.errors import Invalid
from undeterred.cli.datadir import Lock, network_file_system, prepare, warn_of_network

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:35 / /home rw,relatime - nfs4 server:/home rw,vers=4.2
41 40 8:2 / /home/ann/local rw - xfs /dev/sdb1 rw
42 22 0:36 / /mnt/my\\040share rw - cifs //server/share rw
43 22 0:37 / /proc rw - proc proc rw
a broken line
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/var/lib/undeterred", None),
        ("/home", "nfs4"),
        ("/home/ann/data", "nfs4"),
        ("/home/ann/local/data", None),
        ("/homes/data", None),
        ("/mnt/my share/data", "cifs"),
    ],
)
def test_the_innermost_mount_decides(folder: str, kind: str | None) -> None:
    """A folder below a network's file system is on it, unless another is mounted in between."""
    assert network_file_system(Path(folder), MOUNTS) == kind


def test_without_mounts_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the system does not tell what is mounted."""
    monkeypatch.setattr("undeterred.cli.datadir.MOUNTS", tmp_path / "none")
    assert warn_of_network(tmp_path) is None


def test_a_warning_names_folder_kind_and_ways_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line that says what to do."""
    (tmp_path / "mounts").write_text(f"1 0 0:1 / {tmp_path} rw - nfs4 a:/b rw\n")
    monkeypatch.setattr("undeterred.cli.datadir.MOUNTS", tmp_path / "mounts")
    warning = warn_of_network(tmp_path / "data")
    assert warning is not None
    assert all(word in warning for word in (str(tmp_path / "data"), "nfs4", "--data-dir", "--db"))


def test_a_server_says_that_its_folder_is_in_danger(tmp_path: Path) -> None:
    """Among the first lines of its start."""
    (tmp_path / "mounts").write_text(f"1 0 0:1 / {tmp_path} rw - nfs4 a:/b rw\n")
    code = """
import pathlib, sys
from undeterred.cli import datadir, main
datadir.MOUNTS = pathlib.Path(sys.argv.pop(1))
sys.exit(main.main(sys.argv[1:]))
"""
    command = [sys.executable, "-c", code, str(tmp_path / "mounts"), "up", "--no-agent", "--port", "0", "--data-dir"]
    with subprocess.Popen([*command, str(tmp_path / "data")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as up:
        assert up.stdout is not None
        said = []
        for line in up.stdout:
            said.append(line)
            if line.startswith("Undeterred is starting"):
                break
        up.kill()
    assert [line.split()[:4] for line in said if "WARNING" in line] == [["WARNING:", "the", "data", "folder"]]
    assert any(f"{tmp_path / 'data'} is on a network file system (nfs4)" in line for line in said)


def test_a_file_system_without_locks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two servers could not tell that they share it."""

    def lock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", lock)
    with pytest.raises(Invalid, match=f"the data folder {tmp_path} is on a file system without locks: No locks available"):
        Lock(tmp_path)


def test_a_folder_whose_path_is_no_text_is_refused(tmp_path: Path) -> None:
    """Before it is made; in words that any terminal can show. Letters of all languages are text."""
    folder = tmp_path / os.fsdecode(b"d\xff")
    with pytest.raises(Invalid, match=r"d\\udcff.* is no text") as caught:
        prepare(folder)
    assert str(caught.value).isascii()
    assert not folder.exists()
    prepare(tmp_path / "d\u00e4t\u00e4 \U0001f389")
