"""Unpacking a context directory."""

import io
import os
import stat
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undeterred.base.errors import Invalid
from undeterred.launch.context import checked_path, unpack, write_files
from undeterred.launch.spec import ContextFile


def member(name: str, content: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    """One entry of an archive."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, content


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    """A link entry."""
    return member(name, type=kind, linkname=target)


def archive(*members: tuple[tarfile.TarInfo, bytes], mode: str = "w:gz") -> bytes:
    """A tar archive of `members`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:  # type: ignore[call-overload]
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """An empty folder with something precious beside it."""
    (tmp_path / "precious").write_text("untouched")
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


@pytest.mark.parametrize("mode", ["w:gz", "w"])
def test_files_folders_modes_and_times_are_kept(target: Path, mode: str) -> None:
    """Contents, executable bits, times and links inside are as packed; set-user-id bits are not."""
    data = archive(
        member("./", type=tarfile.DIRTYPE, mode=0o755),
        member("./pkg", type=tarfile.DIRTYPE, mode=0o755),
        member("./pkg/run.sh", b"echo", mode=0o6755, mtime=1_600_000_000),
        member("deep/er/file", b"x", mode=0o400),
        link("pkg/again", "../deep/er/file"),
        link("copy", "pkg/run.sh", tarfile.LNKTYPE),
        mode=mode,
    )
    unpack(data, target)
    script = target / "pkg" / "run.sh"
    assert script.read_bytes() == b"echo"
    assert stat.S_IMODE(script.stat().st_mode) == 0o755
    assert script.stat().st_mtime == 1_600_000_000
    assert (target / "pkg" / "again").read_bytes() == b"x"
    assert (target / "copy").read_bytes() == b"echo"
    assert stat.S_IMODE((target / "deep/er/file").stat().st_mode) == 0o600


def test_an_empty_context_is_an_empty_folder(target: Path) -> None:
    """No bytes and an archive without members both unpack to nothing."""
    unpack(b"", target)
    unpack(archive(), target)
    assert list(target.iterdir()) == []


def test_the_last_of_two_entries_of_one_name_counts(target: Path) -> None:
    """As tar does it: a later file replaces an earlier one, also an earlier link, without writing through it."""
    unpack(archive(member("a", b"1"), member("a", b"2"), member("b", b"keep"), link("c", "b"), member("c", b"3")), target)
    assert [(target / name).read_bytes() for name in "abc"] == [b"2", b"keep", b"3"]


@pytest.mark.parametrize(
    "members",
    [
        [member("../precious", b"pwn")],
        [member("a/../../precious", b"pwn")],
        [member("/tmp/undeterred-pwn", b"pwn")],
        [link("etc", "/etc")],
        [link("out", "..")],
        [link("out", ".."), member("out/precious", b"pwn")],
        [link("a/out", "../..")],
        [link("in", "sub"), member("sub/x", b"1"), member("in/y", b"pwn")],
        [link("one", "d/../.."), member("d/x", b"")],
        [link("late", "d/../precious"), link("d", ".")],
        [link("hard", "../precious", tarfile.LNKTYPE)],
        [link("hard", "missing", tarfile.LNKTYPE)],
        [link("out", "../precious"), link("hard", "out", tarfile.LNKTYPE)],
        [link("out", ".."), member("out/new", type=tarfile.DIRTYPE, mode=0o777)],
        [member("pipe", type=tarfile.FIFOTYPE)],
        [member("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3)],
        [member("file", b"1"), member("file/below", b"2")],
        [member("dir/x", b"1"), member("dir", b"2")],
    ],
)
def test_what_would_leave_the_folder_is_refused(target: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    """Whatever way an entry tries to get out, nothing beside the folder is made, changed or linked to."""
    before = target.parent.stat().st_mode
    with pytest.raises(Invalid, match="context"):
        unpack(archive(*members), target)
    assert (target.parent / "precious").read_text() == "untouched"
    assert {path.name for path in target.parent.iterdir()} == {"precious", "work"}
    assert target.parent.stat().st_mode == before
    assert not os.path.exists("/tmp/undeterred-pwn")


@pytest.mark.parametrize(
    "data", [b"no archive", b"\x1f\x8b\x08 broken", archive(member("a", b"x" * 5000))[:-40]], ids=["text", "header", "cut"]
)
def test_what_is_no_archive_is_refused(target: Path, data: bytes) -> None:
    """Garbage and a cut archive are the caller's mistake, told as one."""
    with pytest.raises(Invalid, match="archive"):
        unpack(data, target)


def test_a_list_of_files_follows_the_same_rules(target: Path) -> None:
    """The API's list form makes files, folders and links, and is as closed as an archive."""
    files = [
        ContextFile("dir", type=53, mode=0o755),
        ContextFile("dir/main.py", b"print()", mode=0o755, mtime=1_500_000_000),
        ContextFile("link", b"dir/main.py", type=50),
    ]
    write_files(files, target)
    assert (target / "link").read_bytes() == b"print()"
    for bad in (ContextFile("../precious", b"pwn"), ContextFile("l", b"/etc", type=50), ContextFile("p", type=54)):
        with pytest.raises(Invalid):
            write_files([bad], target)
    assert (target.parent / "precious").read_text() == "untouched"


@given(st.lists(st.sampled_from(["..", ".", "", "a", "b c", "ü"]), max_size=6).map("/".join))
def test_a_checked_path_never_leads_out(path: str) -> None:
    """Whatever the parts, an accepted path stays below the folder it is joined to."""
    try:
        name = checked_path(path)
    except Invalid:
        assert path.startswith("/") or ".." in path.split("/")
    else:
        assert os.path.normpath(os.path.join("/root/dir", name)).startswith("/root/dir")
