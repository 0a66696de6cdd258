"""Delivery: signed, once when it works, again after failures, also by the next server."""

import hashlib
import hmac
from typing import Any

import pytest

from tests.clocks import Hands
from tests.receiver import receiving
from tests.rows import seeded
from undeterred.base.clock import SECOND
from undeterred.base.settings import Secret, WebhookSettings
from undeterred.engine.services.webhooks import Sender, WebhookService
from undeterred.store import webhooks
from undeterred.store.database import Database, Tx
from undeterred.store.webhooks import NewTrigger


@pytest.fixture
def clock(db: Database) -> Hands:
    """The clock of the database, too, which has its first users."""
    fake = Hands(1_700_000_000 * SECOND)
    seeded(db)
    db.clock = fake
    return fake


def service(db: Database, clock: Hands, key: str = "k") -> WebhookService:
    """The service of a server."""
    return WebhookService(db, Sender(db, WebhookSettings(signing_key=Secret(key)), clock), clock)


async def leave(db: Database, url: str, body: str = '{"a":1}') -> int:
    """A webhook with one event to be delivered; its id."""

    def work(tx: Tx) -> int:
        number = webhooks.create(tx, [NewTrigger("CUSTOM", "{}")], name="h", url=url, kind="DEFAULT", mode="WORKSPACE")
        webhooks.enqueue(tx, number, "event", "CUSTOM", body)
        return number

    return await db.write(work)


async def state(db: Database, webhook_id: int) -> Any:
    """The newest delivery."""
    return (await db.read(lambda tx: webhooks.deliveries(tx, webhook_id)))[0]


async def test_an_event_is_delivered_once(db: Database, clock: Hands) -> None:
    """With the signature of the configured key; a second pass sends nothing."""
    with receiving() as receiver:
        number = await leave(db, receiver.url)
        running = service(db, clock)
        await running.run_once()
        await running.run_once()
        (request,) = receiver.requests
    time = request.headers["x-determined-ai-signature-timestamp"]
    assert int(time) == clock.time // SECOND
    assert request.body == b'{"a":1}'
    expected = hmac.new(b"k", f"{time},".encode() + request.body, hashlib.sha256).hexdigest()
    assert request.headers["x-determined-ai-signature"] == expected
    row = await state(db, number)
    assert (row.state, row.status, row.attempts) == ("DELIVERED", 200, 1)


async def test_without_a_configured_key_the_stored_one_signs(db: Database, clock: Hands) -> None:
    """It was made with the database, so that signatures do not change with a restart."""
    with receiving() as receiver:
        await leave(db, receiver.url)
        await service(db, clock, "").run_once()
        await leave(db, receiver.url)
        await service(db, clock, "").run_once()
        first, second = receiver.requests
    assert first.headers["x-determined-ai-signature"] == second.headers["x-determined-ai-signature"]


async def test_a_failing_receiver_is_tried_again_later(db: Database, clock: Hands) -> None:
    """After waits that grow, by whichever server runs then; the service knows when it is wanted next."""
    with receiving(500, 503, 200) as receiver:
        number = await leave(db, receiver.url)
        first = service(db, clock)
        await first.run_once()
        row = await state(db, number)
        assert (row.state, row.status, first.period) == ("PENDING", 500, 1.0)
        await first.run_once()
        assert len(receiver.requests) == 1
        clock.time += SECOND
        after_restart = service(db, clock)
        await after_restart.run_once()
        assert after_restart.period == 2.0
        clock.time += 2 * SECOND
        await after_restart.run_once()
        assert len(receiver.requests) == 3
    row = await state(db, number)
    assert (row.state, row.attempts, row.error) == ("DELIVERED", 3, "")


async def test_a_refusal_is_final(db: Database, clock: Hands) -> None:
    """Of the receiver (a 4xx), of the address, or of a text that is no address; what went wrong is kept."""
    with receiving(404) as receiver:
        told = await leave(db, receiver.url)
        forbidden, nonsense = await leave(db, "http://169.254.169.254/"), await leave(db, "nope")
        await service(db, clock).run_once()
    for number, word in ((told, "404"), (forbidden, "169.254"), (nonsense, "nope")):
        row = await state(db, number)
        assert (row.state, word in row.error) == ("FAILED", True)


async def test_it_is_given_up_in_the_end(db: Database, clock: Hands) -> None:
    """After many attempts over some hours."""
    begun = clock.time
    number = await leave(db, "http://127.0.0.1:1/")
    running = service(db, clock)
    while (await state(db, number)).state == "PENDING":
        await running.run_once()
        clock.time += int(running.period * SECOND)
    assert (await state(db, number)).state == "FAILED"
    assert 3600 < (clock.time - begun) / SECOND < 24 * 3600


async def test_old_deliveries_are_forgotten(db: Database, clock: Hands) -> None:
    """A week after they were finished."""
    with receiving() as receiver:
        number = await leave(db, receiver.url)
        await service(db, clock).run_once()
    clock.time += 8 * 86400 * SECOND
    await service(db, clock).run_once()
    assert await db.read(lambda tx: webhooks.deliveries(tx, number)) == []
