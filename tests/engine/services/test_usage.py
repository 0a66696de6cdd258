"""Accounting: each day once, also those that passed while nothing ran."""

from typing import Any

from undeterred.base.clock import DAY, SECOND
from undeterred.core.usage import day_of
from undeterred.engine import usage
from undeterred.engine.services.usage import UsageService
from undeterred.store import seed
from undeterred.store import usage as rows
from undeterred.store.database import Database, Tx
from undeterred.store.schema.tasks import allocations, jobs, tasks


def held(tx: Tx, name: str, start: int, end: int | None, slots: int = 1) -> None:
    """An allocation of the user admin that waited ten seconds and then held slots of the agent m."""
    tx.insert(jobs, id=name, kind="COMMAND", user_id=1, submitted_at=start)
    tx.insert(tasks, id=name, task_type="COMMAND", job_id=name, name=name, start_time=start)
    nodes = f'[["m", {list(range(slots))}]]'
    values = {"queued_at": start - 10 * SECOND, "start_time": start, "end_time": end, "slots": slots, "nodes": nodes}
    tx.insert(allocations, id=f"{name}.1", task_id=name, state="TERMINATED", resource_pool="default", **values)


async def sums(db: Database, day: int) -> dict[tuple[str, str], float]:
    """What is stored for a day."""
    text = usage.day_text(day)
    found: list[Any] = await db.read(lambda tx: rows.days(tx, text, text))
    return {(row.kind, row.key): row.seconds for row in found}


def test_days_have_their_dates() -> None:
    """In UTC."""
    assert [usage.day_text(day) for day in (0, 19_000 * DAY)] == ["1970-01-01", "2022-01-08"]


class TestDays:
    """With a database."""

    async def test_days_are_made_up_for(self, db: Database) -> None:
        """Every day since the first use that is over gets its sums; today does not; doing it again changes nothing."""
        today = day_of(db.clock.now())
        noon = today - 2 * DAY + DAY // 2

        def prepare(tx: Tx) -> None:
            held(tx, "short", noon, noon + 60 * SECOND, 2)
            held(tx, "over midnight", today - DAY - 30 * SECOND, today - DAY + 30 * SECOND)
            held(tx, "today", today, None)

        await db.write(lambda tx: seed.seed(tx, "hash"))
        await db.write(prepare)
        service = UsageService(db)
        await service.run_once()
        before, yesterday = await sums(db, today - 2 * DAY), await sums(db, today - DAY)
        assert before["total", "total"] == 150
        assert (before["username", "admin"], before["agent", "m"], before["queued", "default"]) == (150, 150, 10)
        assert yesterday["total", "total"] == 30
        assert await sums(db, today) == {}
        await db.write(lambda tx: tx.run(allocations.delete()))
        await service.run_once()
        assert await sums(db, today - 2 * DAY) == before

    async def test_waiting_times_end_with_today(self, db: Database) -> None:
        """Past days that have any, then today, also when nothing waited."""
        today = day_of(db.clock.now())
        await db.write(lambda tx: seed.seed(tx, "hash"))
        await db.write(lambda tx: held(tx, "a", today - DAY + 1, today - DAY + SECOND))
        await UsageService(db).run_once()
        await db.write(lambda tx: held(tx, "b", today + 1, None))
        found = await db.read(lambda tx: usage.queue_times(tx, ["default", "other"], 30))
        dates = [usage.day_text(today - DAY), usage.day_text(today)]
        assert found == {"default": [(dates[0], 10), (dates[1], 10)], "other": [(dates[1], 0)]}
