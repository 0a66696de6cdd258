"""Users and their rights' raw material (grants)."""

from typing import Any

import sqlalchemy as sa

from undeterred.base.errors import NotFound
from undeterred.core.rights import Grant
from undeterred.store.database import Tx
from undeterred.store.schema.identity import group_members, groups, role_assignments, users


def get(tx: Tx, user_id: int) -> Any:
    """A user by id; raises NotFound."""
    row = tx.row(sa.select(users).where(users.c.id == user_id))
    if row is None:
        raise NotFound(f"user {user_id} not found")
    return row


def by_name(tx: Tx, username: str) -> Any | None:
    """A user by exact name, or None."""
    return tx.row(sa.select(users).where(users.c.username == username))


def create(tx: Tx, username: str, **columns: Any) -> int:
    """Store a new user with the hidden group that stands for it in role assignments; its id."""
    user_id = tx.insert(users, username=username, modified_at=tx.now, **columns)
    group_id = tx.insert(groups, name=f"\x00user:{user_id}", user_id=user_id)
    tx.insert(group_members, group_id=group_id, user_id=user_id)
    return user_id


def touch_login(tx: Tx, user_id: int) -> None:
    """Remember that the user was authenticated now."""
    tx.run(sa.update(users).where(users.c.id == user_id).values(last_auth_at=tx.now))


def set_password_hash(tx: Tx, user_id: int, password_hash: str | None) -> None:
    """Replace the stored hash."""
    tx.run(sa.update(users).where(users.c.id == user_id).values(password_hash=password_hash, modified_at=tx.now))


def grants(tx: Tx, user_id: int) -> tuple[tuple[Grant, ...], frozenset[int]]:
    """Every role that the user holds, through itself or its groups; and the groups."""
    member_of = frozenset(tx.values(sa.select(group_members.c.group_id).where(group_members.c.user_id == user_id)))
    rows = tx.rows(
        sa.select(role_assignments.c.role_id, role_assignments.c.workspace_id)
        .where(role_assignments.c.group_id.in_(member_of))
        .order_by(role_assignments.c.id)
    )
    return tuple(Grant(row.role_id, row.workspace_id) for row in rows), member_of
