"""Where TensorBoard files are."""

import pytest

from undeterred.base.errors import Refused
from undeterred.engine.eventfiles import real_path, shown_path, variables

BELOW = "c/tensorboard/experiment/7"


def test_files_of_each_storage() -> None:
    """Folders are paths, object stores addresses that TensorBoard understands."""
    assert real_path({"type": "shared_fs", "host_path": "/a", "storage_path": "b"}, "c", 7) == f"/a/b/{BELOW}"
    assert real_path({"type": "directory", "container_path": "/a"}, "c", 7, 3) == f"/a/{BELOW}/trial/3"
    assert real_path({"type": "s3", "bucket": "b", "prefix": "/p/"}, "c", 7) == f"s3://b/p/{BELOW}"
    assert real_path({"type": "gcs", "bucket": "b", "prefix": None}, "c", 7) == f"gs://b/{BELOW}"
    assert real_path({"type": "azure", "container": "b"}, "c", 7) == f"az://b/{BELOW}"


def test_an_experiment_without_storage_is_refused() -> None:
    """There can be no files."""
    with pytest.raises(Refused, match="experiment 7"):
        real_path({}, "c", 7)


def test_clients_see_a_shared_file_system_where_containers_have_it() -> None:
    """All other places are shown as they are."""
    assert shown_path({"type": "shared_fs", "host_path": "/a"}, "c", 7) == f"/determined_shared_fs/{BELOW}/"
    assert shown_path({"type": "directory", "container_path": "/a"}, "c", 7) == f"/a/{BELOW}/"


def test_credentials_of_an_object_store_become_variables() -> None:
    """Only those that are configured."""
    found = variables({"type": "s3", "access_key": "k", "secret_key": "s", "endpoint_url": None})
    assert (found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"]) == ("k", "s")
    assert "S3_ENDPOINT" not in found
