"""Notebooks, shells, commands and TensorBoards as clients see them (rows of `store.ntsc`)."""

from typing import Any

from undeterred.api.views.common import when
from undeterred.base import json
from undeterred.core.config.mask import mask_task
from undeterred.core.config.ntsc import TaskKind, shown_entrypoint
from undeterred.core.lifecycle import shown
from undeterred.core.lifecycle.allocation import AllocationState
from undeterred.wire import messages as m

FINE = "allocation exited successfully"
"""The exit status of what ended well, or before it had begun."""
SHELL_PORT = "SHELL_PORT"
_ENDED = AllocationState.TERMINATED
_STILL_STARTING = (AllocationState.PENDING, AllocationState.ASSIGNED)


def common_fields(row: Any) -> dict[str, Any]:
    """The fields that all four kinds have."""
    return {
        "id": row.id,
        "description": row.name,
        "state": state(row),
        "start_time": when(row.start_time),
        "container": _container(row),
        "display_name": row.display_name,
        "user_id": row.user_id,
        "username": row.username,
        "resource_pool": row.resource_pool,
        "exit_status": exit_status(row),
        "job_id": row.job_id,
        "workspace_id": row.workspace_id or 0,
    }


def state(row: Any) -> m.TaskState:
    """How far the task is; one that has ended is TERMINATED, whatever became of its start."""
    if row.end_time is not None:
        return m.TaskState.STATE_TERMINATED
    found = None if row.allocation_state is None else AllocationState(row.allocation_state)
    return m.TaskState("STATE_" + shown.task(found))


def exit_status(row: Any) -> str:
    """How it ended, for people; empty before its end."""
    if row.end_time is None:
        return ""
    well = row.allocation_cause in (None, "DROPPED") or (row.allocation_cause == "EXITED" and row.allocation_exit_code == 0)
    return FINE if well else str(row.allocation_exit_reason)


def detail(row: Any) -> dict[str, Any]:
    """What the kind keeps beside."""
    found: dict[str, Any] = json.loads(row.detail or "{}")
    return found


def port(row: Any, name: str) -> int:
    """A port of the running task by the name of its variable; 0 when it has none yet."""
    return int(json.loads(row.allocation_ports or "{}").get(name) or 0)


def addresses(row: Any, name: str) -> list[dict[str, Any]]:
    """Where a port of the running task can be reached inside the cluster."""
    number = port(row, name)
    if not number or row.allocation_state == _ENDED:
        return []
    return [
        {"container_ip": host, "container_port": number, "host_ip": host, "host_port": number}
        for host in json.loads(row.allocation_addresses)
    ]


def shown_config(kind: TaskKind, row: Any) -> dict[str, Any]:
    """The configuration as it is shown: with the command line of the kind and the priority that holds now, without secrets."""
    config = mask_task(json.loads(row.config or "{}"))
    more = detail(row)
    entrypoint = list(config.get("entrypoint") or [])
    config["entrypoint"] = shown_entrypoint(kind, entrypoint, port=port(row, SHELL_PORT), paths=tuple(more.get("paths") or ()))
    if row.priority is not None:
        config["resources"]["priority"] = row.priority
    return config | (more.get("config") or {})


def masked(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration that no task has yet, as it is shown."""
    config = mask_task(config)
    return config | {"entrypoint": config["entrypoint"] or None}


def _container(row: Any) -> m.Container | None:
    """Where it runs; none before it has a place, and none any more after its end."""
    if row.allocation_state is None or row.allocation_state in (*_STILL_STARTING, _ENDED):
        return None
    agent, slots = json.loads(row.allocation_nodes)[0]
    state_name = {"PULLING": "STATE_PULLING", "STARTING": "STATE_STARTING"}.get(row.allocation_state, "STATE_RUNNING")
    return m.Container(
        parent=agent,
        id=row.allocation_id,
        state=m.ContainerState(state_name),
        devices=[m.Device(id=slot) for slot in slots],
    )
