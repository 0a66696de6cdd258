"""Users, what they keep for themselves (settings, recently visited projects), and their rights' raw material (grants)."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from undeterred.base.errors import NotFound, Refused
from undeterred.base.struct import Struct
from undeterred.core.rights import Grant, Scope
from undeterred.core.rights.roles import CLUSTER_ADMIN
from undeterred.store import dialect
from undeterred.store.database import Tx
from undeterred.store.schema.identity import group_members, groups, role_assignments, user_activity, user_settings, users
from undeterred.store.schema.spaces import projects

_SORTS: dict[str, Any] = {
    "id": users.c.id,
    "display_name": sa.func.nullif(users.c.display_name, ""),
    "username": users.c.username,
    "admin": users.c.admin,
    "active": users.c.active,
    "modified_at": users.c.modified_at,
    "name": sa.func.coalesce(sa.func.nullif(users.c.display_name, ""), users.c.username),
    "last_auth_at": users.c.last_auth_at,
    "remote": users.c.remote,
}
SORTS = frozenset(_SORTS)
"""What lists of users can be sorted by."""


class UserFilter(Struct, frozen=True):
    """Which users a list shows; what is left out does not filter."""

    name: str = ""
    """A part of the user name or the display name, ignoring case; `%` and `_` are wildcards."""
    active: bool | None = None
    admin: bool | None = None
    role_ids: Collection[int] = ()
    """Holding one of these roles directly, not through a group."""


def get(tx: Tx, user_id: int) -> Any:
    """A user by id; raises NotFound."""
    row = tx.row(sa.select(users).where(users.c.id == user_id))
    if row is None:
        raise NotFound(f"user {user_id} not found")
    return row


def by_name(tx: Tx, username: str) -> Any | None:
    """A user by exact name, or None."""
    return tx.row(sa.select(users).where(users.c.username == username))


def of_ids(tx: Tx, user_ids: Collection[int]) -> list[Any]:
    """The users with these ids, by id; unknown ids are left out."""
    return tx.rows(sa.select(users).where(users.c.id.in_(user_ids)).order_by(users.c.id))


def known(tx: Tx, user_ids: Collection[int]) -> set[int]:
    """Those of the ids that are users."""
    return set(tx.values(sa.select(users.c.id).where(users.c.id.in_(set(user_ids)))))


def name_is_of_another(tx: Tx, name: str, user_id: int) -> bool:
    """Whether `name` is, ignoring case, the user name of somebody else."""
    same = sa.func.lower(users.c.username) == name.lower()
    return tx.row(sa.select(users.c.id).where(same, users.c.id != user_id)) is not None


def count(tx: Tx, which: UserFilter) -> int:
    """How many users a filter admits."""
    return int(tx.value(sa.select(sa.func.count()).select_from(users).where(*_conditions(tx, which))))


def search(
    tx: Tx, which: UserFilter, sort: str = "id", *, descending: bool = False, start: int = 0, end: int | None = None
) -> list[Any]:
    """Users `start` to `end` of those that a filter admits; ones without the sorted value last, in descending order first."""
    key = _SORTS[sort]
    order = key.desc().nulls_first() if descending else key.asc().nulls_last()
    query = sa.select(users).where(*_conditions(tx, which)).order_by(order, users.c.id).offset(start)
    return tx.rows(query if end is None else query.limit(end - start))


def _conditions(tx: Tx, which: UserFilter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if which.name:
        pattern = f"%{which.name}%"
        named = (users.c.username, users.c.display_name)
        conditions.append(sa.or_(*(dialect.ilike(tx.conn, column, pattern) for column in named)))
    if which.active is not None:
        conditions.append(users.c.active == sa.literal(which.active))
    if which.admin is not None:
        conditions.append(users.c.admin == sa.literal(which.admin))
    if which.role_ids:
        holders = sa.select(groups.c.user_id).join(role_assignments, role_assignments.c.group_id == groups.c.id)
        conditions.append(users.c.id.in_(holders.where(role_assignments.c.role_id.in_(set(which.role_ids)))))
    return conditions


def create(tx: Tx, username: str, **columns: Any) -> int:
    """Store a new user with the hidden group that stands for it in role assignments; its id."""
    user_id = tx.insert(users, username=username, modified_at=tx.now, **columns)
    group_id = tx.insert(groups, name=None, user_id=user_id)
    tx.insert(group_members, group_id=group_id, user_id=user_id)
    return user_id


def update(tx: Tx, user_id: int, **columns: Any) -> None:
    """Change columns of a user."""
    tx.run(sa.update(users).where(users.c.id == user_id).values(modified_at=tx.now, **columns))


def set_active(tx: Tx, user_ids: Collection[int], active: bool) -> None:
    """Activate or deactivate users."""
    changed = sa.update(users).where(users.c.id.in_(set(user_ids)), users.c.active != sa.literal(active))
    tx.run(changed.values(active=active, modified_at=tx.now))


def touch_login(tx: Tx, user_id: int) -> None:
    """Remember that the user was authenticated now."""
    tx.run(sa.update(users).where(users.c.id == user_id).values(last_auth_at=tx.now))


def set_password_hash(tx: Tx, user_id: int, password_hash: str | None) -> None:
    """Replace the stored hash."""
    update(tx, user_id, password_hash=password_hash)


def grants(tx: Tx, user_id: int) -> tuple[tuple[Grant, ...], frozenset[int]]:
    """Every role that the user holds, through itself or its groups; and the groups."""
    member_of = frozenset(tx.values(sa.select(group_members.c.group_id).where(group_members.c.user_id == user_id)))
    rows = tx.rows(
        sa.select(role_assignments.c.role_id, role_assignments.c.workspace_id)
        .where(role_assignments.c.group_id.in_(member_of))
        .order_by(role_assignments.c.id)
    )
    return tuple(Grant(row.role_id, row.workspace_id) for row in rows), member_of


def has_admin(tx: Tx, *, rbac: bool) -> bool:
    """Whether an active user may do everything: by the admin flag, or in rbac mode by the role ClusterAdmin everywhere."""
    admins = sa.select(users.c.id).where(users.c.active)
    if not rbac:
        return tx.row(admins.where(users.c.admin).limit(1)) is not None
    everywhere = (role_assignments.c.role_id == CLUSTER_ADMIN.id) & role_assignments.c.workspace_id.is_(None)
    holders = sa.select(group_members.c.user_id).join(role_assignments, role_assignments.c.group_id == group_members.c.group_id)
    return tx.row(admins.where(users.c.id.in_(holders.where(everywhere))).limit(1)) is not None


@contextmanager
def keep_an_admin(tx: Tx, *, rbac: bool) -> Iterator[None]:
    """Around a change of users, groups or roles: raises Refused where it would leave nobody who may do everything."""
    before = has_admin(tx, rbac=rbac)
    yield
    if before and not has_admin(tx, rbac=rbac):
        raise Refused("this would leave no active administrator; make another user one first")


def settings(tx: Tx, user_id: int) -> list[Any]:
    """What the user's pages remember: rows of storage_path, key, value (JSON text)."""
    mine = user_settings.c.user_id == user_id
    return tx.rows(sa.select(user_settings).where(mine).order_by(user_settings.c.storage_path, user_settings.c.key))


def put_setting(tx: Tx, user_id: int, storage_path: str, key: str, value: str) -> None:
    """Store or replace one setting; an empty value removes it."""
    if value:
        tx.upsert(
            user_settings, ["user_id", "storage_path", "key"], user_id=user_id, storage_path=storage_path, key=key, value=value
        )
        return
    at = (user_settings.c.user_id == user_id) & (user_settings.c.storage_path == storage_path) & (user_settings.c.key == key)
    tx.run(sa.delete(user_settings).where(at))


def reset_settings(tx: Tx, user_id: int) -> None:
    """Remove all settings of a user."""
    tx.run(sa.delete(user_settings).where(user_settings.c.user_id == user_id))


def visit_project(tx: Tx, user_id: int, project_id: int) -> None:
    """Remember that the user looked at a project now; an id that is no project leaves no trace."""
    if tx.row(sa.select(projects.c.id).where(projects.c.id == project_id)) is not None:
        keys = {"user_id": user_id, "activity_type": "GET", "entity_type": "PROJECT", "entity_id": project_id}
        tx.upsert(user_activity, list(keys), **keys, at=tx.now)


def visited_projects(tx: Tx, user_id: int, where: Scope, limit: int) -> list[int]:
    """Ids of the projects in `where` that the user looked at, the latest first."""
    visits = (
        sa.select(projects.c.id)
        .join(user_activity, user_activity.c.entity_id == projects.c.id)
        .where(
            user_activity.c.user_id == user_id, user_activity.c.activity_type == "GET", user_activity.c.entity_type == "PROJECT"
        )
        .order_by(user_activity.c.at.desc(), projects.c.id.desc())
        .limit(limit)
    )
    return tx.values(visits if where.everywhere else visits.where(projects.c.workspace_id.in_(where.workspaces)))
