"""Queries of groups."""

import pytest

from undeterred.base.errors import Exists, NotFound
from undeterred.store import groups, users
from undeterred.store.database import Database, Tx


def test_users_own_groups_are_never_shown(db: Database) -> None:
    """They have no name, so that no name is taken by them, and are found by no id, search or change."""

    def work(tx: Tx) -> None:
        ann, bob = users.create(tx, "ann"), users.create(tx, "bob")
        own = groups.own(tx, [ann, bob, 99])
        assert set(own) == {ann, bob}
        assert groups.count(tx) == groups.count(tx, user_id=ann) == 0
        assert groups.search(tx, among=own.values()) == []
        assert groups.known(tx, own.values()) == set()
        with pytest.raises(NotFound):
            groups.get(tx, own[ann])
        groups.delete(tx, own[ann])
        groups.add(tx, [own[ann]], [bob])
        assert groups.own(tx, [ann]) == {ann: own[ann]}
        assert groups.member_ids(tx, own[ann]) == {ann}

    db.write_now(work)


def test_names_are_unique_to_the_letter(db: Database) -> None:
    """Empty and blank ones are names too; a group may be renamed to its own name."""

    def work(tx: Tx) -> None:
        first = groups.create(tx, "team")
        groups.create(tx, "Team")
        groups.create(tx, "")
        groups.create(tx, " ")
        for taken in ("team", "", " "):
            with pytest.raises(Exists):
                groups.create(tx, taken)
        with pytest.raises(Exists):
            groups.rename(tx, first, "Team")
        groups.rename(tx, first, "team")

    db.write_now(work)


def test_search_filters_counts_and_cuts(db: Database) -> None:
    """By exact name, by member, among ids; each row tells how many members the group has."""

    def work(tx: Tx) -> None:
        ann, bob = users.create(tx, "ann"), users.create(tx, "bob")
        one, two, three = (groups.create(tx, name) for name in ("one", "two", "three"))
        groups.add(tx, [one, two], [ann, bob])
        groups.remove(tx, [two], [bob])

        def found(**which: object) -> list[tuple[int, int]]:
            rows = groups.search(tx, **which)  # type: ignore[arg-type]
            return [(row.id, row.num_members) for row in rows]

        assert found() == [(one, 2), (two, 1), (three, 0)]
        assert found(name="two") == [(two, 1)]
        assert found(name="tw") == []
        assert found(user_id=bob) == [(one, 2)]
        assert found(among={two, three, 99}) == [(two, 1), (three, 0)]
        assert found(start=1, limit=1) == [(two, 1)]
        assert (groups.count(tx), groups.count(tx, user_id=ann), groups.count(tx, among=[])) == (3, 2, 0)
        assert [row.username for row in groups.members(tx, [one, three])[one]] == ["ann", "bob"]
        groups.delete(tx, one)
        assert found(user_id=bob) == []

    db.write_now(work)


def test_adding_and_removing_what_is_so_already_changes_nothing(db: Database) -> None:
    """Members stay members, absent ones absent, unknown ids are passed over."""

    def work(tx: Tx) -> None:
        ann = users.create(tx, "ann")
        team = groups.create(tx, "team")
        groups.add(tx, [team], [ann])
        groups.add(tx, [team, 99], [ann, 98])
        assert groups.member_ids(tx, team) == {ann}
        groups.remove(tx, [team, 99], [ann, 98])
        groups.remove(tx, [team], [ann])
        groups.add(tx, [], [])
        assert groups.member_ids(tx, team) == set()

    db.write_now(work)
