"""Rules of webhooks: who listens, thresholds, what is sent, signatures, retries."""

import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undeterred.base.errors import Invalid
from undeterred.core import webhooks
from undeterred.core.webhooks import MAX_ATTEMPTS, Subject, Trigger

SUBJECT = Subject(7, "COMPLETED", "a <b> & c", 3725, "default", 2, "w", "p", 9)


def trigger(**fields: Any) -> Trigger:
    """A trigger of a global webhook that hears everything."""
    values: dict[str, Any] = {
        "id": 1,
        "kind": "EXPERIMENT_STATE_CHANGE",
        "condition": {},
        "webhook_id": 5,
        "webhook_name": "h",
        "form": "DEFAULT",
        "mode": "WORKSPACE",
        "workspace_id": None,
    }
    return Trigger(**(values | fields))


@pytest.mark.parametrize(
    ("fields", "block", "heard"),
    [
        ({}, {}, True),
        ({"workspace_id": 3}, {}, True),
        ({"workspace_id": 4}, {}, False),
        ({"mode": "SPECIFIC"}, {}, False),
        ({"mode": "SPECIFIC"}, {"webhook_id": [5]}, True),
        ({"mode": "SPECIFIC"}, {"webhook_name": ["h"]}, True),
        ({"mode": "SPECIFIC", "webhook_name": ""}, {"webhook_name": [""]}, False),
        ({"mode": "SPECIFIC", "workspace_id": 4}, {"webhook_id": [5]}, False),
        ({}, {"exclude": True}, False),
        ({"mode": "SPECIFIC"}, {"webhook_id": [5], "exclude": True}, False),
    ],
)
def test_who_listens(fields: dict[str, Any], block: dict[str, Any], heard: bool) -> None:
    """The scope must hold the experiment, a specific webhook must be named, and nobody hears one that excludes all."""
    assert webhooks.listens(trigger(**fields), 3, block) is heard


@pytest.mark.parametrize(
    ("condition", "value", "passed"),
    [
        ({"threshold": 1}, 2, True),
        ({"threshold": 1}, 1, False),
        ({"threshold": 1, "operator": ">="}, 1, True),
        ({"threshold": 1, "operator": "<"}, 0.5, True),
        ({"threshold": 1, "operator": "<="}, 2, False),
        ({"threshold": 1, "operator": "=="}, 1, False),
        ({"threshold": 1, "operator": ["<"]}, 0, False),
        ({"threshold": "1"}, 2, False),
        ({"threshold": 1}, "2", False),
        ({"threshold": 1}, True, False),
        ({"threshold": 1}, float("nan"), False),
        ({}, 2, False),
    ],
)
def test_thresholds(condition: dict[str, Any], value: Any, passed: bool) -> None:
    """Only numbers pass a threshold that is a number, by an operator that exists."""
    assert webhooks.exceeds(condition, value) is passed


def test_the_metric_of_a_threshold() -> None:
    """A bare name is a validation metric, a dotted one names its group, which has no dot in it."""
    assert webhooks.metric_of({"metric": "loss"}) == ("validation", "loss")
    assert webhooks.metric_of({"metric": "training.a.b"}) == ("training", "a.b")
    for condition in ({}, {"metric": ""}, {"metric": 5}):
        assert webhooks.metric_of(condition) is None


def test_the_default_form() -> None:
    """Whole seconds, the condition as it was given, the trial only where there is one."""
    event = webhooks.default_event("id", "K", 1_500_000, {"state": "X"}, {"experiment": webhooks.experiment_data(SUBJECT)})
    assert (event["event_id"], event["event_type"], event["timestamp"], event["condition"]) == ("id", "K", 1, {"state": "X"})
    assert event["event_data"]["experiment"] == {
        "id": 7,
        "state": "COMPLETED",
        "name": "a <b> & c",
        "duration": 3725,
        "resource_pool": "default",
        "slots_per_trial": 2,
        "workspace": "w",
        "project": "p",
        "trial_id": 9,
    }


def test_the_form_for_slack() -> None:
    """Names cannot make markup; links need a base address; green for done, red for failed; hours and minutes."""
    message = webhooks.slack_state(SUBJECT, "https://host/")
    text = message["blocks"][0]["text"]["text"]
    assert "<https://host/det/experiments/7/overview|a &lt;b&gt; &amp; c (#7)>" in text
    assert message["attachments"][0]["color"] == "#13b670"
    fields = [field["text"] for field in message["attachments"][0]["blocks"][0]["fields"]]
    assert "*Duration*: 1h 2min" in fields
    assert "http" not in webhooks.slack_state(SUBJECT, "")["blocks"][0]["text"]["text"]
    failed = webhooks.slack_custom(SUBJECT, "t", "d", "ERROR", "")
    assert failed["attachments"][0]["color"] == "#dd5040"
    log = webhooks.slack_log("task", "node", "x" * 9000, "x+", "")
    assert all(len(field["text"]) <= 2000 for field in log["attachments"][0]["blocks"][0]["fields"])


def test_a_signature_is_over_time_and_body() -> None:
    """As receivers of the compatible system check it."""
    expected = hmac.new(b"key", b'5,{"a":1}', hashlib.sha256).hexdigest()
    assert webhooks.sign("key", 5, b'{"a":1}') == expected


@given(st.integers(1, MAX_ATTEMPTS - 1))
def test_waits_grow_and_end(attempts: int) -> None:
    """Each wait is as long as the one before or longer; after the last attempt there is none."""
    wait, longer = webhooks.retry_after(attempts), webhooks.retry_after(attempts + 1)
    assert wait is not None
    assert longer is None or longer >= wait
    assert webhooks.retry_after(MAX_ATTEMPTS) is None


def test_what_is_worth_another_try() -> None:
    """No answer, an error of the receiver, or "not now"; not a refusal."""
    assert [webhooks.is_worth_retrying(status) for status in (None, 500, 503, 429, 408)] == [True] * 5
    assert [webhooks.is_worth_retrying(status) for status in (301, 400, 404)] == [False] * 3


@pytest.mark.parametrize("url", ["", "x", "http:///x", "ftp://h/", "http://h:x/", "http://h:0/", "http://a b/", "http://[1/"])
def test_what_is_no_url(url: str) -> None:
    """Only absolute addresses of web servers are."""
    with pytest.raises(Invalid):
        webhooks.check_url(url)


@pytest.mark.parametrize("url", ["http://h", "https://user:pw@h:8443/p?q=1#f", "HTTP://H/", "http://[::1]:80/"])
def test_what_is_a_url(url: str) -> None:
    """With or without port, path and user."""
    webhooks.check_url(url)
