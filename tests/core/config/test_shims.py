"""Older and shorter forms become the present one; what is no such form stays as it is."""

import pytest

from undeterred.core.config import shims


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("img", {"cpu": "img", "cuda": "img", "rocm": "img"}),
        (["A=1"], {"cpu": ["A=1"], "cuda": ["A=1"], "rocm": ["A=1"]}),
        ({"gpu": "g", "cpu": "c"}, {"cpu": "c", "cuda": "g"}),
        ({"gpu": "g", "cuda": "new"}, {"cuda": "new"}),
        ({"gpu": "g", "cuda": None}, {"cuda": "g"}),
        ({"cpu": "c"}, {"cpu": "c"}),
        (5, 5),
    ],
)
def test_per_device(given, expected):
    """One value stands for all device types, `gpu` for cuda unless cuda is given."""
    assert shims.per_device(given) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("/a:/b", {"host_path": "/a", "container_path": "/b"}),
        ("/a:/b:r", {"host_path": "/a", "container_path": "/b", "mode": "r"}),
        ("/a", "/a"),
        ("a:b:c:d", "a:b:c:d"),
        ({"host_path": "/a"}, {"host_path": "/a"}),
    ],
)
def test_device(given, expected):
    """Docker's short form of a device has two or three parts."""
    assert shims.device(given) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"type": "exclude_node"}, "exclude_node"),
        ("cancel_retries", "cancel_retries"),
        ({"type": "x", "y": 1}, {"type": "x", "y": 1}),
    ],
)
def test_log_action(given, expected):
    """The action of a log policy may be an object with just a type."""
    assert shims.log_action(given) == expected


def test_strings():
    """A single text is a list of one."""
    assert shims.strings("a b") == ["a b"]
    assert shims.strings(["a", "b"]) == ["a", "b"]
    assert shims.strings(5) == 5


def test_stored():
    """HDFS becomes a directory with the same numbers, without touching the stored tree; other storages stay."""
    tree = {"checkpoint_storage": {"type": "hdfs", "hdfs_path": 5, "save_trial_best": 1}}
    assert shims.stored(tree)["checkpoint_storage"] == {"type": "shared_fs", "host_path": "/", "save_trial_best": 1}
    assert tree["checkpoint_storage"]["type"] == "hdfs"
    other = {"checkpoint_storage": {"type": "s3"}, "name": "x"}
    assert shims.stored(other) == other
