"""Queries of users."""

import pytest

from undeterred.base.errors import NotFound, Refused
from undeterred.core.rights import Grant, Scope
from undeterred.core.rights.roles import CLUSTER_ADMIN
from undeterred.store import groups, roles, users
from undeterred.store.database import Database, Tx
from undeterred.store.roles import Assignment
from undeterred.store.schema.spaces import projects, workspaces
from undeterred.store.users import UserFilter


def make(tx: Tx, *names: str, **columns: object) -> list[int]:
    """Users with these names."""
    return [users.create(tx, name, **columns) for name in names]


def project(tx: Tx, owner: int, name: str) -> int:
    """A project in a workspace of its own."""
    workspace = tx.insert(workspaces, name=name, user_id=owner, created_at=tx.now)
    return tx.insert(projects, name=name, workspace_id=workspace, user_id=owner, key=name.upper(), created_at=tx.now)


def test_a_user_is_found_by_id_and_exact_name(db: Database) -> None:
    """Names are told apart by case; an unknown id is NotFound, an unknown name None."""

    def work(tx: Tx) -> None:
        ann, big = make(tx, "ann", "ANN")
        assert users.get(tx, ann).username == "ann"
        assert users.by_name(tx, "ANN").id == big
        assert users.by_name(tx, "Ann") is None
        assert users.known(tx, [ann, big, 99]) == {ann, big}
        assert [row.id for row in users.of_ids(tx, [big, ann, 99])] == [ann, big]
        with pytest.raises(NotFound):
            users.get(tx, 99)

    db.write_now(work)


def test_the_name_filter_is_a_part_with_wildcards_of_either_name(db: Database) -> None:
    """Case is ignored in every alphabet; `%` and `_` stand for anything."""

    def work(tx: Tx) -> None:
        ann, bob = make(tx, "ann", "bob")
        users.update(tx, bob, display_name="Jürgen_X")

        def found(name: str) -> list[int]:
            rows = users.search(tx, UserFilter(name))
            assert len(rows) == users.count(tx, UserFilter(name))
            return [row.id for row in rows]

        assert found("AN") == [ann]
        assert found("jÜRGEN") == [bob]
        assert found("%") == found("_") == [ann, bob]
        assert found("a_n") == [ann]
        assert found("zz") == []

    db.write_now(work)


def test_flags_and_roles_filter(db: Database) -> None:
    """Active, admin, and roles held directly; a role through a group does not count."""

    def work(tx: Tx) -> None:
        (ann,), (bob,), (cy,) = make(tx, "ann", active=True), make(tx, "bob", admin=True), make(tx, "cy")
        team = groups.create(tx, "team")
        groups.add(tx, [team], [cy])
        roles.assign(tx, [Assignment(groups.own(tx, [bob])[bob], 4), Assignment(team, 4)])

        def found(which: UserFilter) -> list[int]:
            return [row.id for row in users.search(tx, which)]

        assert found(UserFilter(active=True)) == [ann]
        assert found(UserFilter(active=False)) == [bob, cy]
        assert found(UserFilter(admin=True)) == [bob]
        assert found(UserFilter(admin=False, active=False)) == [cy]
        assert found(UserFilter(role_ids=[4, 5])) == [bob]
        assert found(UserFilter(role_ids=[5])) == []

    db.write_now(work)


@pytest.mark.parametrize(
    ("sort", "descending", "names"),
    [
        ("id", False, "bCad"),
        ("id", True, "daCb"),
        ("username", False, "Cabd"),
        ("username", True, "dbaC"),
        ("display_name", False, "dbCa"),
        ("display_name", True, "Cabd"),
        ("name", False, "Cadb"),
        ("last_auth_at", False, "abCd"),
        ("last_auth_at", True, "bCda"),
        ("admin", True, "bCad"),
    ],
)
def test_lists_are_sorted_by_any_key(db: Database, sort: str, descending: bool, names: str) -> None:
    """Byte-wise; without a value last, and first in descending order; equal ones by id."""

    def work(tx: Tx) -> None:
        b, _c, a, d = make(tx, "b", "C", "a", "d")
        users.update(tx, b, display_name="y")
        users.update(tx, d, display_name="x")
        users.touch_login(tx, a)
        rows = users.search(tx, UserFilter(), sort, descending=descending)
        assert "".join(row.username for row in rows) == names
        part = users.search(tx, UserFilter(), sort, descending=descending, start=1, end=3)
        assert "".join(row.username for row in part) == names[1:3]

    db.write_now(work)


def test_every_sort_key_is_a_query(db: Database) -> None:
    """None of the keys that lists offer fails."""
    db.read_now(lambda tx: [users.search(tx, UserFilter(), sort) for sort in users.SORTS])


def test_grants_are_those_of_the_user_and_of_its_groups(db: Database) -> None:
    """Roles add up; the hidden own group is one of the groups."""

    def work(tx: Tx) -> None:
        ann, bob = make(tx, "ann", "bob")
        team = groups.create(tx, "team")
        groups.add(tx, [team], [ann])
        own = groups.own(tx, [ann])[ann]
        place = tx.insert(workspaces, name="w", user_id=ann, created_at=tx.now)
        roles.assign(tx, [Assignment(own, 4), Assignment(team, 5, place)])
        assert users.grants(tx, ann) == ((Grant(4), Grant(5, place)), frozenset({team, own}))
        assert users.grants(tx, bob)[0] == ()

    db.write_now(work)


def test_a_name_of_somebody_else_is_recognised_in_any_case(db: Database) -> None:
    """One's own name is free."""

    def work(tx: Tx) -> None:
        ann, bob = make(tx, "ann", "bob")
        assert users.name_is_of_another(tx, "ANN", bob)
        assert not users.name_is_of_another(tx, "ann", ann)

    db.write_now(work)


def test_the_last_administrator_is_kept(db: Database) -> None:
    """By flag in basic mode, by the role everywhere in rbac mode; without any administrator nothing is in the way."""

    def basic(tx: Tx) -> None:
        (ann,) = make(tx, "ann", admin=True, active=True)
        make(tx, "bob", admin=True, active=False)
        with pytest.raises(Refused), users.keep_an_admin(tx, rbac=False):
            users.set_active(tx, [ann], False)
        with users.keep_an_admin(tx, rbac=False):
            users.update(tx, ann, admin=False)

    def rbac(tx: Tx) -> None:
        (cy,) = make(tx, "cy", active=True)
        team = groups.create(tx, "team")
        groups.add(tx, [team], [cy])
        assert not users.has_admin(tx, rbac=True)
        roles.assign(tx, [Assignment(team, CLUSTER_ADMIN.id)])
        assert users.has_admin(tx, rbac=True)
        with pytest.raises(Refused), users.keep_an_admin(tx, rbac=True):
            groups.remove(tx, [team], [cy])

    db.write_now(basic)
    db.write_now(rbac)


def test_settings_are_kept_by_path_and_key(db: Database) -> None:
    """A second value replaces the first, an empty one removes it, another user's are apart."""

    def work(tx: Tx) -> None:
        ann, bob = make(tx, "ann", "bob")
        users.put_setting(tx, ann, "p", "k", "1")
        users.put_setting(tx, ann, "p", "k", "2")
        users.put_setting(tx, ann, "q", "k", "3")
        users.put_setting(tx, bob, "p", "k", "4")
        assert [(row.storage_path, row.key, row.value) for row in users.settings(tx, ann)] == [("p", "k", "2"), ("q", "k", "3")]
        users.put_setting(tx, ann, "p", "k", "")
        assert len(users.settings(tx, ann)) == 1
        users.reset_settings(tx, ann)
        assert users.settings(tx, ann) == []
        assert len(users.settings(tx, bob)) == 1

    db.write_now(work)


def test_visited_projects_come_latest_first_and_only_where_one_may_look(db: Database) -> None:
    """A second visit moves a project to the front; an unknown id leaves nothing behind."""
    ids: list[int] = []

    def first(tx: Tx) -> None:
        (ann,) = make(tx, "ann")
        ids.extend([ann, project(tx, ann, "one"), project(tx, ann, "two")])

    db.write_now(first)
    ann, one, two = ids
    for visited in (one, two, one, 999):
        db.write_now(lambda tx, visited=visited: users.visit_project(tx, ann, visited))

    def check(tx: Tx) -> None:
        everywhere = Scope(everywhere=True)
        assert users.visited_projects(tx, ann, everywhere, 10) == [one, two]
        assert users.visited_projects(tx, ann, everywhere, 1) == [one]
        there = tx.value(projects.select().with_only_columns(projects.c.workspace_id).where(projects.c.id == two))
        assert users.visited_projects(tx, ann, Scope(everywhere=False, workspaces=frozenset({there})), 10) == [two]
        assert users.visited_projects(tx, ann, Scope(everywhere=False), 10) == []

    db.read_now(check)
