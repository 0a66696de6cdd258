"""Tasks of all kinds: what runs or waits, the starts of one task, its context directory."""

import base64
from typing import Any

from undeterred.api.call import Call
from undeterred.api.operation import Needs, operation
from undeterred.api.views.common import UNSET, when, when_set
from undeterred.base import clock, json
from undeterred.base.errors import NotFound
from undeterred.core.lifecycle import shown
from undeterred.core.lifecycle.allocation import AllocationState
from undeterred.core.rights import Right
from undeterred.store import allocations, blobs, experiments, runs, tasks
from undeterred.store.database import Tx
from undeterred.wire import messages as m

TYPES = {
    "commands": "COMMAND",
    "notebooks": "NOTEBOOK",
    "shells": "SHELL",
    "tensorboards": "TENSORBOARD",
}


@operation("GetTask", needs=(Right.VIEW_EXPERIMENT_METADATA, Right.VIEW_NSC), task=True)
async def get_task(call: Call, req: m.GetTaskRequest) -> m.GetTaskResponse:
    """One task with every start of it, the newest first."""

    def load(tx: Tx) -> m.GetTaskResponse:
        task = require_view(call, tx, req.task_id)
        starts = sorted(allocations.of_tasks(tx, [task.id]), key=lambda row: (row.queued_at, row.id), reverse=True)
        return m.GetTaskResponse(task=_task_message(task, starts))

    return await call.read(load)


@operation("GetTasks", needs=Needs.LOGIN)
async def get_tasks(call: Call, _req: m.GetTasksRequest) -> m.GetTasksResponse:
    """Every allocation that is not over: which task it belongs to, where it runs or how much it waits for."""

    def load(tx: Tx) -> m.GetTasksResponse:
        experiments_scope = call.scope(tx, Right.VIEW_EXPERIMENT_METADATA)
        others_scope = call.scope(tx, Right.VIEW_NSC)
        rows = [
            row
            for row in allocations.open_with_jobs(tx)
            if (experiments_scope if row.task_type == "TRIAL" else others_scope).admits(row.job_workspace_id)
        ]
        return m.GetTasksResponse(allocation_id_to_summary={row.id: _summary(row) for row in rows})

    return await call.read(load)


@operation("GetActiveTasksCount", needs=Needs.LOGIN)
async def get_active_tasks_count(call: Call, _req: m.GetActiveTasksCountRequest) -> m.GetActiveTasksCountResponse:
    """How many commands, notebooks, shells and TensorBoards run; those that wait are not counted."""

    def count(tx: Tx) -> dict[str, int]:
        scope = call.scope(tx, Right.VIEW_NSC)
        running = [row for row in allocations.open_with_jobs(tx) if row.state == AllocationState.RUNNING]
        mine = [row.task_type for row in running if scope.admits(row.job_workspace_id)]
        return {name: mine.count(word) for name, word in TYPES.items()}

    return m.GetActiveTasksCountResponse(**await call.read(count))


@operation("GetTaskContextDirectory", needs=(Right.VIEW_EXPERIMENT_ARTIFACTS, Right.VIEW_NSC), task=True)
async def get_context(call: Call, req: m.GetTaskContextDirectoryRequest) -> m.GetTaskContextDirectoryResponse:
    """The files that were submitted with a task, as a tar.gz in base64; empty without any."""

    def load(tx: Tx) -> bytes:
        task = require_view(call, tx, req.task_id, Right.VIEW_EXPERIMENT_ARTIFACTS)
        run_id = runs.of_task(tx, task.id)
        digest = task.context_digest
        if run_id is not None:
            digest = experiments.get(tx, runs.get(tx, run_id).experiment_id).context_digest
        return blobs.read(tx, digest) if digest else b""

    return m.GetTaskContextDirectoryResponse(b64_tgz=base64.b64encode(await call.read(load)).decode())


@operation("GetTaskAcceleratorData", needs=(Right.VIEW_EXPERIMENT_METADATA, Right.VIEW_NSC))
async def get_accelerators(call: Call, req: m.GetTaskAcceleratorDataRequest) -> m.GetTaskAcceleratorDataResponse:
    """The accelerators that the starts of a task reported."""

    def load(tx: Tx) -> list[m.AcceleratorData]:
        try:
            task = require_view(call, tx, req.task_id)
        except NotFound:
            return []
        found = [(row, entry) for row in allocations.of_tasks(tx, [task.id]) for entry in json.loads(row.accelerators or "[]")]
        return [_accelerators(row, entry) for row, entry in found]

    return m.GetTaskAcceleratorDataResponse(accelerator_data=await call.read(load))


def require_view(call: Call, tx: Tx, task_id: str, of_experiment: Right = Right.VIEW_EXPERIMENT_METADATA) -> Any:
    """The task, if the caller may see it: by the rights of its experiment for a trial's, by those of tasks otherwise."""
    task = tasks.get(tx, task_id)
    run_id = runs.of_task(tx, task_id)
    missing = f"task {task_id} not found"
    if run_id is None:
        call.require(tx, Right.VIEW_NSC, workspace=task.workspace_id, owner=task.user_id, missing=missing, tasks=(task_id,))
    else:
        run = runs.get(tx, run_id)
        call.require(tx, of_experiment, workspace=run.workspace_id, owner=run.user_id, missing=missing, tasks=(task_id,))
    return task


def _task_message(task: Any, starts: list[Any]) -> m.Task:
    return m.Task(
        task_id=task.id,
        task_type=m.TaskType("TASK_TYPE_" + task.task_type),
        allocations=[_start(row) for row in starts],
        start_time=when(task.start_time),
        end_time=when_set(task.end_time),
        task_state=m.GenericTaskState("GENERIC_TASK_STATE_" + task.state) if task.state else UNSET,
    )


def _start(row: Any) -> m.Allocation:
    """One start; of one that was taken back before it had slots only the state is told."""
    if row.start_time is None and row.end_time is not None:
        return m.Allocation(task_id=row.task_id, allocation_id=row.id, state=m.TaskState.STATE_TERMINATED)
    return m.Allocation(
        task_id=row.task_id,
        allocation_id=row.id,
        state=m.TaskState("STATE_" + shown.task(AllocationState(row.state))),
        is_ready=row.is_ready or UNSET,
        start_time=UNSET if row.start_time is None else clock.to_text(row.start_time),
        end_time=UNSET if row.end_time is None else clock.to_text(row.end_time),
        exit_reason=row.exit_reason or UNSET,
        status_code=UNSET if row.exit_code is None else row.exit_code,
    )


def _summary(row: Any) -> m.AllocationSummary:
    return m.AllocationSummary(
        task_id=row.task_id,
        allocation_id=row.id,
        name=row.task_name,
        registered_time=when(row.queued_at),
        resource_pool=row.resource_pool,
        slots_needed=row.slots,
        resources=[_resources(row, node) for node in json.loads(row.nodes or "[]")],
        scheduler_type="priority",
        priority=UNSET if row.priority is None else row.priority,
    )


def _resources(row: Any, node: tuple[str, list[int]]) -> m.ResourcesSummary:
    agent_id, slot_ids = node
    devices = [m.Device(id=slot) for slot in slot_ids]
    return m.ResourcesSummary(
        resources_id=row.id,
        resources_type="process",
        allocation_id=row.id,
        agent_devices={agent_id: m.ResourcesSummaryDevices(devices=devices)},
        container_id=row.id,
    )


def _accelerators(row: Any, entry: dict[str, Any]) -> m.AcceleratorData:
    return m.AcceleratorData(
        container_id=entry["container_id"],
        allocation_id=row.id,
        node_name=entry.get("node_name", ""),
        task_id=row.task_id,
        accelerator_type=entry["accelerator_type"],
        accelerator_uuids=entry["accelerator_uuids"],
        resource_pool=row.resource_pool,
    )
