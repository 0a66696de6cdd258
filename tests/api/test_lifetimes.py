"""How long credentials last, on a clock that is moved by hand and over new servers on the same data; and that none is kept."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.api import worlds
from tests.api.registered import uuid
from tests.api.running import Site, end, pretend, serve, token_of
from tests.clocks import Hands
from tests.conftest import PASSWORD, make_settings
from tests.databases import Stores
from tests.support import Client
from undeterred.base.clock import DAY, SECOND
from undeterred.base.settings import Settings
from undeterred.store.database import Tx
from undeterred.store.schema.base import metadata

CONFIG = "{name: long, entrypoint: python x.py, searcher: {name: single, metric: loss}, max_restarts: 0}"


@pytest.fixture
def settings() -> Settings:
    """Every call is told in the log."""
    return msgspec.structs.replace(make_settings(), internal={"audit_logging_enabled": True})


@pytest.fixture
def site(stores: Stores, data_dir: Path, settings: Settings) -> Iterator[Site]:
    """Where servers run one after the other."""
    with stores.seeded(data_dir) as url:
        yield Site(url, data_dir, settings, Hands(1_800_000_000 * SECOND))


async def status(client: Client, token: str, path: str = "me") -> int:
    """How a call with a token is answered."""
    return (await client.get(path, user=f"token:{token}")).status


async def access_token(client: Client, user: int = 2, **fields: Any) -> tuple[int, str]:
    """A new access token: its number and its text."""
    made = await client.ok("POST", "tokens", {"userId": user} | fields)
    return made["tokenId"], made["token"]


async def login(client: Client, name: str, password: str = PASSWORD) -> str:
    """The token of a new login."""
    return str((await client.ok("POST", "auth/login", {"username": name, "password": password}, user=None))["token"])


async def test_an_access_token_is_good_until_its_time(site: Site) -> None:
    """Used a moment before, refused from then on, though it was remembered; it is listed as over, and a new server knows it."""
    async with site.up() as (_, client):
        _, short = await access_token(client, lifespan="3s")
        _, long = await access_token(client, lifespan="48h")
        for second in (0, 1, 1):
            site.clock.time += second * SECOND
            assert await status(client, short) == 200
        site.clock.time += SECOND
        assert await status(client, short) == 401
        assert len((await client.ok("GET", "tokens"))["tokenInfo"]) == 1
        assert len((await client.ok("GET", "tokens", showInactive="true"))["tokenInfo"]) == 2
    async with site.up() as (_, client):
        assert (await status(client, short), await status(client, long)) == (401, 200)
        site.clock.time += 2 * DAY
        assert await status(client, long) == 401


async def test_a_revoked_token_is_refused_by_every_later_server(site: Site) -> None:
    """At once, without a moment in which it is still remembered, and after a new start; its owner's other token goes on."""
    async with site.up() as (_, client):
        (number, revoked), (_, other) = await access_token(client, lifespan="48h"), await access_token(client, lifespan="48h")
        assert (await status(client, revoked), await status(client, other)) == (200, 200)
        await client.ok("PATCH", f"tokens/{number}", {"setRevoked": True})
        assert (await status(client, revoked), await status(client, other)) == (401, 200)
    async with site.up() as (_, client):
        assert (await status(client, revoked), await status(client, other)) == (401, 200)


async def test_a_token_has_what_its_owner_has_now(site: Site) -> None:
    """Refused while the owner is deactivated, good again afterwards; what only administrators may do ends with the office."""
    async with site.up() as (_, client):
        ann = await worlds.user(client, "ann", admin=True)
        _, token = await access_token(client, ann)
        assert await status(client, token, "tokens") == 200
        await client.ok("PATCH", f"users/{ann}", {"active": False})
        assert await status(client, token) == 403
        await client.ok("PATCH", f"users/{ann}", {"active": True})
        assert await status(client, token, "tokens") == 200
        await client.ok("PATCH", f"users/{ann}", {"admin": False})
        assert (await status(client, token), await status(client, token, "tokens")) == (200, 403)


async def reports(client: Client, trial: int, task: str, step: int, token: str) -> None:
    """All that a trial says of itself at a step, with the token of its task; everything must be taken."""
    metrics = {"trialRunId": 1, "stepsCompleted": step, "metrics": {"avgMetrics": {"loss": 1 / step}}}
    checkpoint = {"uuid": uuid(step), "taskId": task, "resources": {"a": "1"}, "metadata": {"steps_completed": step}}
    lines = [{"taskId": task, "timestamp": "2027-01-01T00:00:00Z", "log": f"step {step}\n"}]
    for path, body in (
        (f"trials/{trial}/metrics", {"group": "training", "metrics": metrics}),
        (f"trials/{trial}/metrics", {"group": "validation", "metrics": metrics}),
        (f"trials/{trial}/progress", {"progress": step / 4}),
        ("checkpoints", checkpoint),
        ("task/logs", {"logs": lines}),
    ):
        await client.ok("POST", path, body, user=f"token:{token}")


async def test_a_trial_outlives_every_session_of_its_owner(site: Site) -> None:
    """A new password, a logout, a new server and a week in which all logins run out; its own token ends with its task."""
    async with site.up() as (app, client):
        owner = await worlds.user(client, "owner")
        made = (await client.ok("POST", "experiments", {"config": CONFIG, "activate": True}, user="owner"))["experiment"]
        experiment, trial = made["id"], made["trialIds"][0]
        allocation = await pretend(app, owner)
        task, token = allocation.rpartition(".")[0], token_of(allocation)
        await reports(client, trial, task, 1, token)
        await client.ok("PATCH", f"users/{owner}", {"password": "Another1", "isHashed": False})
        assert await status(client, await client.token("owner")) == 401
        again, left = await login(client, "owner", "Another1"), await login(client, "owner", "Another1")
        await client.ok("POST", "auth/logout", user=f"token:{again}")
        assert (await status(client, again), await status(client, left)) == (401, 200)
        await reports(client, trial, task, 2, token)
    site.clock.time += 8 * DAY
    async with site.up() as (app, client):
        assert await status(client, left) == 401
        await reports(client, trial, task, 3, token)
        await serve(app)
        await reports(client, trial, task, 4, token)
        answer = await client.ok("GET", f"allocations/{allocation}/signals/preemption", user=f"token:{token}", timeoutSeconds=0)
        assert answer["preempt"] is False
        await end(app, allocation)
        assert (await client.post(f"trials/{trial}/progress", {"progress": 1}, user=f"token:{token}")).status == 401
        shown = (await client.ok("GET", f"trials/{trial}"))["trial"]
        assert (shown["state"], shown["restarts"], shown["totalBatchesProcessed"]) == ("STATE_COMPLETED", 0, 4)
        assert (await client.ok("GET", f"experiments/{experiment}"))["experiment"]["state"] == "STATE_COMPLETED"
        found = (await client.ok("GET", f"trials/{trial}/checkpoints"))["checkpoints"]
        assert sorted(one["uuid"] for one in found) == [uuid(step) for step in (1, 2, 3, 4)]


def dump(tx: Tx) -> str:
    """Everything that the database holds, as text."""
    return "\n".join(str(tx.rows(table.select())) for table in metadata.sorted_tables)


LISTS = ("tokens?showInactive=true", "users", "me", "auth/user", "master", "master/config", "master/logs", "tasks")


async def test_no_token_and_no_password_is_kept_or_told(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """In no list, no log, no message, neither in the database nor in any file of the data folder."""
    caplog.set_level(logging.DEBUG)
    async with site.up() as (app, client):
        await worlds.user(client, "ann")
        made = await client.ok("POST", "experiments", {"config": CONFIG, "activate": True})
        task = token_of(await pretend(app))
        number, revoked = await access_token(client, description="of a robot")
        _, good = await access_token(client)
        secrets = [task, revoked, good, await client.token("admin"), await login(client, "ann"), PASSWORD, "Wrong-Guess-1"]
        told = []
        for token in (*secrets[:-2], f"{good}x"):
            told.append((await client.get("me", user=f"token:{token}")).text)
            told.append((await client.post("experiments", {"config": "{"}, user=f"token:{token}")).text)
        told.append((await client.post("auth/login", {"username": "ann", "password": "Wrong-Guess-1"}, user=None)).text)
        told.append((await client.patch(f"tokens/{number}", {"setRevoked": True})).text)
        trial = made["experiment"]["trialIds"][0]
        for path in (*LISTS, f"trials/{trial}", f"trials/{trial}/logs", "experiments"):
            answer = await client.get(path)
            assert answer.status == 200, path
            told.append(answer.text)
        kept = await app.db.read(dump)
    assert ("of a robot" in kept, "operation=GetMe" in caplog.text) == (True, True)
    files = [path for path in site.data_dir.rglob("*") if path.is_file()]
    for secret in secrets:
        assert secret not in kept
        assert secret not in "\n".join(told)
        assert secret not in caplog.text
        assert [path.name for path in files if secret.encode() in path.read_bytes()] == []
