"""Metadata of runs, and where they put their checkpoints."""

from typing import Any

import pytest

from tests.api import unmanaged
from tests.api.unmanaged import trial
from tests.support import Client

STORAGE = {"type": "shared_fs", "host_path": "/ckpts"}


@pytest.fixture
async def run(client: Client) -> int:
    """A run."""
    return await trial(client, await unmanaged.experiment(client))


async def test_metadata_are_replaced_as_a_whole(client: Client, run: int) -> None:
    """Free JSON comes back as it was; nothing, null and an empty object are the same."""
    path = f"runs/{run}/metadata"
    assert await client.ok("GET", path) == {"metadata": {}}
    first = {"a": 1, "b": {"c": [1, "x", None, True, 1.5, "NaN"]}, "": None, "ü": "✓"}
    assert await client.ok("POST", path, {"metadata": first}) == {"metadata": first}
    assert await client.ok("GET", path) == {"metadata": first}
    assert (await client.ok("GET", f"trials/{run}"))["trial"]["metadata"] == first
    await client.ok("POST", path, {"metadata": {"z": 1}})
    assert await client.ok("GET", path) == {"metadata": {"z": 1}}
    for nothing in ({}, {"metadata": None}, {"metadata": {}}):
        assert await client.ok("POST", path, nothing) == {"metadata": {}}
        assert "metadata" not in (await client.ok("GET", f"trials/{run}"))["trial"]


async def test_what_cannot_be_kept_is_refused(client: Client, run: int) -> None:
    """And what was there stays."""
    await client.ok("POST", f"runs/{run}/metadata", {"metadata": {"kept": 1}})
    bad: list[Any] = ["x", [1], {"a.b": 1}, {"k" * 51: 1}, {"a": "x" * 5001}, {"a": [0] * 101}]
    for metadata in bad:
        answer = await client.post(f"runs/{run}/metadata", {"metadata": metadata})
        assert (answer.status, answer.error["code"]) == (400, 3), metadata
    assert await client.ok("GET", f"runs/{run}/metadata") == {"metadata": {"kept": 1}}


async def test_unknown_runs_are_not_found(client: Client) -> None:
    """By any call."""
    assert (await client.get("runs/999/metadata")).status == 404
    assert (await client.post("runs/999/metadata", {"metadata": {"a": 1}})).status == 404
    assert (await client.post("runs/start", {"runId": 999})).status == 404
    assert (await client.get("runs/x/metadata")).status == 400


async def test_the_same_storage_has_the_same_number(client: Client, run: int) -> None:
    """In whatever order its keys come; without a storage there is no number."""
    first = await client.ok("POST", "runs/start", {"runId": run, "checkpointStorage": STORAGE})
    again = dict(reversed(STORAGE.items()))
    assert await client.ok("POST", "runs/start", {"runId": run, "checkpointStorage": again}) == first
    other = await client.ok("POST", "runs/start", {"runId": run, "checkpointStorage": STORAGE | {"host_path": "/else"}})
    assert other["storageId"] != first["storageId"] > 0
    assert await client.ok("POST", "runs/start", {"runId": run}) == {}
    assert await client.ok("POST", "runs/start", {"runId": run, "checkpointStorage": None}) == {}


async def test_a_storage_that_cannot_be_is_refused(client: Client, run: int) -> None:
    """With all that is wrong."""
    for bad in ({"type": "x"}, {}, {"type": "s3"}, STORAGE | {"what": 1}, STORAGE | {"storage_path": "../out"}):
        answer = await client.post("runs/start", {"runId": run, "checkpointStorage": bad})
        assert (answer.status, answer.error["code"]) == (400, 3), bad
