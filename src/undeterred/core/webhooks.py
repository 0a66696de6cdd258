"""Webhooks: which triggers fire, what is sent in which form, how it is signed, and when a failed delivery is tried again."""

import hashlib
import hmac
import operator
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from undeterred.base.clock import SECOND, Micros
from undeterred.base.errors import Invalid
from undeterred.base.struct import Struct
from undeterred.core.metrics.checks import VALIDATION

STATE_CHANGE, METRIC, TASK_LOG, CUSTOM = "EXPERIMENT_STATE_CHANGE", "METRIC_THRESHOLD_EXCEEDED", "TASK_LOG", "CUSTOM"
DEFAULT, SLACK = "DEFAULT", "SLACK"
WORKSPACE, SPECIFIC = "WORKSPACE", "SPECIFIC"

MAX_ATTEMPTS = 16
"""Deliveries of one event that are tried, over about four hours."""
LONGEST_WAIT = 1800
"""Most seconds between two of them."""
LONGEST_LINE = 5000
"""Characters of a log line that are sent."""

_OPERATORS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
_COLORS = {"COMPLETED": "#13b670", "ERROR": "#dd5040"}
_BLUE = "#2b6cb0"


class Trigger(Struct, frozen=True):
    """A trigger with the webhook it belongs to."""

    id: int
    kind: str
    condition: Mapping[str, Any]
    webhook_id: int
    webhook_name: str
    form: str
    """DEFAULT or SLACK."""
    mode: str
    workspace_id: int | None


class Subject(Struct, frozen=True):
    """The experiment that an event is about, as it is told."""

    id: int
    state: str
    name: str
    seconds: int
    """How long it ran, or has run so far."""
    resource_pool: str
    slots_per_trial: int
    workspace: str
    project: str
    trial_id: int | None = None


def check_url(url: str) -> None:
    """Raises Invalid unless it is an absolute http or https URL with a host."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good or any(char.isspace() for char in url):
        raise Invalid(f"url: {url[:200]!r} is not an http or https URL such as https://example.com/hook")


def listens(trigger: Trigger, workspace_id: int | None, integrations: Mapping[str, Any]) -> bool:
    """Whether a trigger is for the experiment with this `integrations.webhooks` block, in this workspace."""
    if integrations.get("exclude") or trigger.workspace_id not in (None, workspace_id):
        return False
    if trigger.mode != SPECIFIC:
        return True
    named = trigger.webhook_name in (integrations.get("webhook_name") or ()) and bool(trigger.webhook_name)
    return named or trigger.webhook_id in (integrations.get("webhook_id") or ())


def metric_of(condition: Mapping[str, Any]) -> tuple[str, str] | None:
    """Group and name of the metric that a threshold is for ("loss" is one of validation, "training.loss" names its group)."""
    metric = condition.get("metric")
    if not isinstance(metric, str) or not metric:
        return None
    group, _, name = metric.partition(".")
    return (group, name) if name else (VALIDATION, metric)


def exceeds(condition: Mapping[str, Any], value: Any) -> bool:
    """Whether a value passes the threshold of `{"metric": NAME, "operator": "> >= < or <=", "threshold": NUMBER}`.

    The operator is ">" when none is given. Conditions of any other form, and values that are no numbers, never do.
    """
    word, threshold = condition.get("operator", ">"), condition.get("threshold")
    compare: Callable[[Any, Any], bool] | None = _OPERATORS.get(word) if isinstance(word, str) else None
    numbers = all(isinstance(number, (int, float)) and not isinstance(number, bool) for number in (value, threshold))
    return compare is not None and numbers and bool(compare(value, threshold))


def default_event(event_id: str, kind: str, now: Micros, condition: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """What is sent in the form DEFAULT."""
    return {
        "event_id": event_id,
        "event_type": kind,
        "timestamp": now // SECOND,
        "condition": dict(condition),
        "event_data": dict(data),
    }


def experiment_data(subject: Subject) -> dict[str, Any]:
    """The experiment of an event."""
    data: dict[str, Any] = {
        "id": subject.id,
        "state": subject.state,
        "name": subject.name,
        "duration": subject.seconds,
        "resource_pool": subject.resource_pool,
        "slots_per_trial": subject.slots_per_trial,
        "workspace": subject.workspace,
        "project": subject.project,
    }
    return data if subject.trial_id is None else {**data, "trial_id": subject.trial_id}


def slack_state(subject: Subject, base_url: str) -> dict[str, Any]:
    """A change of state as a message for Slack."""
    link = _link(f"{subject.name} (#{subject.id})", base_url, f"/det/experiments/{subject.id}/overview")
    return _slack(f"Experiment {link} is {subject.state}", _COLORS.get(subject.state, _BLUE), _facts(subject))


def slack_metric(subject: Subject, metric: str, value: float, condition: Mapping[str, Any], base_url: str) -> dict[str, Any]:
    """A metric beyond its threshold as a message for Slack."""
    link = _link(f"trial {subject.trial_id}", base_url, f"/det/experiments/{subject.id}/trials/{subject.trial_id}")
    beyond = f"{condition.get('operator', '>')} {condition.get('threshold')}"
    return _slack(f"{escaped(metric)} of {link} is {value} ({escaped(beyond)})", _BLUE, _facts(subject))


def slack_log(task_id: str, node: str, line: str, pattern: str, base_url: str) -> dict[str, Any]:
    """A log line that matched as a message for Slack."""
    link = _link(f"task {task_id}", base_url, f"/det/tasks/{task_id}/logs")
    facts = {"Pattern": pattern, "Node": node, "Line": line}
    return _slack(f"A line in the log of {link} matched", _BLUE, facts)


def slack_custom(subject: Subject, title: str, description: str, level: str, base_url: str) -> dict[str, Any]:
    """What an experiment wanted to tell, as a message for Slack."""
    color = {"ERROR": _COLORS["ERROR"], "CRITICAL": _COLORS["ERROR"], "WARNING": "#e5a000"}.get(level, _BLUE)
    link = _link(f"{subject.name} (#{subject.id})", base_url, f"/det/experiments/{subject.id}/overview")
    return _slack(f"*{escaped(title)}* from experiment {link}\n{escaped(description)}", color, {"Level": level} | _facts(subject))


def slack_test() -> dict[str, Any]:
    """The message of a test."""
    return {"blocks": [{"type": "section", "text": {"type": "plain_text", "text": "test"}}]}


def escaped(text: str) -> str:
    """Text that Slack shows as it is."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def duration_text(seconds: int) -> str:
    """Hours and minutes."""
    return f"{seconds // 3600}h {seconds % 3600 // 60}min"


def sign(key: str, timestamp: int, body: bytes) -> str:
    """Hexadecimal HMAC-SHA256 of "timestamp,body"."""
    return hmac.new(key.encode(), f"{timestamp},".encode() + body, hashlib.sha256).hexdigest()


def retry_after(attempts: int) -> int | None:
    """Seconds until the next try after so many failed ones, None when it is given up."""
    return None if attempts >= MAX_ATTEMPTS else min(2 ** (attempts - 1), LONGEST_WAIT)


def is_worth_retrying(status: int | None) -> bool:
    """Whether the same request may succeed later: no answer, an error of the receiver, or "not now" (408, 429)."""
    return status is None or status >= 500 or status in (408, 429)


def _facts(subject: Subject) -> dict[str, str]:
    facts = {"Status": subject.state.capitalize(), "Duration": duration_text(subject.seconds)}
    if subject.workspace:
        facts |= {"Workspace": subject.workspace, "Project": subject.project}
    return facts


def _link(label: str, base_url: str, path: str) -> str:
    return f"<{base_url.rstrip('/')}{path}|{escaped(label)}>" if base_url else escaped(label)


def _slack(text: str, color: str, facts: Mapping[str, str]) -> dict[str, Any]:
    fields = [{"type": "mrkdwn", "text": f"*{name}*: {escaped(value)[:1900]}"} for name, value in facts.items()]
    return {
        "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text[:2900]}}],
        "attachments": [{"color": color, "blocks": [{"type": "section", "fields": fields}]}],
    }
