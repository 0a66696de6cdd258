"""Webhooks: creating, seeing, changing, testing; events that experiments make up."""

from typing import Any

import pytest

from tests.api.worlds import EDITOR, VIEWER, grant, user, workspace
from tests.conftest import make_settings
from tests.receiver import receiving
from tests.rows import experiment, run
from tests.support import Client
from undeterred.app import App
from undeterred.base.json import dumps
from undeterred.base.settings import Settings
from undeterred.store import sessions, webhooks
from undeterred.store.database import Tx
from undeterred.store.schema.tasks import run_tasks, tasks
from undeterred.store.schema.webhooks import webhook_deliveries

COMPLETED = {"triggerType": "TRIGGER_TYPE_EXPERIMENT_STATE_CHANGE", "condition": {"state": "COMPLETED"}}
CUSTOM = {"triggerType": "TRIGGER_TYPE_CUSTOM"}


def hook(**fields: Any) -> dict[str, Any]:
    """A request that creates a webhook."""
    return {
        "url": "http://localhost:1/hook",
        "webhookType": "WEBHOOK_TYPE_DEFAULT",
        "triggers": [COMPLETED],
        "name": "h",
        "mode": "WEBHOOK_MODE_WORKSPACE",
    } | fields


async def post(client: Client, by: str = "admin", **fields: Any) -> dict[str, Any]:
    """A new webhook."""
    made: dict[str, Any] = (await client.ok("POST", "webhooks", hook(**fields), user=by))["webhook"]
    return made


async def listed(client: Client, by: str) -> list[str]:
    """Names of the webhooks that a user sees."""
    return [one["name"] for one in (await client.ok("GET", "webhooks", user=by))["webhooks"]]


async def test_a_webhook_is_shown_as_it_was_given(client: Client) -> None:
    """States and thresholds are not checked; without a mode it hears its whole scope; names need not differ."""
    metric = {"triggerType": "TRIGGER_TYPE_METRIC_THRESHOLD_EXCEEDED", "condition": {"a": 1}}
    made = await post(client, triggers=[{**COMPLETED, "condition": {"state": "NOPE"}}, metric], mode="WEBHOOK_MODE_UNSPECIFIED")
    assert (made["mode"], made["workspaceId"]) == ("WEBHOOK_MODE_WORKSPACE", 0)
    assert [trigger["condition"] for trigger in made["triggers"]] == [{"state": "NOPE"}, {"a": 1}]
    assert {trigger["webhookId"] for trigger in made["triggers"]} == {made["id"]}
    custom = await post(client, triggers=[CUSTOM], mode="WEBHOOK_MODE_SPECIFIC", name="")
    assert custom["triggers"][0]["condition"] == {}
    assert (await client.ok("GET", "webhooks"))["webhooks"] == [made, custom]


BAD: list[dict[str, Any]] = [
    {"url": "not a url"},
    {"url": "ftp://host/x"},
    {"url": "http://"},
    {"url": "http://host:99999/"},
    {"url": "http://host/" + "x" * 3000},
    {"webhookType": "WEBHOOK_TYPE_UNSPECIFIED"},
    {"webhookType": 9},
    {"mode": 9},
    {"triggers": []},
    {"triggers": [COMPLETED] * 101},
    {"triggers": [CUSTOM]},
    {"triggers": [{"condition": {}}]},
    {"triggers": [{"triggerType": "TRIGGER_TYPE_TASK_LOG", "condition": {}}]},
    {"triggers": [{"triggerType": "TRIGGER_TYPE_TASK_LOG", "condition": {"regex": "("}}]},
    {"triggers": [{"triggerType": "TRIGGER_TYPE_TASK_LOG", "condition": {"regex": "x", "y": 1}}]},
]


async def test_a_bad_webhook_is_refused(client: Client) -> None:
    """With what is wrong; nothing is stored."""
    for fields in BAD:
        assert (await client.post("webhooks", hook(**fields))).error["code"] == 3, fields
    assert (await client.post("webhooks", hook(workspaceId=9999))).error["code"] == 5
    assert (await client.ok("GET", "webhooks"))["webhooks"] == []


async def test_who_sees_and_changes_which(client: Client) -> None:
    """Global ones belong to administrators, others to the owner of the workspace; members see those and the global ones."""
    await user(client, "ann")
    mine, other = await workspace(client, "w", by="ann"), await workspace(client, "v")
    everywhere = await post(client, name="global")
    await post(client, name="other", workspaceId=other)
    own = await post(client, "ann", name="own", workspaceId=mine)
    assert await listed(client, "ann") == ["global", "own"]
    assert await listed(client, "admin") == ["global", "other", "own"]
    assert (await client.post("webhooks", hook(), user="ann")).error["code"] == 7
    assert (await client.post("webhooks", hook(workspaceId=other), user="ann")).error["code"] == 7
    for method, path in (("PATCH", ""), ("DELETE", ""), ("POST", "/test")):
        assert (await client.call(method, f"webhooks/{everywhere['id']}{path}", {}, user="ann")).error["code"] == 7
        assert (await client.call(method, f"webhooks/9999{path}", {})).error["code"] == 5
    assert await client.ok("PATCH", f"webhooks/{own['id']}", {"url": "nonsense"}, user="ann") == {}
    assert await client.ok("PATCH", f"webhooks/{own['id']}", {}, user="ann") == {}
    assert (await client.ok("GET", "webhooks", user="ann"))["webhooks"][1]["url"] == "nonsense"
    assert (await client.post(f"webhooks/{own['id']}/test", user="ann")).error["code"] == 3
    assert await client.ok("DELETE", f"webhooks/{own['id']}", user="ann") == {}
    assert await listed(client, "ann") == ["global"]


async def test_a_test_sends_at_once(client: Client) -> None:
    """A signed test event in the form of the webhook; an answer that is no success, or none, is an error that says so."""
    with receiving(200, 200, 500) as receiver:
        made = await post(client, url=receiver.url + "/a?b=1")
        slack = await post(client, url=receiver.url, webhookType="WEBHOOK_TYPE_SLACK")
        assert await client.ok("POST", f"webhooks/{made['id']}/test") == {"completed": True}
        await client.ok("POST", f"webhooks/{slack['id']}/test")
        failed = await client.post(f"webhooks/{made['id']}/test")
        first, second = receiver.requests[:2]
    assert (failed.error["code"], "500" in failed.error["error"]) == (3, True)
    assert first.path == "/a?b=1"
    assert (first.json["event_data"], first.json["condition"]) == ({"data": "test"}, {"state": "COMPLETED"})
    assert "x-determined-ai-signature" in first.headers
    assert second.json["blocks"][0]["text"]["text"] == "test"
    gone = await client.post(f"webhooks/{made['id']}/test")
    assert gone.error["code"] == 3


def fill(tx: Tx) -> tuple[int, int, str]:
    """An experiment that names webhooks, its trial, and the token of that trial's task."""
    config = {"integrations": {"webhooks": {"webhook_name": ["named"]}}}
    number = experiment(tx, config=dumps(config), name="e")
    trial = run(tx, number)
    tx.insert(tasks, id="t", task_type="TRIAL", start_time=tx.now)
    tx.insert(run_tasks, run_id=trial, task_id="t")
    sessions.create(tx, 2, "task-token", kind="allocation", allocation_id="t.1")
    return number, trial, "task-token"


async def deliveries(app: App) -> list[Any]:
    """What waits or waited for delivery."""
    return await app.db.read(lambda tx: tx.rows(webhook_deliveries.select().order_by(webhook_deliveries.c.id)))


async def test_an_experiment_tells_the_webhooks_it_names(client: Client, app: App) -> None:
    """By name; its own task may say so, another task not; the trial must be one of the experiment."""
    await post(client, name="named", triggers=[CUSTOM], mode="WEBHOOK_MODE_SPECIFIC")
    await post(client, name="not named", triggers=[CUSTOM], mode="WEBHOOK_MODE_SPECIFIC")
    number, trial, token = await app.db.write(fill)
    data = {"title": "t", "description": "d", "level": "LOG_LEVEL_WARNING"}
    body = {"data": data, "experimentId": number, "trialId": trial}
    headers = {"Grpc-Metadata-x-allocation-token": f"Bearer {token}"}
    answer = await client.http.post("/api/v1/webhooks/custom", json=body, headers=headers)
    assert (answer.status_code, answer.json()) == (200, {})
    (sent,) = await deliveries(app)
    assert '"custom_data":{"title":"t","description":"d","level":"WARNING"}' in sent.body
    assert f'"trial_id":{trial}' in sent.body
    assert (await client.post("webhooks/custom", body | {"experimentId": 9999})).error["code"] == 5
    assert (await client.post("webhooks/custom", body | {"trialId": 9999})).error["code"] == 5
    assert (await client.post("webhooks/custom", body | {"data": {"level": 99}})).error["code"] == 3
    assert (await client.post("webhooks/custom", {})).error["code"] == 5
    other = await app.db.write(experiment)
    foreign = await client.http.post("/api/v1/webhooks/custom", json={"experimentId": other}, headers=headers)
    assert foreign.status_code == 403
    assert len(await deliveries(app)) == 1


async def test_deliveries_are_shown(client: Client, app: App) -> None:
    """The latest first, in pages: what waits says when it is tried next, what failed says why; only to those who may edit."""
    made = await post(client)
    for event_id in ("e0", "e1", "e2"):
        await app.db.write(lambda tx, one=event_id: webhooks.enqueue(tx, made["id"], one, "CUSTOM", "{}"))
    first, second, _ = [row.id for row in await deliveries(app)]
    await app.db.write(lambda tx: webhooks.tried(tx, first, 200, ""))
    await app.db.write(lambda tx: webhooks.tried(tx, second, 503, "the receiver answered 503"))
    path = f"/api/undeterred/v1/webhooks/{made['id']}/deliveries"
    answer = await client.ok("GET", path)
    three, two, one = answer["deliveries"]
    states = [row["state"].removeprefix("WEBHOOK_DELIVERY_STATE_") for row in (one, two, three)]
    assert states == ["DELIVERED", "FAILED", "PENDING"]
    assert [row["eventId"] for row in (one, two, three)] == ["e0", "e1", "e2"]
    assert (two["status"], two["error"], two["attempts"]) == (503, "the receiver answered 503", 1)
    assert (one["status"], one["error"], one["nextTry"], one["eventType"]) == (200, "", None, "CUSTOM")
    assert three["nextTry"] >= three["createdAt"]
    assert (three["finishedAt"], one["finishedAt"] is None) == (None, False)
    page = await client.ok("GET", path, offset=1, limit=1)
    assert page["deliveries"] == [two]
    assert page["pagination"] == {"offset": 1, "limit": 1, "startIndex": 1, "endIndex": 2, "total": 3}
    assert (await client.get(path, user="determined")).status in (403, 404)
    assert (await client.get("/api/undeterred/v1/webhooks/99/deliveries")).error["code"] == 5


class TestRoles:
    """Where roles decide."""

    @pytest.fixture
    def settings(self) -> Settings:
        """Roles decide."""
        return make_settings(security__authz__type="rbac")

    async def test_webhooks_follow_their_workspace(self, client: Client) -> None:
        """Viewers see those of their workspaces, editors change them; global ones take a role everywhere."""
        ann = await user(client, "ann")
        mine, other = await workspace(client, "w"), await workspace(client, "v")
        await post(client, name="global")
        hidden = await post(client, name="other", workspaceId=other)
        await post(client, name="seen", workspaceId=mine)
        await grant(client, ann, VIEWER, mine)
        assert await listed(client, "ann") == ["seen"]
        assert (await client.delete(f"webhooks/{hidden['id']}", user="ann")).error["code"] == 5
        assert (await client.post("webhooks", hook(workspaceId=mine), user="ann")).error["code"] == 7
        await grant(client, ann, EDITOR, mine)
        await post(client, "ann", name="new", workspaceId=mine)
        assert (await client.post("webhooks", hook(), user="ann")).error["code"] == 5
