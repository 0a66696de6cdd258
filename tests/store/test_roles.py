"""Queries of role assignments."""

import pytest

from undeterred.base.errors import Exists
from undeterred.store import groups, roles, users
from undeterred.store.database import Database, Tx
from undeterred.store.roles import Assignment
from undeterred.store.schema.spaces import workspaces


def found(rows: list[object]) -> list[tuple[int, int | None, int | None]]:
    """Role, place, and the user itself where it is no group."""
    return [(row.role_id, row.workspace_id, row.user_id) for row in rows]  # type: ignore[attr-defined]


def test_assignments_are_found_from_every_side(db: Database) -> None:
    """By role, group, user (its groups' included) and workspace."""

    def work(tx: Tx) -> None:
        ann, bob = users.create(tx, "ann", display_name="Boss"), users.create(tx, "bob")
        own, team = groups.own(tx, [ann])[ann], groups.create(tx, "team")
        groups.add(tx, [team], [ann])
        place = tx.insert(workspaces, name="w", user_id=ann, created_at=tx.now)
        roles.assign(tx, [Assignment(team, 5, place), Assignment(own, 4, place), Assignment(own, 4)])
        assert found(roles.of_roles(tx, [4])) == [(4, place, ann), (4, None, ann)]
        assert found(roles.of_group(tx, team)) == [(5, place, None)]
        assert found(roles.of_user(tx, ann)) == [(4, place, ann), (4, None, ann), (5, place, None)]
        assert found(roles.of_user(tx, bob)) == []
        assert found(roles.of_workspace(tx, place)) == [(4, place, ann), (5, place, None)]
        assert found(roles.of_workspace(tx, place, "BOS")) == found(roles.of_workspace(tx, place, "nn")) == [(4, place, ann)]
        assert found(roles.of_workspace(tx, place, "eam")) == [(5, place, None)]
        assert roles.known_workspaces(tx, [place, 99]) == {place}

    db.write_now(work)


def test_nothing_is_held_twice(db: Database) -> None:
    """Not in one request, not in two, not everywhere and not in a workspace; the same role in both is two things."""

    def work(tx: Tx) -> None:
        ann = users.create(tx, "ann")
        own = groups.own(tx, [ann])[ann]
        place = tx.insert(workspaces, name="w", user_id=ann, created_at=tx.now)
        with pytest.raises(Exists):
            roles.assign(tx, [Assignment(own, 4), Assignment(own, 4)])
        roles.assign(tx, [Assignment(own, 4), Assignment(own, 4, place)])
        for held in (Assignment(own, 4), Assignment(own, 4, place)):
            with pytest.raises(Exists):
                roles.assign(tx, [held])

    db.write_now(work)


def test_only_what_is_named_is_taken_away(db: Database) -> None:
    """The same role elsewhere stays; what is not held is passed over."""

    def work(tx: Tx) -> None:
        ann = users.create(tx, "ann")
        own = groups.own(tx, [ann])[ann]
        place = tx.insert(workspaces, name="w", user_id=ann, created_at=tx.now)
        roles.assign(tx, [Assignment(own, 4), Assignment(own, 4, place), Assignment(own, 5, place)])
        roles.remove(tx, [Assignment(own, 4), Assignment(own, 5, place), Assignment(own, 9), Assignment(own, 9, place)])
        assert found(roles.of_user(tx, ann)) == [(4, place, ann)]
        roles.remove(tx, [Assignment(own, 4, place)])
        assert roles.of_user(tx, ann) == []

    db.write_now(work)
