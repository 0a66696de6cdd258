"""The server itself: settings, log, the message for everybody."""

import asyncio
import logging

import pytest

from tests.conftest import make_settings
from tests.support import Client
from undeterred.app import App
from undeterred.base.settings import Secret, Settings


@pytest.fixture
def settings() -> Settings:
    """With secrets in known and in free places."""
    return make_settings(
        webhooks__signing_key=Secret("SIGN-9"),
        db_url="",
        oidc={"client_id": "id", "client_secret": "OIDC-9"},
        checkpoint_storage={"type": "s3", "bucket": "b", "access_key": "AK-9", "secret_key": "SK-9"},
        integrations={"pachyderm": {"address": "https://me:PW-9@host/x"}},
    )


async def test_secrets_of_the_settings_are_starred(client: Client) -> None:
    """Wherever they stand; other values are shown; only administrators look."""
    answer = await client.get("master/config")
    assert answer.status == 200
    for secret in ("SIGN-9", "OIDC-9", "AK-9", "SK-9", "PW-9", "Determined1"):
        assert secret not in answer.text
    config = answer.body["config"]
    assert config["checkpoint_storage"] == {"type": "s3", "bucket": "b", "access_key": "********", "secret_key": "********"}
    assert (config["oidc"]["client_id"], config["security"]["authz"]["type"]) == ("id", "basic")
    assert (await client.get("master/config", user="determined")).error["code"] == 7


async def test_the_level_of_the_log_can_be_changed(client: Client) -> None:
    """What the mask names and nothing else; a mask of another form is refused before anything else."""
    before = logging.getLogger().level
    try:
        body = {"config": {"log": {"level": "LOG_LEVEL_ERROR"}}, "fieldMask": {"paths": ["log.level"]}}
        assert await client.ok("PATCH", "master/config", body) == {}
        assert logging.getLogger().level == logging.ERROR
        await client.ok("PATCH", "master/config", {"config": {"log": {"level": "LOG_LEVEL_DEBUG"}}})
        assert logging.getLogger().level == logging.ERROR
    finally:
        logging.getLogger().setLevel(before)
    for mask in ("log", ["log"], {"paths": "log"}, {"paths": ["nope"]}, {"paths": ["log"]}, {"paths": ["log.level"]}):
        assert (await client.patch("master/config", {"config": {}, "fieldMask": mask})).error["code"] == 3
    assert (await client.patch("master/config", {"fieldMask": "log"}, user="determined")).error["code"] == 3
    assert (await client.patch("master/config", {}, user="determined")).error["code"] == 7


async def test_the_log_is_read_in_pieces(client: Client, app: App) -> None:
    """From an offset on, counted from the end when negative; beyond the end there is nothing."""
    for number in range(5):
        logging.getLogger("undeterred.test").error("line %d", number)
    lines = (await client.get("master/logs")).lines
    assert [line["logEntry"]["message"] for line in lines[-2:]] == ["undeterred.test: line 3", "undeterred.test: line 4"]
    assert (lines[-1]["logEntry"]["level"], lines[0]["logEntry"]["id"]) == ("LOG_LEVEL_ERROR", 0)
    tail = (await client.get("master/logs", offset=-2, limit=1)).lines
    assert [line["logEntry"]["message"] for line in tail] == ["undeterred.test: line 3"]
    assert (await client.get("master/logs", offset=1, limit=2, user="determined")).lines == lines[1:3]
    empty = await client.get("master/logs", offset=1_000_000)
    assert (empty.status, empty.text) == (200, "")


async def test_a_follower_gets_new_lines(client: Client) -> None:
    """The stream stays open until it has as many as were asked for."""
    start = len((await client.get("master/logs")).lines)
    following = asyncio.create_task(client.get("master/logs", offset=start, limit=3, follow="true"))
    for number in range(3):
        await asyncio.sleep(0.01)
        logging.getLogger("undeterred.test").error("new %d", number)
    lines = (await asyncio.wait_for(following, 10)).lines
    assert [line["logEntry"]["message"] for line in lines] == [f"undeterred.test: new {number}" for number in range(3)]


PAST, FUTURE = "2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"


async def test_everybody_sees_the_message_while_its_time_is(client: Client) -> None:
    """Administrators see it before; one that is replaced or removed is gone."""
    await client.ok("PUT", "master/cluster_message", {"message": "hello", "startTime": PAST, "endTime": FUTURE})
    shown = (await client.ok("GET", "master", user=None))["clusterMessage"]
    assert (shown["message"], shown["startTime"], shown["endTime"]) == ("hello", PAST, FUTURE)
    assert (await client.get("master/cluster_message", user="determined")).error["code"] == 7
    await client.ok("PUT", "master/cluster_message", {"message": "later", "startTime": FUTURE})
    assert "clusterMessage" not in await client.ok("GET", "master", user=None)
    later = (await client.ok("GET", "master/cluster_message"))["clusterMessage"]
    assert (later["message"], "endTime" in later) == ("later", False)
    await client.ok("PUT", "master/cluster_message", {"message": "for an hour", "duration": "1h"})
    assert (await client.ok("GET", "master", user=None))["clusterMessage"]["message"] == "for an hour"
    for _ in range(2):
        await client.ok("DELETE", "master/cluster_message")
    assert await client.ok("GET", "master/cluster_message") == {}


BAD_MESSAGES = [
    {"message": "x" * 251},
    {"message": "m", "startTime": FUTURE, "endTime": PAST},
    {"message": "m", "startTime": PAST, "endTime": "2020-01-02T00:00:00Z"},
    {"message": "m", "startTime": PAST, "endTime": FUTURE, "duration": "1h"},
    {"message": "m", "duration": "5d"},
    {"message": "m", "duration": ""},
    {"message": "m", "duration": "-1h"},
    {"message": "m", "startTime": PAST, "duration": "48h"},
    {"message": "m", "startTime": "9999-12-31T00:00:00Z", "duration": "48h"},
    {"message": "m", "startTime": "soon"},
]


async def test_a_bad_message_is_refused(client: Client) -> None:
    """Too long, over before it begins, over already, two ends, no such time; the old one stays."""
    await client.ok("PUT", "master/cluster_message", {"message": "x" * 250})
    for body in BAD_MESSAGES:
        assert (await client.put("master/cluster_message", body)).error["code"] == 3
    assert (await client.ok("GET", "master", user=None))["clusterMessage"]["message"] == "x" * 250
    for method in ("PUT", "DELETE"):
        assert (await client.call(method, "master/cluster_message", {}, user="determined")).error["code"] == 7
