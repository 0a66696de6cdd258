"""Groups of users.

Every user also has one group of its own, without a name, that stands for it in role assignments and is never shown.
"""

from collections import defaultdict
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from undeterred.base.errors import Exists, NotFound
from undeterred.store import dialect
from undeterred.store.database import Tx
from undeterred.store.schema.identity import group_members, groups, users

_SHOWN = groups.c.user_id.is_(None)


def get(tx: Tx, group_id: int) -> Any:
    """A group by id; raises NotFound, also for a user's own group."""
    row = tx.row(sa.select(groups).where(groups.c.id == group_id, _SHOWN))
    if row is None:
        raise NotFound(f"group {group_id} not found")
    return row


def own(tx: Tx, user_ids: Collection[int]) -> dict[int, int]:
    """User id -> id of the group that stands for that user; unknown ids are left out."""
    rows = tx.rows(sa.select(groups.c.user_id, groups.c.id).where(groups.c.user_id.in_(user_ids)))
    return {row.user_id: row.id for row in rows}


def members(tx: Tx, group_ids: Collection[int]) -> dict[int, list[Any]]:
    """Group id -> rows of its users by id."""
    query = sa.select(group_members.c.group_id, users).join(users, users.c.id == group_members.c.user_id)
    found: dict[int, list[Any]] = defaultdict(list)
    for row in tx.rows(query.where(group_members.c.group_id.in_(group_ids)).order_by(users.c.id)):
        found[row.group_id].append(row)
    return found


def count(tx: Tx, *, name: str = "", user_id: int = 0, among: Collection[int] | None = None) -> int:
    """How many groups `search` finds."""
    return int(tx.value(sa.select(sa.func.count()).select_from(groups).where(*_conditions(name, user_id, among))))


def search(
    tx: Tx, *, name: str = "", user_id: int = 0, among: Collection[int] | None = None, start: int = 0, limit: int | None = None
) -> list[Any]:
    """Groups by id with `num_members`: of exactly that name, holding that user, among those ids; what is left out is any."""
    size = sa.select(sa.func.count()).where(group_members.c.group_id == groups.c.id).scalar_subquery().label("num_members")
    query = (
        sa.select(groups.c.id, groups.c.name, size).where(*_conditions(name, user_id, among)).order_by(groups.c.id).offset(start)
    )
    return tx.rows(query if limit is None else query.limit(limit))


def _conditions(name: str, user_id: int, among: Collection[int] | None) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = [_SHOWN]
    if name:
        conditions.append(groups.c.name == name)
    if user_id:
        conditions.append(groups.c.id.in_(sa.select(group_members.c.group_id).where(group_members.c.user_id == user_id)))
    if among is not None:
        conditions.append(groups.c.id.in_(among))
    return conditions


def create(tx: Tx, name: str) -> int:
    """Store a new group; its id. Raises Exists for a taken name."""
    _check_free(tx, name)
    return tx.insert(groups, name=name)


def rename(tx: Tx, group_id: int, name: str) -> None:
    """Give a group another name; raises Exists for a taken one."""
    _check_free(tx, name, group_id)
    tx.run(sa.update(groups).where(groups.c.id == group_id).values(name=name))


def _check_free(tx: Tx, name: str, group_id: int = 0) -> None:
    if tx.row(sa.select(groups.c.id).where(groups.c.name == name, groups.c.id != group_id)) is not None:
        raise Exists(f"a group named {name!r} exists")


def delete(tx: Tx, group_id: int) -> None:
    """Remove a group with its memberships and role assignments."""
    tx.run(sa.delete(groups).where(groups.c.id == group_id, _SHOWN))


def member_ids(tx: Tx, group_id: int) -> set[int]:
    """Ids of the users in a group."""
    return set(tx.values(sa.select(group_members.c.user_id).where(group_members.c.group_id == group_id)))


def add(tx: Tx, group_ids: Collection[int], user_ids: Collection[int]) -> None:
    """Put every one of the users into every one of the groups; those that are in it already stay, unknown ids do nothing."""
    pairs = sa.select(groups.c.id, users.c.id).select_from(groups.join(users, sa.true()))
    pairs = pairs.where(groups.c.id.in_(group_ids), _SHOWN, users.c.id.in_(user_ids))
    tx.run(dialect.insert_ignore(tx.conn, group_members).from_select(["group_id", "user_id"], pairs))


def remove(tx: Tx, group_ids: Collection[int], user_ids: Collection[int]) -> None:
    """Take every one of the users out of every one of the groups."""
    of_these = (group_members.c.group_id.in_(group_ids), group_members.c.user_id.in_(user_ids))
    tx.run(sa.delete(group_members).where(*of_these))


def known(tx: Tx, group_ids: Collection[int]) -> set[int]:
    """Those of the ids that are groups, users' own ones left out."""
    return set(tx.values(sa.select(groups.c.id).where(groups.c.id.in_(group_ids), _SHOWN)))
