"""Shorter and older ways to write a value, turned into the present one.

A shim returns values that it does not know unchanged; what is wrong with them is said when they are read.
"""

from collections.abc import Mapping
from typing import Any

from undeterred.core.config.kinds import Tree

DEVICE_TYPES = ("cpu", "cuda", "rocm")


def per_device(value: Any) -> Any:
    """One image, or one list of environment variables, for all device types; `gpu` is the old name of `cuda`."""
    if isinstance(value, str | list):
        return dict.fromkeys(DEVICE_TYPES, value)
    if isinstance(value, dict) and "gpu" in value:
        rest = {key: item for key, item in value.items() if key != "gpu"}
        return rest if rest.get("cuda") is not None else {**rest, "cuda": value["gpu"]}
    return value


def device(value: Any) -> Any:
    """A device in Docker's short form, `host:container` or `host:container:mode`."""
    if not isinstance(value, str):
        return value
    parts = value.split(":")
    if len(parts) not in (2, 3):
        return value
    return dict(zip(("host_path", "container_path", "mode"), parts, strict=False))


def log_action(value: Any) -> Any:
    """The action of a log policy, which was an object with only a `type` before."""
    return value["type"] if isinstance(value, dict) and set(value) == {"type"} else value


def strings(value: Any) -> Any:
    """A command line given as one text."""
    return [value] if isinstance(value, str) else value


def stored(config: Mapping[str, Any]) -> Tree:
    """A configuration stored by an older version, in a form that can be read today.

    Checkpoints in HDFS are out of reach; the storage is shown as a directory of that path.
    """
    tree = dict(config)
    storage = tree.get("checkpoint_storage")
    if isinstance(storage, Mapping) and storage.get("type") == "hdfs":
        numbers = {key: item for key, item in storage.items() if key.startswith("save_")}
        path = storage.get("hdfs_path")
        host = path if isinstance(path, str) and path.startswith("/") else "/"
        tree["checkpoint_storage"] = {"type": "shared_fs", "host_path": host, **numbers}
    return tree
