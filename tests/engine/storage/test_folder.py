"""A storage in the file system: what it lists, reads and removes, and that it never leaves its folder."""

import os
from pathlib import Path

import pytest

from undeterred.base.errors import Invalid
from undeterred.engine.storage.base import NoStorage, Unreachable, sizes
from undeterred.engine.storage.folder import FolderStorage
from undeterred.engine.storage.open import base_of, open_storage, tensorboard_folder

UUID = "aaaaaaaa-0000-4000-8000-000000000001"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A storage with one checkpoint, and a secret beside it."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("secret")
    folder = tmp_path / "base" / UUID
    (folder / "dir" / "sub").mkdir(parents=True)
    (folder / "a.bin").write_bytes(b"12345")
    (folder / "dir" / "b.bin").write_bytes(b"1")
    return tmp_path / "base"


def listed(base: Path) -> dict[str, int] | None:
    """Path -> bytes."""
    found = FolderStorage(str(base)).entries(UUID)
    return None if found is None else sizes(found)


def read(base: Path, path: str) -> bytes:
    """One file."""
    with FolderStorage(str(base)).open(UUID, path) as file:
        return file.read()


def test_files_and_folders_are_listed(base: Path) -> None:
    """As the harness lists them: folders end in a slash and have no size."""
    assert listed(base) == {"a.bin": 5, "dir/": 0, "dir/b.bin": 1, "dir/sub/": 0}
    assert read(base, "dir/b.bin") == b"1"


def test_missing_is_told_from_unreachable(base: Path) -> None:
    """A checkpoint without a folder is None; a storage without its folder is an error of its own."""
    assert FolderStorage(str(base)).entries("other") is None
    with pytest.raises(NoStorage):
        FolderStorage(str(base / "nowhere")).entries(UUID)
    with pytest.raises(Unreachable) as caught:
        FolderStorage(str(base / UUID / "a.bin")).entries(UUID)
    assert not isinstance(caught.value, NoStorage)


def test_links_are_followed_inside_only(base: Path) -> None:
    """A link to a file of the same checkpoint is that file; a link that leads out is there, empty, and cannot be read."""
    folder = base / UUID
    (folder / "inside").symlink_to("dir/b.bin")
    (folder / "dir" / "up").symlink_to("../a.bin")
    (folder / "twice").symlink_to("inside")
    (folder / "outside").symlink_to("../../secret/key")
    (folder / "absolute").symlink_to("/etc/passwd")
    (folder / "folder").symlink_to("../../secret")
    (folder / "loop").symlink_to("loop")
    assert listed(base) == {
        "a.bin": 5,
        "absolute": 0,
        "dir/": 0,
        "dir/b.bin": 1,
        "dir/sub/": 0,
        "dir/up": 5,
        "folder": 0,
        "inside": 1,
        "loop": 0,
        "outside": 0,
        "twice": 1,
    }
    assert (read(base, "inside"), read(base, "dir/up"), read(base, "twice")) == (b"1", b"12345", b"1")
    for path in ("outside", "absolute", "folder", "folder/key", "loop", "dir", "../../secret/key", "none", ""):
        with pytest.raises(FileNotFoundError):
            read(base, path)


def test_special_files_are_neither_listed_nor_read(base: Path) -> None:
    """A pipe would hold the reader up for ever."""
    os.mkfifo(base / UUID / "pipe")
    assert "pipe" not in (listed(base) or {})
    with pytest.raises(FileNotFoundError):
        read(base, "pipe")


def test_removal_takes_links_not_what_they_lead_to(base: Path) -> None:
    """Neither a link among the files nor a link in the place of a folder reaches outside."""
    folder, secret = base / UUID, base.parent / "secret"
    (folder / "link").symlink_to(secret)
    storage = FolderStorage(str(base))
    storage.delete(UUID, ["link/key", "link", "dir/", "none", "dir/b.bin", "../../secret/key"])
    assert listed(base) == {"a.bin": 5}
    (folder / "inner").symlink_to(secret)
    storage.delete_all(UUID)
    assert not folder.exists()
    folder.symlink_to(secret)
    assert storage.entries(UUID) is None
    storage.delete(UUID, ["key"])
    storage.delete_all(UUID)
    assert not folder.is_symlink()
    assert (secret / "key").read_text() == "secret"


def test_removal_may_be_done_again(base: Path) -> None:
    """What is gone stays gone."""
    storage = FolderStorage(str(base))
    for _ in range(2):
        storage.delete(UUID, ["a.bin"])
        storage.delete_all("other")
    for _ in range(2):
        storage.delete_all(UUID)
        storage.delete(UUID, ["a.bin"])
    assert list(base.iterdir()) == []


def test_the_storage_itself_may_be_a_link(base: Path) -> None:
    """Only what tasks can replace is not followed."""
    (base.parent / "other").symlink_to(base)
    assert listed(base.parent / "other") == listed(base)


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"type": "shared_fs", "host_path": "/a"}, "/a"),
        ({"type": "shared_fs", "host_path": "/a", "storage_path": None}, "/a"),
        ({"type": "shared_fs", "host_path": "/a/", "storage_path": "b/../c"}, "/a/c"),
        ({"type": "shared_fs", "host_path": "/a", "storage_path": "/a/d"}, "/a/d"),
        ({"type": "shared_fs", "host_path": "/", "storage_path": "d"}, "/d"),
        ({"type": "directory", "container_path": "/x"}, "/x"),
    ],
)
def test_where_a_storage_is(config: dict[str, str], path: str) -> None:
    """A path below the host's, relative to it or not."""
    assert base_of(config) == path


@pytest.mark.parametrize(
    "config",
    [
        {"type": "shared_fs", "host_path": "/a", "storage_path": "../b"},
        {"type": "shared_fs", "host_path": "/a", "storage_path": "/ab"},
        {"type": "shared_fs", "host_path": "a"},
        {"type": "directory"},
        {"type": "ftp"},
        {},
        {"type": "s3", "bucket": "b", "prefix": "a/../../b"},
    ],
)
def test_storages_that_are_none_are_refused(config: dict[str, str]) -> None:
    """A path that leads out, a relative one, an unknown type."""
    with pytest.raises(Invalid):
        open_storage(config)


def test_where_tensorboard_files_are() -> None:
    """As the harness writes them."""
    assert tensorboard_folder("c", 3) == "c/tensorboard/experiment/3"
    assert tensorboard_folder("c", 3, 7) == "c/tensorboard/experiment/3/trial/7"
