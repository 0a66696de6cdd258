"""Object stores: S3 as served by moto's server, over HTTP and through the plug-in that the product uses."""

from collections.abc import Iterator
from typing import Any

import pytest

from undeterred.base.errors import Invalid, Unsupported
from undeterred.engine.storage import cloud
from undeterred.engine.storage.archive import FORMATS
from undeterred.engine.storage.base import Unreachable, sizes
from undeterred.engine.storage.cloud import CloudStorage
from undeterred.engine.storage.open import open_storage

boto3 = pytest.importorskip("boto3")
moto_server = pytest.importorskip("moto.server")

UUID = "aaaaaaaa-0000-4000-8000-000000000001"
FILES = {
    "metadata.json": b"{}",
    "dir/": b"",
    "dir/w.bin": b"x" * 10,
    "dir/.hidden": b"h",
    "empty/": b"",
    "big": b"z" * (5 * 1024 * 1024),
}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The address of the server."""
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def client(endpoint: str) -> Any:
    """A client beside ours, with a bucket that holds one checkpoint as the harness stores it."""
    made = boto3.client(
        "s3", endpoint_url=endpoint, aws_access_key_id="key", aws_secret_access_key="secret", region_name="us-east-1"
    )
    made.create_bucket(Bucket="bucket")
    for key in keys(made):
        made.delete_object(Bucket="bucket", Key=key)
    for path, content in FILES.items():
        made.put_object(Bucket="bucket", Key=f"some/prefix/{UUID}/{path}", Body=content)
    made.put_object(Bucket="bucket", Key=f"some/prefix/{UUID}0/other", Body=b"o")
    return made


def config(endpoint: str, **changes: Any) -> dict[str, Any]:
    """A `checkpoint_storage` configuration."""
    given = {"type": "s3", "bucket": "bucket", "prefix": "/some/./prefix/", "access_key": "key", "secret_key": "secret"}
    return given | {"endpoint_url": endpoint, "save_trial_best": 1} | changes


@pytest.fixture
def storage(endpoint: str, client: Any) -> CloudStorage:
    """Ours."""
    opened = open_storage(config(endpoint))
    assert isinstance(opened, CloudStorage)
    return opened


def keys(client: Any) -> set[str]:
    """Names of all objects."""
    return {item["Key"] for item in client.list_objects_v2(Bucket="bucket").get("Contents", [])}


def test_objects_are_listed_as_files(storage: CloudStorage) -> None:
    """The same list that the harness reported; a checkpoint that is not there is None."""
    found = storage.entries(UUID)
    assert found is not None
    assert sizes(found) == {path: len(content) for path, content in FILES.items()}
    assert all(entry.mtime > 0 for entry in found if not entry.path.endswith("/"))
    assert storage.entries("other") is None


def test_folders_that_nobody_stored_are_listed(storage: CloudStorage, client: Any) -> None:
    """Some stores keep no empty objects for folders."""
    client.put_object(Bucket="bucket", Key="some/prefix/bare/a/b/c", Body=b"1")
    found = storage.entries("bare")
    assert found is not None
    assert sizes(found) == {"a/": 0, "a/b/": 0, "a/b/c": 1}


def test_files_are_read_and_packed(storage: CloudStorage) -> None:
    """Through the same archives as folders."""
    with storage.open(UUID, "dir/w.bin") as file:
        assert file.read() == FILES["dir/w.bin"]
    with pytest.raises(FileNotFoundError), storage.open(UUID, "none"):
        pass
    data = b"".join(FORMATS["tar"](storage, UUID, storage.entries(UUID) or []))
    assert FILES["big"] in data


def test_files_are_removed(storage: CloudStorage, client: Any) -> None:
    """Some of them, folders with all in them, then everything; never a neighbour whose name begins the same way."""
    storage.delete(UUID, ["metadata.json", "dir/", "none"])
    assert keys(client) == {f"some/prefix/{UUID}/big", f"some/prefix/{UUID}/empty/", f"some/prefix/{UUID}0/other"}
    for _ in range(2):
        storage.delete_all(UUID)
        assert keys(client) == {f"some/prefix/{UUID}0/other"}


def test_many_files_are_removed_in_several_calls(storage: CloudStorage, client: Any) -> None:
    """More than one call may name."""
    storage.at_once = 2
    storage.delete_all(UUID)
    assert keys(client) == {f"some/prefix/{UUID}0/other"}


def test_a_bucket_that_is_not_there_is_unreachable(endpoint: str, client: Any) -> None:
    """It does not count as an empty one: nothing is known about what it held."""
    lost = open_storage(config(endpoint, bucket="no-such-bucket"))
    for act in (lost.entries, lost.delete_all):
        with pytest.raises(Unreachable, match="no-such-bucket"):
            act(UUID)


def test_kinds_without_their_plug_in_are_told() -> None:
    """Which extra brings it."""

    def missing(_name: str) -> Any:
        raise ImportError("Install gcsfs to access Google Storage")

    with pytest.raises(Unsupported, match=r"gcsfs: install undeterred\[storage\]"):
        cloud.open_cloud({"type": "gcs", "bucket": "b"}, missing)
    with pytest.raises(Invalid):
        open_storage({"type": "other"})
