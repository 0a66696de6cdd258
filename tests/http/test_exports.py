"""Tables as CSV and the routes of the oldest clients."""

import csv
import io
from typing import Any

import pytest

from tests.conftest import make_settings
from tests.rows import experiment, run
from tests.support import Answer, Client
from undeterred.app import App
from undeterred.base.clock import DAY, SECOND, to_text
from undeterred.base.settings import Settings
from undeterred.core.usage import day_of
from undeterred.engine.usage import day_text
from undeterred.store import usage
from undeterred.store.database import Tx
from undeterred.store.schema.tasks import allocations, jobs, run_tasks, tasks

NOON = day_of(1_700_000_000 * SECOND) + DAY // 2
BEFORE, AFTER = to_text(NOON + DAY), to_text(NOON - DAY)


def fill(tx: Tx) -> None:
    """A trial of two slots that ran for a minute from noon on."""
    tx.insert(jobs, id="job", kind="EXPERIMENT", user_id=1, submitted_at=NOON)
    number = experiment(tx, job_id="job", name='=cmd("x"), "quoted"', labels='["a","b"]')
    tx.insert(tasks, id="t", task_type="TRIAL", job_id="job", workspace_id=1, name="trial", start_time=NOON)
    tx.insert(run_tasks, run_id=run(tx, number), task_id="t")
    times = {"queued_at": NOON - SECOND, "start_time": NOON, "end_time": NOON + 60 * SECOND}
    tx.insert(allocations, id="t.1", task_id="t", state="TERMINATED", resource_pool="default", slots=2, **times)


def rows(answer: Answer) -> list[dict[str, str]]:
    """The rows of a CSV answer by their headings."""
    assert (answer.status, answer.headers["content-type"].split(";")[0]) == (200, "text/csv")
    return list(csv.DictReader(io.StringIO(answer.text)))


async def test_usage_is_exported_as_csv(client: Client, app: App) -> None:
    """Single allocations in two forms, and sums of days; what looks like a formula is made a text."""
    await app.db.write(fill)
    between = {"timestamp_after": AFTER, "timestamp_before": BEFORE}
    (raw,) = rows(await client.get("/resources/allocation/raw", **between))
    assert (raw["kind"], raw["username"], raw["labels"], raw["slots"], raw["seconds"]) == ("trial", "admin", "a,b", "2", "60")
    (line,) = rows(await client.get("/resources/allocation/allocations-csv", **between))
    assert (line["allocation_id"], line["workspace_name"], line["resource_pool"]) == ("t.1", "Uncategorized", "default")
    assert line["experiment_name"] == '\'=cmd("x"), "quoted"'
    half = {"timestamp_after": AFTER, "timestamp_before": to_text(NOON + 30 * SECOND)}
    assert rows(await client.get("/resources/allocation/raw", **half))[0]["seconds"] == "30"
    sums = {("total", "total"): 120.0, ("username", "admin"): 120.0}
    await app.db.write(lambda tx: usage.put_day(tx, "2023-11-14", sums))
    asked = {"start_date": "2023-11-14", "end_date": "2023-11-14", "period": "RESOURCE_ALLOCATION_AGGREGATION_PERIOD_DAILY"}
    table = rows(await client.get("/resources/allocation/aggregated", **asked))
    assert [(row["aggregation_type"], row["aggregation_key"], row["seconds"]) for row in table] == [
        ("total", "total", "120"),
        ("username", "admin", "120"),
    ]


async def test_the_same_as_messages(client: Client, app: App) -> None:
    """Raw entries are cut to the asked time; months add days up."""
    await app.db.write(fill)
    between = {"timestampAfter": AFTER, "timestampBefore": to_text(NOON + 30 * SECOND)}
    (entry,) = (await client.ok("GET", "resources/allocation/raw", **between))["resourceEntries"]
    assert (entry["seconds"], entry["slots"], entry["labels"], entry["endTime"]) == (
        30,
        2,
        ["a", "b"],
        between["timestampBefore"],
    )

    def days(tx: Tx) -> None:
        for day, seconds in (("2021-11-01", 1.0), ("2021-11-30", 2.0), ("2021-12-01", 4.0)):
            usage.put_day(tx, day, {("total", "total"): seconds, ("resource_pool", "p"): seconds, ("queued", "p"): seconds})

    await app.db.write(days)
    monthly = {"startDate": "2021-11", "endDate": "2021-12", "period": "RESOURCE_ALLOCATION_AGGREGATION_PERIOD_MONTHLY"}
    months = (await client.ok("GET", "resources/allocation/aggregated", **monthly))["resourceEntries"]
    assert [(month["periodStart"], month["seconds"], month["byResourcePool"]) for month in months] == [
        ("2021-11", 3, {"p": 3}),
        ("2021-12", 4, {"p": 4}),
    ]
    daily = monthly | {
        "startDate": "2021-11-30",
        "endDate": "2021-12-01",
        "period": "RESOURCE_ALLOCATION_AGGREGATION_PERIOD_DAILY",
    }
    assert len((await client.ok("GET", "resources/allocation/aggregated", **daily))["resourceEntries"]) == 2


async def test_what_still_runs_counts_until_now(client: Client, app: App) -> None:
    """Also when a time in the future is asked for."""

    def begin(tx: Tx) -> None:
        fill(tx)
        tx.run(allocations.update().values(end_time=None, state="RUNNING", start_time=tx.now - 10 * SECOND))

    await app.db.write(begin)
    between = {"timestampAfter": AFTER, "timestampBefore": "2999-01-01T00:00:00Z"}
    (entry,) = (await client.ok("GET", "resources/allocation/raw", **between))["resourceEntries"]
    assert 10 <= entry["seconds"] < 100


BAD: list[tuple[str, dict[str, Any]]] = [
    ("raw", {}),
    ("raw", {"timestampAfter": AFTER}),
    ("raw", {"timestampAfter": BEFORE, "timestampBefore": AFTER}),
    ("aggregated", {}),
    ("aggregated", {"startDate": "2024-01-01", "endDate": "2024-01-03"}),
    ("aggregated", {"startDate": "2024-02-30", "endDate": "2024-03-01", "period": 1}),
    ("aggregated", {"startDate": "2024-01", "endDate": "2024-02", "period": 1}),
    ("aggregated", {"startDate": "2024-01-01", "endDate": "2024-02-01", "period": 2}),
    ("aggregated", {"startDate": "2024-01-05", "endDate": "2024-01-03", "period": 1}),
    ("aggregated", {"startDate": "2024-01-01", "endDate": "2024-01-03", "period": 7}),
]


@pytest.mark.parametrize(("what", "query"), BAD)
async def test_a_bad_question_is_refused_in_both_forms(client: Client, what: str, query: dict[str, Any]) -> None:
    """400 before anything is sent."""
    assert (await client.get(f"resources/allocation/{what}", **query)).error["code"] == 3
    snake = {
        "timestampAfter": "timestamp_after",
        "timestampBefore": "timestamp_before",
        "startDate": "start_date",
        "endDate": "end_date",
    }
    plain = await client.get(f"/resources/allocation/{what}", **{snake.get(name, name): value for name, value in query.items()})
    assert (plain.status, list(plain.body)) == (400, ["message"])


async def test_old_routes_answer_flat_lists(client: Client, app: App) -> None:
    """Users with the newest first, oneself, tasks by allocation; agents do not connect; strangers are told to log in."""
    await client.token("admin")
    users = (await client.get("/users")).body
    assert [(one["username"], one["display_name"], one["last_auth_at"] is None) for one in users] == [
        ("determined", None, True),
        ("admin", None, False),
    ]
    assert (await client.get("/users/me", user="determined")).body["username"] == "determined"
    assert (await client.get("/tasks")).body == {}

    def begin(tx: Tx) -> None:
        fill(tx)
        tx.run(allocations.update().values(end_time=None, state="RUNNING", nodes='[["m", [0, 1]]]'))

    await app.db.write(begin)
    task = (await client.get("/tasks")).body["t.1"]
    assert (task["task_id"], task["resources"]) == ("t", [{"agent_devices": {"m": [0, 1]}}])
    assert (await client.get("/agents")).status == 400
    for path in ("/users", "/users/me", "/tasks", "/agents", "/resources/allocation/raw", "/nope"):
        assert (await client.get(path, user=None)).status == 401
    assert (await client.post("/users", {})).status == 404


async def test_paths_of_pages_need_no_login(client: Client) -> None:
    """There are none; `/info` with another method is not found either."""
    assert (await client.get("/det/", user=None)).status == 404
    assert (await client.get("/det", user=None)).headers["location"] == "/det/"
    assert (await client.post("/info", user=None)).status == 404


class TestRoles:
    """Where roles decide."""

    @pytest.fixture
    def settings(self) -> Settings:
        """Roles decide."""
        return make_settings(security__authz__type="rbac")

    async def test_usage_takes_a_role(self, client: Client) -> None:
        """One that sees the whole cluster."""
        between = {"timestamp_after": AFTER, "timestamp_before": BEFORE}
        assert (await client.get("/resources/allocation/raw", user="determined", **between)).status == 403
        assert (await client.get("/prom/det-state-metrics", user="determined")).status == 403
        today = day_text(NOON)
        daily = {"startDate": today, "endDate": today, "period": 1}
        assert (await client.get("resources/allocation/aggregated", user="determined", **daily)).error["code"] == 7
