"""What monitoring systems read: the state of the cluster as numbers, and where its machines are."""

from collections.abc import Iterator
from typing import Any

from undeterred.api.call import Call
from undeterred.base.json import loads
from undeterred.base.struct import Struct
from undeterred.core.exposition import Family, Sample, gauge
from undeterred.core.rights import Right
from undeterred.engine.agents import AgentView
from undeterred.store import queue
from undeterred.store.database import Tx

_CADVISOR, _DCGM = 8080, 9400
"""Ports on which exporters of containers and GPUs usually listen."""


class _Cluster(Struct, frozen=True):
    agents: list[AgentView]
    running: list[Any]
    counts: dict[str, tuple[int, int]]


async def state_families(call: Call) -> list[Family]:
    """Which allocation, task, job, experiment, label and device belong together: a 1 for each pair that there is."""
    cluster = await _look(call)
    pairs: dict[str, set[tuple[tuple[str, str], ...]]] = {name: set() for name in _PAIRS}
    for name, labels in _pairs(cluster):
        pairs[name].add(tuple(labels.items()))
    return [
        Family(f"det_{name}", "gauge", help_, [Sample(1, dict(labels)) for labels in sorted(pairs[name])])
        for name, help_ in _PAIRS.items()
    ]


async def cluster_families(call: Call) -> list[Family]:
    """Slots and queues by pool, and how the background services are doing."""
    cluster = await _look(call)
    slots, used, waiting, holding = [], [], [], []
    for pool in call.engine.pools:
        label = {"pool": pool.name}
        own = [slot for agent in cluster.agents if agent.pool == pool.name for slot in agent.slots]
        slots.append(Sample(len(own), label))
        used.append(
            Sample(sum(row.slots for row in cluster.running if row.resource_pool == pool.name and row.state != "PENDING"), label)
        )
        queued, scheduled = cluster.counts.get(pool.name, (0, 0))
        waiting.append(Sample(queued, label))
        holding.append(Sample(scheduled, label))
    states = call.engine.service_states()
    return [
        gauge("determined_healthy", "Whether the database answers", 1),
        Family("undeterred_slots", "gauge", "Slots of a resource pool", slots),
        Family("undeterred_slots_used", "gauge", "Slots that allocations hold", used),
        Family("undeterred_jobs_queued", "gauge", "Jobs that wait with all they have", waiting),
        Family("undeterred_jobs_scheduled", "gauge", "Jobs that hold something", holding),
        _service("runs_total", "counter", "Runs of a background service", [(one.name, one.runs) for one in states]),
        _service("failures", "gauge", "Failures in a row", [(one.name, one.failures) for one in states]),
        _service("last_run_seconds", "gauge", "Duration of the last run", [(one.name, one.last_seconds) for one in states]),
    ]


async def targets(call: Call) -> list[dict[str, Any]]:
    """Addresses of each machine, in the form of Prometheus' HTTP service discovery."""
    cluster = await _look(call)
    return [
        {
            "targets": [f"{agent.address}:{port}" for port in (_CADVISOR, _DCGM)],
            "labels": {"det_agent_id": agent.id, "det_resource_pool": agent.pool},
        }
        for agent in cluster.agents
    ]


async def _look(call: Call) -> _Cluster:
    agents = await call.engine.inventory()

    def load(tx: Tx) -> _Cluster:
        call.require(tx, Right.VIEW_CLUSTER_USAGE)
        return _Cluster(agents, queue.running(tx), queue.counts(tx))

    return await call.read(load)


_PAIRS = {
    "container_id_allocation_id": "The allocation of a container",
    "container_id_runtime_container_id": "The runtime's own id of a container",
    "allocation_id_task_id": "The task of an allocation",
    "job_id_experiment_id": "The experiment of a job",
    "experiment_id_label": "The labels of an experiment",
    "gpu_uuid_container_id": "The container that holds a GPU",
}


def _pairs(cluster: _Cluster) -> Iterator[tuple[str, dict[str, str]]]:
    for row in cluster.running:
        yield "allocation_id_task_id", {"allocation_id": row.id, "task_id": row.task_id}
        if row.state != "PENDING":
            yield "container_id_allocation_id", {"container_id": row.id, "allocation_id": row.id}
            yield "container_id_runtime_container_id", {"container_id": row.id, "container_runtime_id": row.id}
        if row.experiment_id is not None:
            experiment = str(row.experiment_id)
            yield "job_id_experiment_id", {"job_id": row.job_id, "experiment_id": experiment}
            for label in loads(row.labels):
                yield "experiment_id_label", {"experiment_id": experiment, "label": label}
    for agent in cluster.agents:
        for slot in agent.slots:
            if slot.allocation_id is not None and slot.device.uuid:
                yield "gpu_uuid_container_id", {"gpu_uuid": slot.device.uuid, "container_id": slot.allocation_id}


def _service(name: str, kind: str, help_: str, numbers: list[tuple[str, float]]) -> Family:
    samples = [Sample(value, {"service": service}) for service, value in numbers]
    return Family(f"undeterred_service_{name}", kind, help_, samples)
