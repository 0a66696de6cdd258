"""Sessions: logins, access tokens, and the tokens of tasks and their supervisors. Only hashes of tokens are kept."""

import hashlib
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from undeterred.base.clock import Micros
from undeterred.base.errors import NotFound
from undeterred.base.struct import Struct
from undeterred.store.database import Tx
from undeterred.store.fast import Prepared, delete_rows
from undeterred.store.schema.identity import sessions, users

_FIND = Prepared(
    sa.select(
        sessions.c.id.label("session_id"),
        sessions.c.kind,
        sessions.c.expires_at,
        sessions.c.revoked,
        sessions.c.allocation_id,
        users.c.id.label("user_id"),
        users.c.username,
        users.c.admin,
        users.c.active,
    )
    .join(users, users.c.id == sessions.c.user_id)
    .where(sessions.c.token_hash == sa.bindparam("hash"))
)


def token_hash(token: str) -> str:
    """What is stored of a token. Tokens are 256 random bits, so a plain hash suffices."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def find(tx: Tx, token: str) -> Any | None:
    """The session of a token with what a caller's identity needs of its user; expired and revoked ones too."""
    return _FIND.first(tx, hash=token_hash(token))


def still(tx: Tx, session_id: int) -> Any | None:
    """Whether a session is revoked and its user is active; None when it has been ended."""
    query = sa.select(sessions.c.revoked, users.c.active).join(users, users.c.id == sessions.c.user_id)
    return tx.row(query.where(sessions.c.id == session_id))


def create(
    tx: Tx,
    user_id: int,
    token: str,
    *,
    kind: str = "session",
    expires_at: Micros | None = None,
    description: str = "",
    allocation_id: str | None = None,
) -> int:
    """Store a new session; its id."""
    return tx.insert(
        sessions,
        user_id=user_id,
        token_hash=token_hash(token),
        kind=kind,
        created_at=tx.now,
        expires_at=expires_at,
        description=description,
        allocation_id=allocation_id,
    )


def delete(tx: Tx, session_id: int) -> None:
    """End one session."""
    tx.run(sa.delete(sessions).where(sessions.c.id == session_id))


def delete_logins(tx: Tx, user_id: int) -> None:
    """End every login of a user; access tokens and tasks go on."""
    tx.run(sa.delete(sessions).where(sessions.c.user_id == user_id, sessions.c.kind == "session"))


def delete_of_allocation(tx: Tx, allocation_id: str) -> None:
    """End the credentials of a task that is over."""
    delete_rows(tx, sessions.c.allocation_id, allocation_id)


def delete_expired(tx: Tx, before: Micros) -> int:
    """Remove logins that ran out; access tokens stay listed."""
    return tx.run(sa.delete(sessions).where(sessions.c.kind == "session", sessions.c.expires_at < before))


# --- access tokens: sessions of kind "access", made for programs, listed and revoked by people

_TOKEN_SORTS: dict[str, Any] = {
    "id": sessions.c.id,
    "user_id": sessions.c.user_id,
    "expires_at": sessions.c.expires_at,
    "created_at": sessions.c.created_at,
    "kind": sessions.c.kind,
    "revoked": sessions.c.revoked,
    "description": sa.func.nullif(sessions.c.description, ""),
}
TOKEN_SORTS = frozenset(_TOKEN_SORTS)
"""What lists of access tokens can be sorted by."""


class TokenFilter(Struct, frozen=True):
    """Which access tokens a list shows."""

    user_id: int | None = None
    token_ids: Collection[int] = ()
    inactive: bool = False
    """Expired and revoked ones too."""


def access_token(tx: Tx, token_id: int) -> Any:
    """An access token by id, without its secret, which is kept nowhere; raises NotFound."""
    row = tx.row(sa.select(sessions).where(sessions.c.id == token_id, sessions.c.kind == "access"))
    if row is None:
        raise NotFound(f"access token {token_id} not found")
    return row


def count_tokens(tx: Tx, which: TokenFilter) -> int:
    """How many access tokens a filter admits."""
    return int(tx.value(sa.select(sa.func.count()).select_from(sessions).where(*_token_conditions(tx, which))))


def search_tokens(
    tx: Tx, which: TokenFilter, sort: str = "id", *, descending: bool = False, start: int = 0, end: int | None = None
) -> list[Any]:
    """Tokens `start` to `end` of those that a filter admits; ones without the sorted value last, in descending order first."""
    key = _TOKEN_SORTS[sort]
    order = key.desc().nulls_first() if descending else key.asc().nulls_last()
    query = sa.select(sessions).where(*_token_conditions(tx, which)).order_by(order, sessions.c.id).offset(start)
    return tx.rows(query if end is None else query.limit(end - start))


def _token_conditions(tx: Tx, which: TokenFilter) -> list[sa.ColumnElement[bool]]:
    conditions = [sessions.c.kind == "access"]
    if which.user_id is not None:
        conditions.append(sessions.c.user_id == which.user_id)
    if which.token_ids:
        conditions.append(sessions.c.id.in_(set(which.token_ids)))
    if not which.inactive:
        conditions.append(sa.not_(sessions.c.revoked))
        conditions.append(sa.or_(sessions.c.expires_at.is_(None), sessions.c.expires_at > tx.now))
    return conditions


def describe_token(tx: Tx, token_id: int, description: str) -> None:
    """Replace the description of an access token."""
    tx.run(sa.update(sessions).where(sessions.c.id == token_id).values(description=description))


def revoke_token(tx: Tx, token_id: int) -> None:
    """Refuse an access token from now on; it stays listed."""
    tx.run(sa.update(sessions).where(sessions.c.id == token_id).values(revoked=True))
