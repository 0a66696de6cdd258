"""Webhooks: whom the server tells what, a test of one, and events that experiments make up themselves."""

from typing import Any

from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.api.views.common import choose, free, pagination, when
from undeterred.base.errors import Failure, Invalid, NotFound
from undeterred.base.ids import new_uuid
from undeterred.base.json import dumps
from undeterred.core import webhooks as rules
from undeterred.core.names import storable
from undeterred.core.regex import compile_pattern
from undeterred.core.rights import Right
from undeterred.store import experiments, runs, webhooks, workspaces
from undeterred.store.database import Tx
from undeterred.store.paging import sql_page
from undeterred.store.webhooks import NewTrigger
from undeterred.wire import messages as m

MAX_TRIGGERS = 100
LONGEST_URL = 2000

_KINDS = {m.WebhookType.WEBHOOK_TYPE_DEFAULT: rules.DEFAULT, m.WebhookType.WEBHOOK_TYPE_SLACK: rules.SLACK}
_MODES = {
    m.WebhookMode.WEBHOOK_MODE_UNSPECIFIED: rules.WORKSPACE,
    m.WebhookMode.WEBHOOK_MODE_WORKSPACE: rules.WORKSPACE,
    m.WebhookMode.WEBHOOK_MODE_SPECIFIC: rules.SPECIFIC,
}
_TRIGGERS = {
    m.TriggerType.TRIGGER_TYPE_EXPERIMENT_STATE_CHANGE: rules.STATE_CHANGE,
    m.TriggerType.TRIGGER_TYPE_METRIC_THRESHOLD_EXCEEDED: rules.METRIC,
    m.TriggerType.TRIGGER_TYPE_TASK_LOG: rules.TASK_LOG,
    m.TriggerType.TRIGGER_TYPE_CUSTOM: rules.CUSTOM,
}
_LEVELS = {level: level.removeprefix("LOG_LEVEL_") for level in m.LogLevel} | {m.LogLevel.LOG_LEVEL_UNSPECIFIED: "INFO"}


@operation("GetWebhooks", needs=Right.VIEW_WEBHOOKS)
async def get_webhooks(call: Call, _req: m.GetWebhooksRequest) -> m.GetWebhooksResponse:
    """Webhooks that the caller may see: in basic mode the global ones and those of the caller's own workspaces."""

    def load(tx: Tx) -> list[m.Webhook]:
        rows = webhooks.every(tx, call.scope(tx, Right.VIEW_WEBHOOKS))
        if not call.rbac and not call.who.admin:
            rows = [row for row in rows if row.workspace_id is None or row.workspace_owner == call.who.user_id]
        triggers = webhooks.triggers_of(tx, [row.id for row in rows])
        return [_message(row, triggers.get(row.id, [])) for row in rows]

    return m.GetWebhooksResponse(webhooks=await call.read(load))


@operation("PostWebhook", needs=Right.EDIT_WEBHOOKS)
async def post_webhook(call: Call, req: m.PostWebhookRequest) -> m.PostWebhookResponse:
    """Create a webhook, for all workspaces (administrators only) or for one."""
    given = req.webhook or m.Webhook()
    workspace_id = given.workspace_id or None
    _check_url(given.url)
    mode, kind = choose(_MODES, given.mode, "mode"), choose(_KINDS, given.webhook_type, "webhookType")
    if not 1 <= len(given.triggers) <= MAX_TRIGGERS:
        raise Invalid(f"triggers: a webhook has 1 to {MAX_TRIGGERS} triggers, not {len(given.triggers)}")
    triggers = [_trigger(trigger, mode) for trigger in given.triggers]

    def create(tx: Tx) -> m.Webhook:
        owner = None if workspace_id is None else workspaces.get(tx, workspace_id).user_id
        missing = f"workspace {workspace_id} not found"
        call.require(tx, Right.EDIT_WEBHOOKS, workspace=workspace_id, workspace_owner=owner, missing=missing)
        columns = {"name": storable(given.name), "url": given.url, "kind": kind, "mode": mode, "workspace_id": workspace_id}
        webhook_id = webhooks.create(tx, triggers, **columns)
        call.engine.webhooks.changed(tx)
        return _message(webhooks.get(tx, webhook_id), webhooks.triggers_of(tx, [webhook_id])[webhook_id])

    return m.PostWebhookResponse(webhook=await call.write(create))


@operation("PatchWebhook", needs=Right.EDIT_WEBHOOKS)
async def patch_webhook(call: Call, req: m.PatchWebhookRequest) -> m.PatchWebhookResponse:
    """Change the address; it is not checked before something is sent there. An empty one keeps the old."""
    url = (req.webhook or m.PatchWebhook()).url
    if len(url) > LONGEST_URL:
        raise Invalid(f"url: {len(url)} characters are too many; at most {LONGEST_URL} are allowed")

    def change(tx: Tx) -> None:
        _require(call, tx, req.id)
        if url:
            webhooks.set_url(tx, req.id, storable(url))

    await call.write(change)
    return m.PatchWebhookResponse()


@operation("DeleteWebhook", needs=Right.EDIT_WEBHOOKS)
async def delete_webhook(call: Call, req: m.DeleteWebhookRequest) -> m.DeleteWebhookResponse:
    """Remove a webhook; what waits for delivery to it is dropped."""

    def remove(tx: Tx) -> None:
        _require(call, tx, req.id)
        webhooks.delete(tx, req.id)
        call.engine.webhooks.changed(tx)

    await call.write(remove)
    return m.DeleteWebhookResponse()


@operation("TestWebhook", needs=Right.EDIT_WEBHOOKS)
async def test_webhook(call: Call, req: m.TestWebhookRequest) -> m.TestWebhookResponse:
    """Send a test event now; anything but a success of the receiver is an error that says what happened."""
    row = await call.read(lambda tx: _require(call, tx, req.id))
    now = call.services.clock.now()
    event = rules.default_event(new_uuid(), rules.STATE_CHANGE, now, {"state": "COMPLETED"}, {"data": "test"})
    body = dumps(rules.slack_test() if row.kind == rules.SLACK else event)
    try:
        sent = await call.engine.sender.send(row.url, body)
    except Failure as failure:
        raise Invalid(f"nothing was sent: {failure}") from None
    if sent.error:
        raise Invalid(f"the test event was not delivered: {sent.error}")
    return m.TestWebhookResponse(completed=True)


@operation("PostWebhookEventData", needs=Right.UPDATE_EXPERIMENT, task=True)
async def post_event(call: Call, req: m.PostWebhookEventDataRequest) -> m.PostWebhookEventDataResponse:
    """Tell the webhooks that an experiment names in its configuration something of its own."""
    data = req.data or m.CustomWebhookEventData()
    level = choose(_LEVELS, data.level, "data.level")
    if len(data.title) + len(data.description) > 100_000:
        raise Invalid("data: title and description are longer than 100000 characters together")

    def put(tx: Tx) -> None:
        row = experiments.get(tx, req.experiment_id)
        call.require(
            tx,
            Right.UPDATE_EXPERIMENT,
            workspace=row.workspace_id,
            owner=row.user_id,
            workspace_owner=row.workspace_owner,
            missing=f"experiment {req.experiment_id} not found",
            tasks=_tasks_of(tx, req.experiment_id, call.who.task_id),
        )
        if req.trial_id and runs.get(tx, req.trial_id).experiment_id != req.experiment_id:
            raise NotFound(f"experiment {req.experiment_id} has no trial {req.trial_id}")
        call.engine.webhooks.custom(tx, req.experiment_id, req.trial_id or None, data.title, data.description, level)

    await call.write(put)
    return m.PostWebhookEventDataResponse()


@operation("GetWebhookDeliveries", needs=Right.EDIT_WEBHOOKS)
async def get_webhook_deliveries(call: Call, req: m.GetWebhookDeliveriesRequest) -> m.GetWebhookDeliveriesResponse:
    """What was sent to a webhook or waits to be sent, the latest first; finished deliveries are forgotten after a while."""

    def load(tx: Tx) -> m.GetWebhookDeliveriesResponse:
        _require(call, tx, req.id)
        page = sql_page(req.offset, req.limit, webhooks.count_deliveries(tx, req.id))
        rows = webhooks.deliveries(tx, req.id, page.end - page.start, page.start)
        return m.GetWebhookDeliveriesResponse(deliveries=[_delivery(row) for row in rows], pagination=pagination(page))

    return await call.read(load)


def _delivery(row: Any) -> m.WebhookDelivery:
    return m.WebhookDelivery(
        id=row.id,
        event_id=row.event_id,
        event_type=row.event_type,
        state=m.WebhookDeliveryState(f"WEBHOOK_DELIVERY_STATE_{row.state}"),
        attempts=row.attempts,
        status=row.status or 0,
        error=row.error,
        created_at=when(row.created_at),
        next_try=when(row.due_at) if row.state == "PENDING" else None,
        finished_at=when(row.finished_at),
    )


def _tasks_of(tx: Tx, experiment_id: int, task_id: str | None) -> list[str]:
    """The calling task, if it is a trial of the experiment."""
    run_id = None if task_id is None else runs.of_task(tx, task_id)
    return [task_id] if task_id is not None and run_id and runs.get(tx, run_id).experiment_id == experiment_id else []


def _require(call: Call, tx: Tx, webhook_id: int) -> Any:
    row = webhooks.get(tx, webhook_id)
    missing = f"webhook {webhook_id} not found"
    call.require(tx, Right.EDIT_WEBHOOKS, workspace=row.workspace_id, workspace_owner=row.workspace_owner, missing=missing)
    return row


def _check_url(url: str) -> None:
    rules.check_url(url)
    if len(url) > LONGEST_URL or "\0" in url:
        raise Invalid(f"url: at most {LONGEST_URL} characters are allowed, and no NUL")


def _trigger(given: m.Trigger, mode: str) -> NewTrigger:
    kind = choose(_TRIGGERS, given.trigger_type, "triggerType")
    condition: Any = given.condition or {}
    if kind == rules.CUSTOM and mode != rules.SPECIFIC:
        raise Invalid("a webhook with a custom trigger needs the mode WEBHOOK_MODE_SPECIFIC")
    if kind == rules.TASK_LOG:
        if set(condition) != {"regex"} or not isinstance(condition["regex"], str):
            raise Invalid('the condition of a task log trigger must be {"regex": PATTERN}')
        compile_pattern(condition["regex"])
    return NewTrigger(kind, dumps(condition))


def _message(row: Any, triggers: list[Any]) -> m.Webhook:
    return m.Webhook(
        id=row.id,
        url=row.url,
        triggers=[
            m.Trigger(
                id=one.id,
                trigger_type=m.TriggerType(f"TRIGGER_TYPE_{one.kind}"),
                condition=free(one.condition),
                webhook_id=row.id,
            )
            for one in triggers
        ],
        webhook_type=m.WebhookType(f"WEBHOOK_TYPE_{row.kind}"),
        name=row.name,
        workspace_id=row.workspace_id or 0,
        mode=m.WebhookMode(f"WEBHOOK_MODE_{row.mode}"),
    )
