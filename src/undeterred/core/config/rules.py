"""Rules about single values and about groups of keys that stand together."""

import re
from collections.abc import Iterator
from typing import Any

from undeterred.base.errors import Invalid
from undeterred.core.config.kinds import Tree
from undeterred.core.regex import compile_pattern

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgtp]?)i?b?\Z", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}

POD_KEYS_REFUSED = ("name", "namespace")
CONTAINER_KEYS_ALLOWED = ("name", "resources", "volumeMounts", "volumeDevices")
TASK_CONTAINER = "determined-container"


def absolute(path: Any) -> str | None:
    """A path of the host begins at its root."""
    return None if path.startswith("/") else f'a path of the host must be absolute, "{path}" is not'


def not_work_dir(path: Any) -> str | None:
    """Nothing is mounted over the work directory itself."""
    return "nothing can be mounted over the work directory itself" if path.strip() in ("", ".", "./") else None


def no_parent(path: Any) -> str | None:
    """A path inside a storage does not lead out of it."""
    return f'".." is not allowed in "{path}"' if ".." in path.split("/") else None


def not_empty(value: Any) -> str | None:
    """Something must be given."""
    return None if value else "must not be empty"


def pattern(text: Any) -> str | None:
    """A regular expression in the language that log policies are matched with."""
    try:
        compile_pattern(text)
    except Invalid as error:
        return str(error)
    return None


def size_in_bytes(text: str) -> int | None:
    """Bytes of a size such as "4g", "512MiB" or "1.5 GB" (all units are powers of 1024); None when it is none."""
    found = _SIZE.match(text.strip())
    if found is None or len(found[1]) > 15:
        return None
    return int(float(found[1]) * 1024 ** _POWERS[found[2].lower()])


def one_unit(length: Tree) -> Iterator[tuple[str, str]]:
    """A length of training has exactly one unit."""
    if len(length) != 1:
        yield "", "a length has exactly one of the keys batches, records, epochs"


def profiled_range(profiling: Tree) -> Iterator[tuple[str, str]]:
    """Profiling does not end before it begins."""
    begin, end = profiling.get("begin_on_batch", 0), profiling.get("end_after_batch")
    if end is not None and end < begin:
        yield ".end_after_batch", f"must not be below begin_on_batch ({begin})"


def inside_host_path(storage: Tree) -> Iterator[tuple[str, str]]:
    """An absolute storage_path lies below host_path."""
    inner, outer = storage.get("storage_path"), storage.get("host_path")
    if inner is None or outer is None or not inner.startswith("/"):
        return
    if f"{inner.rstrip('/')}/".startswith(f"{outer.rstrip('/')}/"):
        return
    yield ".storage_path", f'must be relative, or a directory inside host_path ("{outer}")'


def azure_login(storage: Tree) -> Iterator[tuple[str, str]]:
    """Azure takes a connection string, or an account with or without a credential."""
    if "connection_string" in storage:
        for key in ("account_url", "credential"):
            if key in storage:
                yield f".{key}", "give either connection_string or account_url (with credential), not both"
    elif "credential" in storage and "account_url" not in storage:
        yield ".credential", "is used together with account_url only"


def azure_complete(storage: Tree) -> Iterator[tuple[str, str]]:
    """A complete Azure storage says how to log in."""
    if storage.get("type") == "azure" and storage.get("connection_string") is None and storage.get("account_url") is None:
        yield "", "needs connection_string or account_url"


def log_policy(policy: Tree) -> Iterator[tuple[str, str]]:
    """A policy has a name, or as an older one a pattern with an action."""
    if "name" not in policy and not ("pattern" in policy and "action" in policy):
        yield "", "a log policy needs a name, or both a pattern and an action"


def pod(spec: Tree) -> Iterator[tuple[str, str]]:
    """A pod specification leaves alone what the launcher sets itself."""
    metadata, inner = spec.get("metadata"), spec.get("spec")
    if isinstance(metadata, dict):
        for key in POD_KEYS_REFUSED:
            if metadata.get(key):
                yield f".metadata.{key}", "is chosen by the server and cannot be set"
    if metadata is not None and not isinstance(metadata, dict):
        yield ".metadata", "must be an object"
    if inner is None:
        return
    if not isinstance(inner, dict):
        yield ".spec", "must be an object"
        return
    containers = inner.get("containers")
    for index, container in enumerate(containers if isinstance(containers, list) else []):
        yield from _container(container, f".spec.containers[{index}]")


def _container(container: Any, path: str) -> Iterator[tuple[str, str]]:
    """The container that runs the task takes only resources and volumes; others are free."""
    if not isinstance(container, dict):
        yield path, "must be an object"
    elif container.get("name") == TASK_CONTAINER:
        for key in container:
            if key not in CONTAINER_KEYS_ALLOWED:
                yield f"{path}.{key}", f"cannot be set for {TASK_CONTAINER}; use the configuration's own keys"
