"""Which tasks are listed."""

import sqlalchemy as sa

from undeterred.base.clock import DAY
from undeterred.core.rights.rbac import EVERYWHERE, NOWHERE
from undeterred.store import jobs, ntsc, tasks
from undeterred.store.database import Database, Tx
from undeterred.store.ntsc import TaskFilter
from undeterred.store.schema.identity import users

COMMANDS = TaskFilter("COMMAND")


def fill(tx: Tx) -> None:
    """A live command, one that ended an hour ago, one that ended two days ago, and a notebook."""
    user = tx.value(sa.insert(users).values(username="u", modified_at=tx.now).returning(users.c.id))
    for name, kind, ended in (
        ("a", "COMMAND", None),
        ("b", "COMMAND", DAY // 24),
        ("c", "COMMAND", 2 * DAY),
        ("d", "NOTEBOOK", None),
    ):
        jobs.create(tx, f"j{name}", kind, user, None, resource_pool="default")
        tasks.create(tx, name, kind, job_id=f"j{name}", user_id=user, end_time=None if ended is None else tx.now - ended)


async def test_ended_tasks_are_listed_for_a_day(db: Database) -> None:
    """Later they can still be read by their id."""
    await db.write(fill)
    found = await db.read(lambda tx: ntsc.search(tx, EVERYWHERE, COMMANDS, "id", descending=True, start=0, end=9))
    assert [row.id for row in found] == ["b", "a"]
    assert await db.read(lambda tx: ntsc.count(tx, EVERYWHERE, COMMANDS)) == 2
    assert await db.read(lambda tx: ntsc.find(tx, "COMMAND", "c")) is not None
    assert await db.read(lambda tx: ntsc.find(tx, "COMMAND", "d")) is None


async def test_a_scope_without_workspaces_shows_nothing(db: Database) -> None:
    """As for a user without any role."""
    await db.write(fill)
    assert await db.read(lambda tx: ntsc.count(tx, NOWHERE, COMMANDS)) == 0
