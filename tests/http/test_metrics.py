"""What monitoring systems read."""

import pytest

from tests.conftest import make_settings
from tests.rows import experiment
from tests.support import Client
from undeterred.app import App
from undeterred.base.settings import Settings
from undeterred.http.counters import Counters
from undeterred.store.database import Tx
from undeterred.store.schema.tasks import allocations, jobs, tasks


def fill(tx: Tx) -> None:
    """A running trial of an experiment with a label that needs quoting."""
    tx.insert(jobs, id="job", kind="EXPERIMENT", user_id=1, submitted_at=1)
    experiment(tx, job_id="job", labels='["say \\"hi\\""]')
    tx.insert(tasks, id="t", task_type="TRIAL", job_id="job", start_time=1)
    placed = {"resource_pool": "default", "slots": 3, "queued_at": 1, "nodes": '[["m", [0]]]'}
    tx.insert(allocations, id="t.1", task_id="t", state="RUNNING", handle="elsewhere", **placed)


async def test_numbers_of_the_server(client: Client, app: App) -> None:
    """Requests by operation and status, pools, services, the process."""
    await app.db.write(fill)
    await client.get("projects/9999")
    text = (await client.get("/debug/prom/metrics")).text
    assert 'undeterred_requests_total{operation="GetProject",status="404"} 1' in text
    assert 'undeterred_request_seconds_count{operation="GetProject"} 1' in text
    assert 'undeterred_slots_used{pool="default"} 3' in text
    assert 'undeterred_service_failures{service="scheduler"} 0' in text
    assert "determined_healthy 1" in text
    assert "process_cpu_seconds_total" in text


async def test_which_things_belong_together(client: Client, app: App) -> None:
    """Pairs of ids, each once; labels are quoted."""
    await app.db.write(fill)
    text = (await client.get("/prom/det-state-metrics")).text
    assert 'det_allocation_id_task_id{allocation_id="t.1",task_id="t"} 1' in text
    assert 'det_job_id_experiment_id{job_id="job",experiment_id="1"} 1' in text
    assert 'det_experiment_id_label{experiment_id="1",label="say \\"hi\\""} 1' in text
    assert (await client.get("/prom/det-http-sd-config")).body == []
    assert (await client.get("/prom/det-state-metrics", user=None)).status == 401


async def test_administrators_see_what_the_process_does(client: Client) -> None:
    """Stacks of threads and tasks."""
    text = (await client.get("/debug/pprof/")).text
    assert "thread MainThread" in text
    assert "task service scheduler" in text
    assert (await client.get("/debug/pprof/", user="determined")).status == 403


def test_durations_fall_into_classes() -> None:
    """By their upper bounds; what is longer than all is counted last."""
    counters = Counters()
    for seconds in (0.001, 0.002, 99.0):
        counters.add("A", 200, seconds)
    counters.add("A", 500, 0.1)
    assert list(counters.answers()) == [("A", 200, 3), ("A", 500, 1)]
    ((name, durations),) = counters.durations()
    assert (name, durations.classes) == ("A", [1, 1, 0, 1, 0, 0, 0, 1])
    assert abs(durations.seconds - 99.103) < 1e-9


class TestOff:
    """Where metrics are switched off."""

    @pytest.fixture
    def settings(self) -> Settings:
        """Off."""
        return make_settings(observability__enable_prometheus=False)

    async def test_there_are_none(self, client: Client) -> None:
        """Not found."""
        for path in ("/debug/prom/metrics", "/prom/det-state-metrics", "/prom/det-http-sd-config"):
            assert (await client.get(path)).status == 404
