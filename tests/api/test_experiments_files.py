"""The files of an experiment."""

import base64
import io
import json
import tarfile
from typing import Any

import pytest

from tests.api import unmanaged, worlds
from tests.conftest import make_settings
from tests.support import Client
from undeterred.base.settings import Settings

CONFIG = "{name: m, entrypoint: x, searcher: {name: single, metric: loss}}"
NO_SLOT: dict[str, Any] = {"resources": {"slots": 0}}


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> Settings:
    """Roles decide where a test is marked so."""
    return make_settings(security__authz__type="rbac" if "rbac" in request.node.name else "basic")


def file(path: str, content: bytes = b"", kind: int = 48) -> dict[str, Any]:
    """A file as clients send it."""
    return {"path": path, "content": base64.b64encode(content).decode(), "type": kind, "mode": 33188, "mtime": "1600000000"}


FILES = [file("x.py", b"print(1)\n"), file("sub", kind=53), file("sub/y.bin", b"\x00\x01")]


async def create(client: Client, **body: Any) -> int:
    """A new experiment with files."""
    made = await client.ok("POST", "experiments", {"config": CONFIG, "modelDefinition": FILES, **body})
    return int(made["experiment"]["id"])


async def test_the_whole(client: Client) -> None:
    """A tar.gz in base64, an empty one for an experiment without files; an unmanaged experiment has none at all."""
    outside = await unmanaged.experiment(client)
    assert (await client.ok("GET", f"experiments/{outside}/model_def"))["b64Tgz"] == ""
    for e, names in ((await create(client), ["x.py", "sub", "sub/y.bin"]), (await create(client, modelDefinition=[]), [])):
        text = (await client.ok("GET", f"experiments/{e}/model_def"))["b64Tgz"]
        with tarfile.open(fileobj=io.BytesIO(base64.b64decode(text)), mode="r:gz") as tar:
            assert tar.getnames() == names


async def test_the_tree(client: Client) -> None:
    """Files inside their folders, in the order of the archive."""
    e = await create(client)
    first, folder = (await client.ok("GET", f"experiments/{e}/file_tree"))["files"]
    assert first == {
        "path": "x.py",
        "name": "x.py",
        "modifiedTime": "2020-09-13T12:26:40Z",
        "contentLength": 9,
        "isDir": False,
        "contentType": "text/plain; charset=utf-8",
        "files": [],
    }
    assert (folder["isDir"], folder["path"], folder["contentLength"]) == (True, "sub", 0)
    assert [(one["path"], one["name"], one["contentType"]) for one in folder["files"]] == [
        ("sub/y.bin", "y.bin", "application/octet-stream")
    ]
    empty = await create(client, modelDefinition=[])
    assert (await client.ok("GET", f"experiments/{empty}/file_tree"))["files"] == []
    assert (await client.get(f"experiments/{await unmanaged.experiment(client)}/file_tree")).status == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("x.py", 200),
        ("./x.py", 200),
        ("nope", 404),
        ("", 400),
        ("sub", 400),
        ("../x.py", 400),
        ("sub/../../x.py", 400),
        ("/x.py", 400),
        ("/etc/passwd", 400),
        ("%2e%2e/x.py", 404),
        ("%252e%252e%252fx.py", 404),
        ("link", 400),
        ("folder/y.bin", 404),
    ],
)
async def test_one_file(client: Client, path: str, status: int) -> None:
    """By its path; folders, links and paths that lead outside are refused, coded ones mean what they say."""
    links = [file("link", b"x.py", 50), file("folder", b"sub", 50)]
    e = await create(client, modelDefinition=[*FILES, *links])
    answer = await client.post(f"experiments/{e}/file", {"path": path})
    assert answer.status == status
    if status == 200:
        assert answer.body == {"file": FILES[0]["content"]}
    else:
        assert set(answer.error) == {"code", "reason", "error"}


@pytest.mark.parametrize(
    "entry",
    [
        file("../../pwn", b"x"),
        file("a/../../pwn", b"x"),
        file("/tmp/pwn", b"x"),
        file("etc", b"/etc", 50),
        file("sub/out", b"../../..", 50),
        file("pipe", kind=54),
    ],
)
async def test_files_that_lead_out_are_refused(client: Client, entry: dict[str, Any]) -> None:
    """Whatever they are sent for; nothing is made of the good ones beside them."""
    for path, body in (
        ("experiments", {"config": CONFIG, "modelDefinition": [*FILES, entry]}),
        ("commands", {"config": {"entrypoint": ["true"], **NO_SLOT}, "files": [*FILES, entry]}),
        ("notebooks", {"config": NO_SLOT, "files": [entry]}),
        ("shells", {"config": NO_SLOT, "files": [entry]}),
    ):
        answer = await client.post(path, body)
        assert (answer.status, answer.error["reason"]) == (400, "InvalidArgument"), path
        assert repr(entry["path"]) in answer.error["error"]
        assert (await client.ok("GET", path))[path] == []
    generic = {"config": json.dumps({"entrypoint": ["true"], **NO_SLOT}), "contextDirectory": [*FILES, entry]}
    assert (await client.post("generic-tasks", generic)).error["code"] == 3


async def test_rbac(client: Client) -> None:
    """A stranger finds nothing, a viewer may read."""
    space = await worlds.workspace(client, "w")
    e = await create(client, projectId=(await worlds.project(client, space, "p"))["id"])
    await worlds.user(client, "stranger")
    await worlds.grant(client, await worlds.user(client, "viewer"), worlds.VIEWER, space)
    for method, path, body in (
        ("GET", f"experiments/{e}/model_def", None),
        ("GET", f"experiments/{e}/file_tree", None),
        ("POST", f"experiments/{e}/file", {"path": "x.py"}),
    ):
        assert (await client.call(method, path, body, user="stranger")).status == 404
        assert (await client.call(method, path, body, user="viewer")).status == 200
        assert (await client.call(method, path.replace(str(e), "99", 1), body)).status == 404
