"""Downloads."""

import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.api.registered import checkpoint, uuid
from tests.api.unmanaged import report, trial
from tests.support import Client


class Stored:
    """A reported checkpoint and the folder with its files."""

    def __init__(self, experiment: int, folder: Path) -> None:
        self.experiment = experiment
        self.folder = folder


@pytest.fixture
async def stored(client: Client, tmp_path: Path) -> Stored:
    """A checkpoint in a storage that the server can reach."""
    base = tmp_path / "storage"
    config = {
        "name": "u",
        "searcher": {"name": "single", "metric": "loss"},
        "checkpoint_storage": {"type": "shared_fs", "host_path": str(base), "storage_path": "deep"},
    }
    made = await client.ok("POST", "experiments", {"config": json.dumps(config), "unmanaged": True})
    await checkpoint(client, 1, made["experiment"]["id"], resources={"a": "3", "dir/": "0", "dir/b": "1"})
    folder = base / "deep" / uuid(1)
    (folder / "dir").mkdir(parents=True)
    (folder / "a").write_text("abc")
    (folder / "dir" / "b").write_text("b")
    return Stored(made["experiment"]["id"], folder)


async def download(client: Client, headers: dict[str, str] | None = None, method: str = "GET", **query: str) -> Any:
    """The raw answer."""
    sent = {"Authorization": f"Bearer {await client.token('admin')}"} | (headers or {})
    return await client.http.request(method, f"/checkpoints/{uuid(1)}", headers=sent, params=query)


FILES = {"a": b"abc", "dir/b": b"b"}


def files_of(kind: str, data: bytes) -> dict[str, bytes]:
    """Files of an archive."""
    if kind == "application/zip":
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            return {info.filename: packed.read(info) for info in packed.infolist() if not info.is_dir()}
    mode = "r:gz" if kind == "application/gzip" else "r:"
    with tarfile.open(fileobj=io.BytesIO(data), mode=mode) as packed:  # type: ignore[call-overload]
        return {member.name: packed.extractfile(member).read() for member in packed if member.isfile()}


@pytest.mark.parametrize(
    ("accept", "query", "kind"),
    [
        ("application/gzip", {}, "application/gzip"),
        ("application/zip", {}, "application/zip"),
        ("application/x-tar", {}, "application/x-tar"),
        ("*/*", {}, "application/gzip"),
        ("text/html, application/zip;q=0.9, */*;q=0.8", {}, "application/zip"),
        ("text/html", {"format": "zip"}, "application/zip"),
        ("*/*", {"format": "tar"}, "application/x-tar"),
        ("application/zip", {"format": "tgz"}, "application/gzip"),
    ],
)
async def test_a_checkpoint_comes_as_it_is_asked_for(
    client: Client, stored: Stored, accept: str, query: dict[str, str], kind: str
) -> None:
    """By the Accept header or by `format`, which goes before it; HEAD tells the same without the files."""
    for method in ("GET", "HEAD"):
        answer = await download(client, {"Accept": accept}, method, **query)
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
        assert uuid(1) in answer.headers["content-disposition"]
        assert method == "HEAD" or files_of(kind, answer.content) == FILES


async def test_other_forms_are_refused(client: Client, stored: Stored) -> None:
    """With what is possible."""
    answer = await download(client, {"Accept": "text/html"})
    assert answer.status_code == 415
    assert "application/gzip" in answer.json()["message"]
    assert (await download(client, format="rar")).status_code == 400


async def test_only_who_may_see_it_downloads(client: Client, stored: Stored) -> None:
    """No login, a wrong token, an unknown uuid, no uuid: each has its status and the shape of errors outside the API."""
    for path, user, status in (
        (uuid(1), None, 401),
        (uuid(1), "token:wrong", 401),
        (uuid(9), "admin", 404),
        ("xyz", "admin", 400),
        ("..%2f..%2fetc", "admin", 404),
    ):
        answer = await client.get(f"/checkpoints/{path}", user=user)
        assert answer.status == status, path
        assert set(answer.body) == {"message"}


async def test_files_that_are_gone_are_told(client: Client, stored: Stored) -> None:
    """A deleted checkpoint, one whose folder is gone, and a storage that cannot be reached are different things."""
    stored.folder.rename(stored.folder.with_name("elsewhere"))
    answer = await download(client)
    assert (answer.status_code, "no files" in answer.json()["message"]) == (404, True)
    stored.folder.parent.rename(stored.folder.parent.with_name("unmounted"))
    assert (await download(client)).status_code == 503
    await client.ok("PATCH", "checkpoints", {"checkpoints": [{"uuid": uuid(1), "resources": {"resources": {}}}]})
    answer = await download(client)
    assert (answer.status_code, "deleted" in answer.json()["message"]) == (404, True)


async def test_a_download_never_leads_out(client: Client, stored: Stored, tmp_path: Path) -> None:
    """Neither a link among the files nor one in the place of the folder."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "a").write_text("secret")
    (stored.folder / "file").symlink_to("/etc/passwd")
    (stored.folder / "folder").symlink_to(tmp_path / "secret")
    (stored.folder / "up").symlink_to("../../../secret/a")
    (stored.folder / "inside").symlink_to("dir/b")
    answer = await download(client)
    assert files_of("application/gzip", answer.content) == FILES | {"inside": b"b"}
    stored.folder.rename(tmp_path / "moved")
    stored.folder.symlink_to(tmp_path / "secret")
    assert (await download(client)).status_code == 404


async def test_a_policy_is_previewed(client: Client, stored: Stored) -> None:
    """What `det experiment set gc-policy` shows before it asks; nothing is removed."""
    one = await trial(client, stored.experiment)
    await report(client, one, 2, {"loss": 0.5}, "validation")
    task = (await client.ok("GET", f"trials/{one}"))["trial"]["taskId"]
    validated = {"uuid": uuid(2), "taskId": task, "resources": {"a": "1"}, "metadata": {"steps_completed": 2}}
    await client.ok("POST", "checkpoints", validated)
    path = f"/experiments/{stored.experiment}/preview_gc"
    nothing = {"save_experiment_best": 0, "save_trial_best": 0, "save_trial_latest": 0}
    shown = await client.ok("GET", path, **nothing)
    assert shown["metric_name"] == "loss"
    assert [one["UUID"] for one in shown["checkpoints"]] == [uuid(1), uuid(2)]
    assert shown["checkpoints"][1]["ValidationMetrics"] == {"loss": 0.5}
    assert shown["checkpoints"][1]["Resources"] == {"a": 1}
    kept = await client.ok("GET", path, **(nothing | {"save_trial_best": 1}))
    assert [one["UUID"] for one in kept["checkpoints"]] == [uuid(1)]
    assert (await client.get(path, save_trial_best="-1")).status == 400
    assert (await client.get("/experiments/999/preview_gc")).status == 404
    assert (await client.get(path, user=None)).status == 401


async def test_the_files_of_an_experiment(client: Client) -> None:
    """The whole archive, and one file, which no browser shows as a page; paths never lead out."""
    content = "PGI+aGk8L2I+"  # <b>hi</b>
    body = {
        "config": "{name: u, entrypoint: x, searcher: {name: single, metric: loss}}",
        "activate": False,
        "modelDefinition": [
            {"path": "page.html", "type": 48, "content": content, "mtime": "0", "mode": 420},
            {"path": "link", "type": 50, "content": "cGFnZS5odG1s", "mtime": "0", "mode": 420},
        ],
    }
    made = (await client.ok("POST", "experiments", body))["experiment"]["id"]
    token = await client.token("admin")
    answer = await client.http.get(f"/experiments/{made}/model_def", headers={"Authorization": f"Bearer {token}"})
    assert files_of("application/gzip", answer.content) == {"page.html": b"<b>hi</b>"}
    one = await client.get(f"/experiments/{made}/file/download?path=page.html")
    assert (one.status, one.text, one.headers["content-type"]) == (200, "<b>hi</b>", "application/octet-stream")
    assert one.headers["content-disposition"] == 'attachment; filename="page.html"'
    for path in ("../../etc/passwd", "%2e%2e%2fetc/passwd", "%252e%252e%252fetc", "/etc/passwd", "", "none", ".", "link"):
        refused = await client.get(f"/experiments/{made}/file/download?path={path}")
        assert (refused.status in (400, 404), set(refused.body)) == (True, {"message"}), path
    for target in ("999/model_def", "x/model_def", "999/file/download?path=a", f"{made}/file/download"):
        assert (await client.get(f"/experiments/{target}")).status in (400, 404), target
