"""Sessions: logins, access tokens, and the tokens of tasks and their supervisors. Only hashes of tokens are kept."""

import hashlib
from typing import Any

import sqlalchemy as sa

from undeterred.base.clock import Micros
from undeterred.store.database import Tx
from undeterred.store.schema.identity import sessions, users

_FIND = (
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
    return tx.row(_FIND, {"hash": token_hash(token)})


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
    tx.run(sa.delete(sessions).where(sessions.c.allocation_id == allocation_id))


def delete_expired(tx: Tx, before: Micros) -> int:
    """Remove logins that ran out; access tokens stay listed."""
    return tx.run(sa.delete(sessions).where(sessions.c.kind == "session", sessions.c.expires_at < before))
