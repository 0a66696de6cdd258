"""Who calls: from a credential to a user, and what is remembered about it.

Looking a token up costs a query, so live sessions are remembered for a second; what ends or changes one here says so with
`forget`, which runs right after its commit: a revoked token is refused by the very next request. What ends sessions elsewhere
(a task that is over, another process) is noticed within that second.
"""

from collections.abc import Hashable
from typing import Any

from undeterred.base.clock import SECOND, Clock, Micros
from undeterred.base.errors import Forbidden, Unauthenticated
from undeterred.base.struct import Struct, replace
from undeterred.engine.sharing import Sharing
from undeterred.store import sessions, users
from undeterred.store.database import Database, Tx

TASK_KINDS = ("allocation", "supervisor")
"""Kinds of sessions that belong to a task."""


PERMIT_SECONDS = 1.0
KNOWN_SECONDS = 1.0
LENT = 3600 * SECOND
"""How long a login lasts that could not be stored."""
LENT_AT_MOST = 1000
_ENDED = "the session has been ended; log in again"


class Who(Struct, frozen=True):
    """An authenticated caller."""

    user_id: int
    username: str
    admin: bool
    session_id: int
    kind: str
    """session, access, allocation or supervisor."""
    allocation_id: str | None = None
    """The task that calls, for kinds allocation and supervisor."""
    expires_at: Micros | None = None

    @property
    def task_id(self) -> str | None:
        """The task whose token this is (an allocation id is the task id, a dot and a number)."""
        return None if self.allocation_id is None else self.allocation_id.rpartition(".")[0]


class Identities:
    """Token -> Who, cached; at most `limit` tokens are remembered."""

    def __init__(self, db: Database, clock: Clock, limit: int = 10_000) -> None:
        self._db = db
        self._clock = clock
        self._limit = limit
        self._known: dict[str, tuple[Who, float]] = {}
        self._epoch = 0
        self._permits: dict[tuple[int, Hashable], float] = {}
        self._checked: dict[int, float] = {}
        self._looks = Sharing()
        self._lent: dict[str, tuple[Who, str | None]] = {}
        self._lendings = 0

    async def who(self, token: str) -> Who:
        """The caller of a live token; raises Unauthenticated (unknown, expired, revoked) or Forbidden (inactive user).

        What a user started goes on when the user is deactivated: the tokens of tasks stay good until their tasks end.
        """
        known = self._known.get(token)
        if known is not None and self._is_fresh(*known):
            return known[0]
        epoch = self._epoch
        who = await self._db.read(lambda tx: self._look_up(tx, token), quick=True)
        if epoch == self._epoch:
            if len(self._known) >= self._limit:
                self._known.clear()
            self._known[token] = (who, self._clock.monotonic() + KNOWN_SECONDS)
        return who

    def _is_fresh(self, who: Who, until: float) -> bool:
        if who.expires_at is not None and who.expires_at <= self._clock.now():
            return False
        return self._clock.monotonic() < until

    def forget(self) -> None:
        """Drop what is remembered; called after a session or a user changed."""
        self._epoch += 1
        self._known.clear()
        self._permits.clear()
        self._checked.clear()

    async def check(self, who: Who) -> None:
        """Raises Unauthenticated or Forbidden when the caller would not be let in any more; for calls that go on for long.

        It looks once a second at most, and at once after `forget`. Calls of tasks end with their tasks.
        """
        if who.expires_at is not None and who.expires_at <= self._clock.now():
            raise Unauthenticated("the session has expired; log in again")
        if who.session_id < 0 and all(lent.session_id != who.session_id for lent, _ in self._lent.values()):
            raise Unauthenticated(_ENDED)
        if who.kind in TASK_KINDS or who.session_id < 0 or self._checked.get(who.session_id, 0.0) > self._clock.monotonic():
            return
        epoch = self._epoch
        row = await self._looks.once(
            (epoch, who.session_id), lambda: self._db.read(lambda tx: sessions.still(tx, who.session_id), quick=True)
        )
        if row is None or row.revoked:
            raise Unauthenticated(_ENDED)
        if not row.active:
            raise Forbidden(f"user {who.username} is not active")
        if epoch == self._epoch:
            if len(self._checked) >= self._limit:
                self._checked.clear()
            self._checked[who.session_id] = self._clock.monotonic() + KNOWN_SECONDS

    def permitted(self, who: Who, key: Hashable) -> bool:
        """Whether `permit` was called for this within the last second."""
        return self._permits.get((who.session_id, key), 0.0) > self._clock.monotonic()

    def permit(self, who: Who, key: Hashable) -> None:
        """Remember for a second that the caller may do this: hot paths then ask the database once a second, not per call."""
        if len(self._permits) >= self._limit:
            self._permits.clear()
        self._permits[(who.session_id, key)] = self._clock.monotonic() + PERMIT_SECONDS

    def lend(self, user: Any, token: str) -> None:
        """Let the user (a row) in for an hour although nothing can be stored now, so that people can look and make room.

        Such a login is gone when the server ends, and when the user's password changes.
        """
        if len(self._lent) >= LENT_AT_MOST:
            self._lent.clear()
        self._lendings += 1
        who = Who(user.id, user.username, user.admin, -self._lendings, "session", expires_at=self._clock.now() + LENT)
        self._lent[sessions.token_hash(token)] = (who, user.password_hash)

    def take_back(self, who: Who) -> None:
        """End a login that was lent, if this is one."""
        self._lent = {key: lent for key, lent in self._lent.items() if lent[0].session_id != who.session_id}
        self.forget()

    def _look_up_lent(self, tx: Tx, token: str) -> Who | None:
        who, password_hash = self._lent.get(sessions.token_hash(token), (None, None))
        if who is None or (who.expires_at or 0) <= tx.now:
            return None
        user = users.get(tx, who.user_id)
        if not user.active:
            raise Forbidden(f"user {user.username} is not active")
        return replace(who, username=user.username, admin=user.admin) if user.password_hash == password_hash else None

    def _look_up(self, tx: Tx, token: str) -> Who:
        row = sessions.find(tx, token)
        if row is None and self._lent and (lent := self._look_up_lent(tx, token)) is not None:
            return lent
        if row is None or row.revoked or (row.expires_at is not None and row.expires_at <= tx.now):
            raise Unauthenticated("the token is unknown, expired or revoked; log in again")
        if not row.active and row.kind not in TASK_KINDS:
            raise Forbidden(f"user {row.username} is not active")
        return Who(row.user_id, row.username, row.admin, row.session_id, row.kind, row.allocation_id, row.expires_at)
