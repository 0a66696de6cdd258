"""The data folder: what it must not be on, nor be called."""

import os
from pathlib import Path

import pytest

from undeterred.base.errors import Invalid
from undeterred.cli.datadir import network_file_system, prepare, warn_of_network

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


def test_a_folder_whose_path_is_no_text_is_refused(tmp_path: Path) -> None:
    """Before it is made; in words that any terminal can show. Letters of all languages are text."""
    folder = tmp_path / os.fsdecode(b"d\xff")
    with pytest.raises(Invalid, match=r"d\\udcff.* is no text") as caught:
        prepare(folder)
    assert str(caught.value).isascii()
    assert not folder.exists()
    prepare(tmp_path / "d\u00e4t\u00e4 \U0001f389")
