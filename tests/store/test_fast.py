"""Statements that go through the driver: the same rows, the same errors."""

import pytest
import sqlalchemy as sa

from undeterred.base.errors import Exists
from undeterred.core.lifecycle.allocation import AllocationState
from undeterred.store import users
from undeterred.store.database import Database, Tx
from undeterred.store.fast import Prepared, delete_rows, insert_counted, insert_row, update_row
from undeterred.store.schema.cluster import agents, cluster
from undeterred.store.schema.identity import users as user_table

BY_NAME = Prepared(sa.select(user_table).where(user_table.c.username == sa.bindparam("name")))


def test_rows_are_those_of_sqlalchemy(db: Database) -> None:
    """Every column with its name, value and type: booleans are booleans."""
    db.write_now(lambda tx: users.create(tx, "ann", admin=True, active=False, display_name="Änn"))

    def compare(tx: Tx) -> None:
        plain = tx.row(sa.select(user_table).where(user_table.c.username == "ann"))
        fast = BY_NAME.first(tx, name="ann")
        assert plain is not None
        assert tuple(fast) == tuple(plain)
        assert [type(value) for value in fast] == [type(value) for value in plain]
        assert (fast.username, fast.admin, fast.active) == ("ann", True, False)

    db.read_now(compare)


def test_nothing_found_is_none_or_empty(db: Database) -> None:
    """In each of the four forms."""

    def look(tx: Tx) -> None:
        assert BY_NAME.first(tx, name="nobody") is None
        assert BY_NAME.value(tx, name="nobody") is None
        assert BY_NAME.rows(tx, name="nobody") == BY_NAME.values(tx, name="nobody") == []

    db.read_now(look)


def test_changes_return_rows_too(db: Database) -> None:
    """A counter that is raised and read in one statement."""
    raised = Prepared(
        sa.update(agents).where(agents.c.id == sa.bindparam("agent")).values(slots=agents.c.slots + 1).returning(agents.c.slots)
    )

    def work(tx: Tx) -> list[int]:
        insert_row(tx, agents, {"id": "a", "resource_pool": "p", "registered_at": 1})
        return [raised.value(tx, agent="a") for _ in range(3)]

    assert db.write_now(work) == [1, 2, 3]


def test_rows_are_inserted_changed_and_removed(db: Database) -> None:
    """Members of enumerations are stored as their text; columns that are not named keep their defaults."""

    def work(tx: Tx) -> tuple[int, int]:
        first = insert_counted(tx, user_table, {"username": "ann", "modified_at": 1})
        second = insert_counted(tx, user_table, {"username": "ben", "modified_at": 1})
        update_row(tx, user_table, first, {"display_name": AllocationState.RUNNING, "admin": True})
        assert delete_rows(tx, user_table.c.username, "ben") == 1
        return first, second

    first, second = db.write_now(work)
    assert second == first + 1
    row = db.read_now(lambda tx: BY_NAME.first(tx, name="ann"))
    assert row is not None
    assert (row.display_name, row.admin, row.active) == ("RUNNING", True, False)
    assert db.read_now(lambda tx: BY_NAME.first(tx, name="ben")) is None


def test_a_taken_key_is_the_same_failure(db: Database) -> None:
    """And undoes its own transaction only."""

    def twice(tx: Tx) -> None:
        for _ in range(2):
            insert_row(tx, cluster, {"key": "k", "value": "v"})

    with pytest.raises(Exists):
        db.write_now(twice)
    assert db.read_now(lambda tx: tx.rows(cluster.select().where(cluster.c.key == "k"))) == []


def test_unknown_columns_are_a_mistake(db: Database) -> None:
    """Names are looked up in the table: nothing else ever becomes part of a statement."""
    with pytest.raises(KeyError):
        db.write_now(lambda tx: update_row(tx, user_table, 1, {"nope; --": 1}))
