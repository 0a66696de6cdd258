"""Where the TensorBoard files of experiments and trials are, as a task on this cluster reaches them and as clients see it."""

from collections.abc import Mapping
from typing import Any

from undeterred.base.errors import Refused
from undeterred.engine.storage.open import base_of, tensorboard_folder

SHARED_FS = "/determined_shared_fs"
"""Where clients of Determined see a shared file system inside a container."""
_SCHEMES = {"s3": ("s3", "bucket"), "gcs": ("gs", "bucket"), "azure": ("az", "container")}


def real_path(storage: Mapping[str, Any], cluster_id: str, experiment_id: int, trial_id: int | None = None) -> str:
    """The folder of the files, or its address in an object store. Raises Invalid or Refused for a storage that has none."""
    below = tensorboard_folder(cluster_id, experiment_id, trial_id)
    kind = str(storage.get("type") or "")
    if kind in ("shared_fs", "directory"):
        return f"{base_of(storage)}/{below}"
    if kind not in _SCHEMES:
        raise Refused(f"experiment {experiment_id} has no checkpoint storage in which TensorBoard files could be")
    scheme, key = _SCHEMES[kind]
    parts = (str(storage.get(key) or ""), "" if kind == "azure" else str(storage.get("prefix") or ""), below)
    return f"{scheme}://" + "/".join(part.strip("/") for part in parts if part.strip("/"))


def shown_path(storage: Mapping[str, Any], cluster_id: str, experiment_id: int, trial_id: int | None = None) -> str:
    """The same as clients see it in the command line of a TensorBoard."""
    if storage.get("type") != "shared_fs":
        return real_path(storage, cluster_id, experiment_id, trial_id) + "/"
    base = "/".join(part for part in (SHARED_FS, str(storage.get("storage_path") or "").strip("/")) if part)
    return f"{base}/{tensorboard_folder(cluster_id, experiment_id, trial_id)}/"


def variables(storage: Mapping[str, Any]) -> dict[str, str]:
    """Environment variables with which TensorBoard gets into an object store."""
    names = {"access_key": "AWS_ACCESS_KEY_ID", "secret_key": "AWS_SECRET_ACCESS_KEY", "endpoint_url": "S3_ENDPOINT"}
    found = {name: str(storage[key]) for key, name in names.items() if storage.get(key)} if storage.get("type") == "s3" else {}
    return {"TF_CPP_MIN_LOG_LEVEL": "3"} | found
