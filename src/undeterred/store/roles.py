"""Role assignments: which group holds which built-in role where. A user's own group stands for the user."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from undeterred.base.errors import Exists
from undeterred.base.struct import Struct, asdict
from undeterred.store import dialect
from undeterred.store.database import Tx
from undeterred.store.schema.identity import group_members, groups, role_assignments, users
from undeterred.store.schema.spaces import workspaces


class Assignment(Struct, frozen=True):
    """A role that a group holds in a workspace, or everywhere when `workspace_id` is None."""

    group_id: int
    role_id: int
    workspace_id: int | None = None


_FIELDS = (role_assignments.c.role_id, role_assignments.c.workspace_id, role_assignments.c.group_id, groups.c.user_id)
_ALL = (
    sa.select(*_FIELDS)
    .join(groups, groups.c.id == role_assignments.c.group_id)
    .order_by(role_assignments.c.role_id, role_assignments.c.id)
)
"""Rows of an assignment by role; `user_id` is set where it was given to a user itself and not to a group."""


def of_roles(tx: Tx, role_ids: Collection[int]) -> list[Any]:
    """Every assignment of these roles."""
    return tx.rows(_ALL.where(role_assignments.c.role_id.in_(role_ids)))


def of_group(tx: Tx, group_id: int) -> list[Any]:
    """Every assignment of a group."""
    return tx.rows(_ALL.where(role_assignments.c.group_id == group_id))


def of_user(tx: Tx, user_id: int) -> list[Any]:
    """Every assignment of a user, its own and those of its groups."""
    mine = sa.select(group_members.c.group_id).where(group_members.c.user_id == user_id)
    return tx.rows(_ALL.where(role_assignments.c.group_id.in_(mine)))


def of_workspace(tx: Tx, workspace_id: int, name: str = "") -> list[Any]:
    """Every assignment in a workspace; with `name`, those of users and groups whose name has that part, ignoring case."""
    query = _ALL.where(role_assignments.c.workspace_id == workspace_id)
    if name:
        pattern = f"%{name}%"
        query = query.outerjoin(users, users.c.id == groups.c.user_id).where(
            sa.or_(
                *(dialect.ilike(tx.conn, column, pattern) for column in (groups.c.name, users.c.username, users.c.display_name))
            )
        )
    return tx.rows(query)


def assign(tx: Tx, assignments: Collection[Assignment]) -> None:
    """Give roles to groups; raises Exists when one is held already or named twice."""
    concerned = {one.group_id for one in assignments}
    tx.locked(sa.select(groups.c.id).where(groups.c.id.in_(concerned)).order_by(groups.c.id))
    rows = tx.rows(_ALL.where(role_assignments.c.group_id.in_(concerned)))
    held = {Assignment(row.group_id, row.role_id, row.workspace_id) for row in rows}
    for one in assignments:
        if one in held:
            raise Exists(f"the role {one.role_id} is assigned there already")
        held.add(one)
    tx.conn.execute(sa.insert(role_assignments), [asdict(one) for one in assignments])


def remove(tx: Tx, assignments: Collection[Assignment]) -> None:
    """Take roles away; one that is not held is passed over."""
    base = sa.delete(role_assignments).where(
        role_assignments.c.group_id == sa.bindparam("group"), role_assignments.c.role_id == sa.bindparam("role")
    )
    where = role_assignments.c.workspace_id
    everywhere = [{"group": one.group_id, "role": one.role_id} for one in assignments if one.workspace_id is None]
    if everywhere:
        tx.conn.execute(base.where(where.is_(None)), everywhere)
    somewhere = [{"group": one.group_id, "role": one.role_id, "at": one.workspace_id} for one in assignments if one.workspace_id]
    if somewhere:
        tx.conn.execute(base.where(where == sa.bindparam("at")), somewhere)


def known_workspaces(tx: Tx, workspace_ids: Collection[int]) -> set[int]:
    """Those of the ids that are workspaces."""
    return set(tx.values(sa.select(workspaces.c.id).where(workspaces.c.id.in_(workspace_ids))))
