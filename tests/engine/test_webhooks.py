"""Events for webhooks: made in the transaction that causes them, for those who listen, once where once is meant."""

from typing import Any

from tests.rows import experiment, run, seeded
from undeterred.base.json import dumps, loads
from undeterred.core.loglines import LogLine
from undeterred.engine.facts import ExperimentStateChanged, LinesStored
from undeterred.engine.webhooks import Webhooks
from undeterred.store import webhooks
from undeterred.store.database import Database, Tx
from undeterred.store.reports import Report
from undeterred.store.schema.spaces import projects, workspaces
from undeterred.store.schema.tasks import run_tasks, tasks
from undeterred.store.schema.webhooks import webhook_deliveries
from undeterred.store.webhooks import NewTrigger

STATE, LOG, METRIC = "EXPERIMENT_STATE_CHANGE", "TASK_LOG", "METRIC_THRESHOLD_EXCEEDED"


def hook(tx: Tx, trigger: str, condition: dict[str, Any], **fields: Any) -> int:
    """A webhook with one trigger; its id."""
    values = {"name": "h", "url": "http://x", "kind": "DEFAULT", "mode": "WORKSPACE", "workspace_id": None} | fields
    return webhooks.create(tx, [NewTrigger(trigger, dumps(condition))], **values)


def sent(tx: Tx) -> list[tuple[int, Any]]:
    """Webhook and body of all that is left for delivery."""
    return [(row.webhook_id, loads(row.body)) for row in tx.rows(webhook_deliveries.select().order_by(webhook_deliveries.c.id))]


def report(run_id: int, loss: Any, steps: int = 1, group: str = "validation") -> Report:
    """A report of a loss."""
    return Report(run_id, 1, group, steps, None, {"loss": loss})


def test_a_state_is_told_to_those_who_wait_for_it(db: Database) -> None:
    """With the names of the project and workspace in which the experiment is now, not those of its configuration."""
    seeded(db)

    def work(tx: Tx) -> list[tuple[int, Any]]:
        place = tx.insert(workspaces, name="w", user_id=1, created_at=1)
        here = tx.insert(projects, name="p", workspace_id=place, user_id=1, key="P", created_at=1)
        number = experiment(tx, project_id=here, config=dumps({"workspace": "old", "project": "old"}), name="e")
        hook(tx, STATE, {"state": "COMPLETED"}, name="heard")
        hook(tx, STATE, {"state": "ERROR"})
        hook(tx, STATE, {"state": "COMPLETED"}, workspace_id=1)
        hook(tx, STATE, {"state": "COMPLETED"}, mode="SPECIFIC")
        Webhooks().experiment_state(tx, ExperimentStateChanged(number, "COMPLETED"))
        return sent(tx)

    ((_, body),) = db.write_now(work)
    told = body["event_data"]["experiment"]
    assert (body["event_type"], body["condition"]) == (STATE, {"state": "COMPLETED"})
    assert (told["state"], told["name"], told["workspace"], told["project"]) == ("COMPLETED", "e", "w", "p")


def test_an_experiment_can_silence_all(db: Database) -> None:
    """And a slack webhook gets the form of Slack."""
    seeded(db)

    def work(tx: Tx) -> list[tuple[int, Any]]:
        quiet = experiment(tx, config=dumps({"integrations": {"webhooks": {"exclude": True}}}))
        loud = experiment(tx, name="loud")
        hook(tx, STATE, {"state": "ERROR"}, kind="SLACK")
        events = Webhooks("http://base")
        for number in (quiet, loud):
            events.experiment_state(tx, ExperimentStateChanged(number, "ERROR"))
        return sent(tx)

    ((_, body),) = db.write_now(work)
    assert "loud" in body["blocks"][0]["text"]["text"]


def test_a_line_fires_once_for_each_task(db: Database) -> None:
    """The first line that matches is told; printed configurations are passed over; other workspaces hear nothing."""
    seeded(db)

    def work(tx: Tx) -> list[tuple[int, Any]]:
        other = tx.insert(workspaces, name="w", user_id=1, created_at=1)
        trial = run(tx, experiment(tx))
        for name in ("trial", "command"):
            tx.insert(tasks, id=name, task_type="X", workspace_id=1, start_time=1)
        tx.insert(run_tasks, run_id=trial, task_id="trial")
        first = hook(tx, LOG, {"regex": "out of mem"})
        hook(tx, LOG, {"regex": "out of mem"}, workspace_id=other)
        hook(tx, LOG, {"regex": "out of mem"}, mode="SPECIFIC")
        events = Webhooks()
        lines = [
            LogLine('{"log_policies": "out of memory"}', 1),
            LogLine("fine", 1),
            LogLine("out of memory", 1, agent_id="node"),
        ]
        for task in ("trial", "trial", "command", "unknown"):
            events.lines(tx, LinesStored(task, tuple(lines)))
        assert {webhook for webhook, _ in sent(tx)} == {first}
        return sent(tx)

    bodies = [body for _, body in db.write_now(work)]
    assert [body["event_data"]["task_log"] for body in bodies] == [
        {"task_id": task, "node_name": "node", "triggering_log": "out of memory"} for task in ("trial", "command")
    ]


def test_a_threshold_fires_once_for_each_run(db: Database) -> None:
    """When it is first passed, by the metric and group it names; texts and other groups do not count."""
    seeded(db)

    def work(tx: Tx) -> tuple[int, list[tuple[int, Any]]]:
        number = experiment(tx)
        one, two = run(tx, number), run(tx, number)
        hook(tx, METRIC, {"metric": "loss", "operator": "<", "threshold": 0.1})
        hook(tx, METRIC, {"a": 1})
        events = Webhooks()
        events.metrics(tx, [report(one, 0.5), report(one, "0.01"), report(one, 0.01, group="training")])
        assert sent(tx) == []
        events.metrics(tx, [report(one, 0.05, 7), report(one, 0.04, 8), report(two, 0.09, 3)])
        return one, sent(tx)

    one, events = db.write_now(work)
    first, second = (body["event_data"] for _, body in events)
    assert first["metric"] == {"group": "validation", "name": "loss", "value": 0.05, "steps_completed": 7}
    assert (first["experiment"]["trial_id"], second["metric"]["value"]) == (one, 0.09)


def test_triggers_are_read_again_after_a_change(db: Database) -> None:
    """A webhook that is made or removed counts from the next transaction on."""
    seeded(db)
    events = Webhooks()
    fact = ExperimentStateChanged(db.write_now(experiment), "ERROR")

    def told(tx: Tx) -> int:
        events.experiment_state(tx, fact)
        return len(sent(tx))

    assert db.write_now(told) == 0

    def add(tx: Tx) -> int:
        events.changed(tx)
        return hook(tx, STATE, {"state": "ERROR"})

    number = db.write_now(add)
    assert db.write_now(told) == 1

    def remove(tx: Tx) -> None:
        webhooks.delete(tx, number)
        events.changed(tx)

    db.write_now(remove)
    assert db.write_now(told) == 0
