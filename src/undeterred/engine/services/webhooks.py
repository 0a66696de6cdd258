"""Delivers events to the receivers of webhooks: signed, again after failures with growing delays, also across restarts."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from undeterred.base.clock import DAY, SECOND, Clock
from undeterred.base.errors import Failure
from undeterred.base.settings import WebhookSettings
from undeterred.base.struct import Struct
from undeterred.core.webhooks import is_worth_retrying, retry_after, sign
from undeterred.engine import keys
from undeterred.engine.post import Sent, post
from undeterred.store import cluster, webhooks
from undeterred.store.database import Database, Tx

log = logging.getLogger(__name__)

TIMEOUT_S = 8.0
"""For each step of sending: connect, send, wait for the answer."""
AT_ONCE = 32
"""Deliveries that are under way together."""
SHOWN_FOR = 7 * DAY
"""How long finished deliveries are kept to be looked at."""
IDLE_S = 60.0
"""Seconds between two looks when nothing is known to be due."""


class Sender:
    """Sends one event, signed."""

    def __init__(self, db: Database, settings: WebhookSettings, clock: Clock) -> None:
        self._db = db
        self._settings = settings
        self._clock = clock
        self._key = settings.signing_key.reveal()

    async def send(self, url: str, body: str) -> Sent:
        """POST the body; raises Invalid or Refused for an address that is none or not allowed."""
        if not self._key:
            stored = await self._db.read(lambda tx: cluster.get(tx, "signing_key"))
            self._key = stored or ""
        data, timestamp = body.encode(), self._clock.now() // SECOND
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Undeterred",
            "X-Determined-AI-Signature-Timestamp": str(timestamp),
            "X-Determined-AI-Signature": sign(self._key, timestamp, data),
        }
        return await asyncio.to_thread(
            post,
            url,
            data,
            headers,
            timeout=TIMEOUT_S,
            allow_private=self._settings.allow_private_addresses,
            allow_link_local=self._settings.allow_link_local,
        )


class _Outcome(Struct, frozen=True):
    row: Any
    sent: Sent
    again: bool


class WebhookService:
    """Works the outbox off; what fails waits its turn and holds nobody up."""

    name = "webhooks"
    wakes = (keys.WEBHOOKS,)

    def __init__(self, db: Database, sender: Sender, clock: Clock) -> None:
        self._db = db
        self._sender = sender
        self._clock = clock
        self._period = IDLE_S

    @property
    def period(self) -> float:
        """Seconds until the next delivery is due."""
        return self._period

    async def run_once(self) -> None:
        """Deliver all that is due."""
        while rows := await self._db.read(lambda tx: webhooks.due(tx, AT_ONCE)):
            outcomes = await asyncio.gather(*(self._deliver(row) for row in rows))
            await self._db.write(_noting(outcomes))
        await self._db.write(lambda tx: webhooks.forget_finished(tx, tx.now - SHOWN_FOR))
        due = await self._db.read(webhooks.next_due)
        self._period = IDLE_S if due is None else min(IDLE_S, max(0.05, (due - self._clock.now()) / SECOND))

    async def _deliver(self, row: Any) -> _Outcome:
        try:
            sent = await self._sender.send(row.url, row.body)
        except Failure as failure:
            return _Outcome(row, Sent(None, str(failure)), again=False)
        return _Outcome(row, sent, again=bool(sent.error) and is_worth_retrying(sent.status))


def _noting(outcomes: Sequence[_Outcome]) -> Callable[[Tx], None]:
    def note(tx: Tx) -> None:
        for one in outcomes:
            delay = retry_after(one.row.attempts + 1) if one.again else None
            again_at = None if delay is None else tx.now + delay * SECOND
            webhooks.tried(tx, one.row.id, one.sent.status, one.sent.error, again_at=again_at)

    for one in outcomes:
        if one.sent.error:
            log.warning("event %s for webhook %d was not delivered: %s", one.row.event_id, one.row.webhook_id, one.sent.error)
    return note
