"""Archives that are made while they are sent."""

import io
import os
import stat
import tarfile
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undeterred.engine.storage.archive import FORMATS, PIECE
from undeterred.engine.storage.base import Entry
from undeterred.engine.storage.folder import FolderStorage

SIZES = (0, 1, 511, 512, 513, 1024, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 7)


def unpacked(form: str, data: bytes) -> dict[str, bytes | None]:
    """Name -> content, None for folders, of an archive that other programs read."""
    if form == "zip":
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            assert packed.testzip() is None
            return {info.filename: None if info.is_dir() else packed.read(info) for info in packed.infolist()}
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz" if form == "tgz" else "r:") as packed:
        return {
            member.name + "/" * member.isdir(): None if member.isdir() else packed.extractfile(member).read()  # type: ignore[union-attr]
            for member in packed
        }


@pytest.mark.parametrize("form", FORMATS)
def test_every_file_comes_back(form: str, tmp_path: Path) -> None:
    """Files of all sizes around the boundaries of blocks, long and foreign names, folders, links inside."""
    folder = tmp_path / "ck"
    (folder / "dir" / "empty").mkdir(parents=True)
    contents = {f"f{size}": os.urandom(size) for size in SIZES}
    contents |= {"dir/naïve 模型.bin": b"n", "dir/" + "x" * 180: b"long"}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    os.utime(folder / "f1", (0, 0))
    (folder / "link").symlink_to("f513")
    (folder / "out").symlink_to("/etc/passwd")
    storage = FolderStorage(str(tmp_path))
    entries = storage.entries("ck")
    assert entries is not None
    data = b"".join(FORMATS[form](storage, "ck", entries))
    assert unpacked(form, data) == contents | {"dir/": None, "dir/empty/": None, "link": contents["f513"]}


class Memory:
    """A storage of one folder whose files are there when they are listed, and then changed."""

    def __init__(self, files: dict[str, bytes | None]) -> None:
        self.files = files

    @contextmanager
    def open(self, _folder: str, path: str) -> Iterator[BinaryIO]:
        content = self.files[path]
        if content is None:
            raise FileNotFoundError(path)
        yield io.BytesIO(content)


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_that_is_gone_is_left_out(form: str) -> None:
    """The archive is whole without it."""
    entries = [Entry("a", 3), Entry("gone", 5), Entry("z", 1)]
    data = b"".join(FORMATS[form](Memory({"a": b"abc", "gone": None, "z": b"z"}), "ck", entries))  # type: ignore[arg-type]
    assert unpacked(form, data) == {"a": b"abc", "z": b"z"}


class Shrinking(io.BytesIO):
    """Ends before it said it would."""

    def read(self, size: int | None = -1) -> bytes:
        """Half of what is asked for, then nothing."""
        data = super().read(size)
        super().seek(0, io.SEEK_END)
        return data[: len(data) // 2]


def test_a_file_that_shrinks_keeps_its_size_in_a_tar() -> None:
    """The rest of the archive stays readable."""

    class Storage(Memory):
        @contextmanager
        def open(self, folder: str, path: str) -> Iterator[BinaryIO]:
            with super().open(folder, path) as file:
                yield Shrinking(file.read()) if path == "a" else file

    data = b"".join(FORMATS["tar"](Storage({"a": b"x" * 1000, "z": b"z"}), "ck", [Entry("a"), Entry("z")]))  # type: ignore[arg-type]
    assert unpacked("tar", data) == {"a": b"x" * 500 + bytes(500), "z": b"z"}


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(st.text(st.characters(codec="utf-8", exclude_characters="/\0\\"), min_size=1, max_size=40), st.binary()),
    st.sampled_from(sorted(FORMATS)),
)
def test_names_and_contents_are_kept(files: dict[str, bytes], form: str) -> None:
    """Whatever a name is made of (a zip knows no control characters as such, but keeps them)."""
    storage = Memory(dict(files))
    data = b"".join(FORMATS[form](storage, "ck", [Entry(name) for name in sorted(files)]))  # type: ignore[arg-type]
    assert unpacked(form, data) == files


@pytest.mark.parametrize("form", FORMATS)
def test_memory_does_not_grow_with_the_size(form: str, tmp_path: Path) -> None:
    """64 MB pass through a few pieces."""
    folder = tmp_path / "ck"
    folder.mkdir()
    with open(folder / "big", "wb") as file:
        file.truncate(64 * 1024 * 1024)
    storage = FolderStorage(str(tmp_path))
    tracemalloc.start()
    try:
        largest = max(len(piece) for piece in FORMATS[form](storage, "ck", storage.entries("ck") or []))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert largest <= 4 * PIECE
    assert peak < 16 * PIECE


def test_an_abandoned_archive_lets_its_file_go(tmp_path: Path) -> None:
    """A client that goes away leaves nothing open."""
    (tmp_path / "ck").mkdir()
    (tmp_path / "ck" / "a").write_bytes(bytes(10 * PIECE))
    storage = FolderStorage(str(tmp_path))
    pieces = FORMATS["tar"](storage, "ck", storage.entries("ck") or [])
    next(pieces)
    next(pieces)
    before = _open_files(tmp_path)
    pieces.close()
    assert before
    assert not _open_files(tmp_path)


def _open_files(below: Path) -> list[str]:
    found = []
    for handle in os.listdir("/dev/fd"):
        try:
            if stat.S_ISREG(os.fstat(int(handle)).st_mode):
                target = os.stat(f"/dev/fd/{handle}")
                found += [str(path) for path in below.rglob("*") if path.is_file() and os.path.samestat(path.stat(), target)]
        except OSError:
            continue
    return found
