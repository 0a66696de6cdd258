"""Turns what happens into events for webhooks, inside the transaction in which it happens; `services/webhooks.py` sends them."""

import logging
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from undeterred.base import json
from undeterred.base.clock import SECOND
from undeterred.base.errors import Invalid, NotFound
from undeterred.base.ids import new_uuid
from undeterred.core import webhooks as rules
from undeterred.core.loglines import LogLine
from undeterred.core.logpolicy import CONFIG_MARK
from undeterred.core.regex import Pattern, compile_pattern
from undeterred.core.webhooks import Subject, Trigger
from undeterred.engine import keys
from undeterred.engine.facts import ExperimentStateChanged, LinesStored
from undeterred.store import webhooks
from undeterred.store.database import Tx
from undeterred.store.reports import Report

log = logging.getLogger(__name__)


class Webhooks:
    """Knows all triggers; `changed` must be called in every transaction that changes one."""

    def __init__(self, base_url: str = "") -> None:
        """`base_url`, when given, is where links in messages point."""
        self._base_url = base_url
        self._epoch = 0
        self._triggers: dict[str, list[Trigger]] | None = None

    def changed(self, tx: Tx) -> None:
        """After this transaction commits, triggers are read again."""
        tx.after.append(self._forget)

    def experiment_state(self, tx: Tx, fact: ExperimentStateChanged) -> None:
        """An experiment has another state."""
        wanted = [one for one in self._of_kind(tx, rules.STATE_CHANGE) if one.condition.get("state") == fact.state]
        row = webhooks.experiment(tx, fact.experiment_id) if wanted else None
        if row is None:
            return
        subject = _subject(tx, row, state=fact.state)
        data = {"experiment": rules.experiment_data(subject)}
        for trigger in _listening(wanted, row):
            self._enqueue(tx, trigger, data, rules.slack_state(subject, self._base_url))

    def lines(self, tx: Tx, fact: LinesStored) -> None:
        """Lines of a task's log are stored. A trigger fires once for each task; lines that print a configuration do not count."""
        for trigger in self._of_kind(tx, rules.TASK_LOG):
            pattern = _pattern(str(trigger.condition.get("regex", "")))
            line = None if pattern is None else _first_match(pattern, fact.lines)
            if line is None or not self._hears_task(tx, trigger, fact.task_id):
                continue
            if webhooks.fire_once(tx, trigger.id, fact.task_id):
                text, node = line.text[: rules.LONGEST_LINE], line.agent_id or ""
                data = {"task_log": {"task_id": fact.task_id, "node_name": node, "triggering_log": text}}
                slack = rules.slack_log(fact.task_id, node, text, str(trigger.condition["regex"]), self._base_url)
                self._enqueue(tx, trigger, data, slack)

    def metrics(self, tx: Tx, reports: Sequence[Report]) -> None:
        """Reports of metrics are stored. A trigger fires once for each run, when its threshold is first passed."""
        for trigger in self._of_kind(tx, rules.METRIC):
            metric = rules.metric_of(trigger.condition)
            for report in reports if metric is not None else ():
                if metric is None or report.group != metric[0]:
                    continue
                value = report.metrics.get(metric[1])
                if rules.exceeds(trigger.condition, value):
                    self._metric(tx, trigger, report, metric[1], value)

    def custom(self, tx: Tx, experiment_id: int, trial_id: int | None, title: str, description: str, level: str) -> None:
        """An experiment has something to tell to the webhooks it names. Raises NotFound."""
        row = webhooks.experiment(tx, experiment_id)
        if row is None:
            raise NotFound(f"experiment {experiment_id} not found")
        subject = _subject(tx, row, trial_id=trial_id)
        data = {
            "experiment": rules.experiment_data(subject),
            "custom_data": {"title": title, "description": description, "level": level},
        }
        for trigger in _listening(self._of_kind(tx, rules.CUSTOM), row):
            slack = rules.slack_custom(subject, title, description, level, self._base_url)
            self._enqueue(tx, trigger, data, slack)

    def _metric(self, tx: Tx, trigger: Trigger, report: Report, name: str, value: Any) -> None:
        experiment_id = webhooks.experiment_of_run(tx, report.run_id)
        row = None if experiment_id is None else webhooks.experiment(tx, experiment_id)
        if row is None or not _listening([trigger], row) or not webhooks.fire_once(tx, trigger.id, f"run {report.run_id}"):
            return
        subject = _subject(tx, row, trial_id=report.run_id)
        data = {
            "experiment": rules.experiment_data(subject),
            "metric": {"group": report.group, "name": name, "value": value, "steps_completed": report.steps},
        }
        self._enqueue(tx, trigger, data, rules.slack_metric(subject, name, value, trigger.condition, self._base_url))

    def _hears_task(self, tx: Tx, trigger: Trigger, task_id: str) -> bool:
        place = webhooks.place_of_task(tx, task_id)
        if place is None:
            return False
        row = None if place.experiment_id is None else webhooks.experiment(tx, place.experiment_id)
        return bool(_listening([trigger], row)) if row is not None else rules.listens(trigger, place.workspace_id, {})

    def _enqueue(self, tx: Tx, trigger: Trigger, data: Mapping[str, Any], slack: Mapping[str, Any]) -> None:
        event_id = new_uuid()
        event = rules.default_event(event_id, trigger.kind, tx.now, trigger.condition, data)
        body = json.dumps(slack if trigger.form == rules.SLACK else event)
        webhooks.enqueue(tx, trigger.webhook_id, event_id, trigger.kind, body)
        tx.wake(keys.WEBHOOKS)

    def _of_kind(self, tx: Tx, kind: str) -> list[Trigger]:
        known = self._triggers
        if known is None:
            epoch, known = self._epoch, {}
            for trigger in webhooks.triggers(tx):
                known.setdefault(trigger.kind, []).append(trigger)
            if epoch == self._epoch:
                self._triggers = known
        return known.get(kind, [])

    def _forget(self) -> None:
        self._epoch += 1
        self._triggers = None


def _listening(triggers: Sequence[Trigger], row: Any) -> list[Trigger]:
    """Those that are for the experiment of a row of `store.webhooks.experiment`."""
    if not triggers:
        return []
    integrations = (json.loads(row.config).get("integrations") or {}).get("webhooks") or {}
    return [trigger for trigger in triggers if rules.listens(trigger, row.workspace_id, integrations)]


def _subject(tx: Tx, row: Any, *, state: str = "", trial_id: int | None = None) -> Subject:
    return Subject(
        row.id,
        state or row.state,
        row.name,
        ((row.end_time or tx.now) - row.start_time) // SECOND,
        row.resource_pool,
        row.slots_per_trial,
        row.workspace_name,
        row.project_name,
        trial_id,
    )


def _first_match(pattern: Pattern, lines: Sequence[LogLine]) -> LogLine | None:
    return next((line for line in lines if CONFIG_MARK not in line.text and pattern.search(line.text)), None)


@lru_cache(maxsize=1024)
def _pattern(text: str) -> Pattern | None:
    """A stored pattern; None for one that cannot be used (it was stored by another version)."""
    try:
        return compile_pattern(text)
    except Invalid as error:
        log.warning("a webhook's pattern is not used: %s", error)
        return None
