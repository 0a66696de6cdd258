"""From a `checkpoint_storage` configuration to the storage it means, and where things are in it."""

import os
from collections.abc import Mapping
from typing import Any

from undeterred.base.errors import Invalid
from undeterred.engine.storage import cloud
from undeterred.engine.storage.base import Storage
from undeterred.engine.storage.folder import FolderStorage


def base_of(config: Mapping[str, Any]) -> str:
    """The folder of a `shared_fs` or `directory` storage; raises Invalid for one that is not absolute or leads outside."""
    if config.get("type") == "directory":
        base, below = str(config.get("container_path") or ""), None
    else:
        base, below = str(config.get("host_path") or ""), config.get("storage_path")
    if not os.path.isabs(base):
        raise Invalid(f"checkpoint_storage: {base[:80]!r} is no absolute path")
    path = os.path.normpath(os.path.join(base, str(below or "")))
    if path != os.path.normpath(base) and not path.startswith(os.path.normpath(base).rstrip("/") + "/"):
        raise Invalid(f"checkpoint_storage.storage_path: {str(below)[:80]!r} is not below {base[:80]!r}")
    return path


def open_storage(config: Mapping[str, Any]) -> Storage:
    """The storage that a `checkpoint_storage` configuration means; raises Invalid, or Unsupported without its library."""
    if config.get("type") in ("shared_fs", "directory"):
        return FolderStorage(base_of(config))
    return cloud.open_cloud(config)


def tensorboard_folder(cluster_id: str, experiment_id: int, trial_id: int | None = None) -> str:
    """Where the harness keeps the TensorBoard files of an experiment, or of one of its trials, below the storage."""
    folder = f"{cluster_id}/tensorboard/experiment/{experiment_id}"
    return folder if trial_id is None else f"{folder}/trial/{trial_id}"
