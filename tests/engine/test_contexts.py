"""Context directories as archives."""

import gzip
import io
import tarfile

import pytest

from undeterred.base.errors import Invalid, NotFound
from undeterred.engine import contexts
from undeterred.launch.spec import ContextFile

FILES = [
    ContextFile("x.py", b"print(1)\n", 48, 0o100644, 1600000000),
    ContextFile("sub", b"", 53, 0o40755, 1600000000),
    ContextFile("sub/y.txt", b"hello\n", 48, 0o100600, 1600000001),
    ContextFile("link", b"x.py", 50, 0o777, 1600000000),
]


def test_an_archive_is_a_plain_tar_gz():
    """tarfile reads back names, kinds, modes, times and contents."""
    with tarfile.open(fileobj=io.BytesIO(contexts.pack(FILES))) as tar:
        members = {member.name: member for member in tar}
        assert list(members) == ["x.py", "sub", "sub/y.txt", "link"]
        assert members["sub"].isdir()
        assert (members["link"].issym(), members["link"].linkname) == (True, "x.py")
        assert (members["sub/y.txt"].mode & 0o777, members["sub/y.txt"].mtime) == (0o600, 1600000001)
        found = tar.extractfile("sub/y.txt")
        assert found is not None
        assert found.read() == b"hello\n"


def test_the_same_files_make_the_same_bytes():
    """Nothing but the files enters the archive; its size is that which Determined's server tells for the same files."""
    assert contexts.pack(FILES) == contexts.pack(FILES)
    recorded = [
        ContextFile("x.py", b"print(1)\n", 48, 33188, 1600000000),
        ContextFile("sub", b"", 53, 16877, 1600000000),
        ContextFile("sub/y.txt", b"hello\n", 48, 33188, 1600000000),
    ]
    assert len(contexts.pack(recorded)) == 168


@pytest.mark.parametrize("name", ["ü/" + "d" * 90 + "/n.py", "d" * 120 + "/x", "a" * 200])
def test_long_and_foreign_names(name):
    """Names that do not fit a plain header are kept, too."""
    archive = contexts.pack([ContextFile(name, b"1")])
    assert contexts.read_file(archive, name) == b"1"
    assert contexts.entries(archive)[-1].path == name


def test_entries_keep_the_order_of_the_archive():
    """Folders that are only named by their files come before the first of them; a file's beginning is there."""
    archive = contexts.pack([ContextFile("z.py", b"a" * 600), ContextFile("b/c/d.py", b"x"), ContextFile("b/e.py", b"")])
    assert [(entry.path, entry.is_dir, entry.size) for entry in contexts.entries(archive)] == [
        ("z.py", False, 600),
        ("b", True, 0),
        ("b/c", True, 0),
        ("b/c/d.py", False, 1),
        ("b/e.py", False, 0),
    ]
    assert contexts.entries(archive)[0].head == b"a" * 512
    assert contexts.entries(b"") == []


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("nope", NotFound),
        ("sub", Invalid),
        ("", Invalid),
        (".", Invalid),
        ("../x", Invalid),
        ("/x.py", Invalid),
        ("link", Invalid),
    ],
)
def test_what_is_no_file_of_a_context(path, error):
    """Folders, links and paths that lead outside are refused, unknown ones are not found."""
    with pytest.raises(error):
        contexts.read_file(contexts.pack(FILES), path)
    with pytest.raises((NotFound, Invalid)):
        contexts.read_file(b"", path)


@pytest.mark.parametrize(
    "file",
    [
        ContextFile("../x", b""),
        ContextFile("/x", b""),
        ContextFile("p", b"", 54),
        ContextFile("big", bytes(96 << 20)),
        ContextFile("l", b"/etc", 50),
        ContextFile("l", b"..", 50),
        ContextFile("a/l", b"../../x", 50),
        ContextFile("a/l", b"b/../../../x", 50),
        ContextFile("l", b"", 50),
        ContextFile("l", b"x\0", 50),
    ],
)
def test_what_cannot_be_packed(file):
    """Paths and links that lead outside, links to nothing, special files, and more than the limit."""
    with pytest.raises(Invalid):
        contexts.pack([file])


def test_links_inside_are_packed():
    """Also those that go up on their way, and those whose names begin like a way up."""
    files = [ContextFile("a/up", b"../x.py", 50), ContextFile("odd", b"..x", 50), ContextFile("a/top", b"..", 50)]
    assert [entry.path for entry in contexts.entries(contexts.pack(files))] == ["a", "a/up", "odd", "a/top"]


def test_an_empty_context():
    """It is an archive without members; the context directory itself is no member."""
    assert len(gzip.decompress(contexts.pack([]))) == 1024
    assert contexts.entries(contexts.pack([ContextFile(".", b"", 53)])) == []
