"""What the walk over all operations needs: a thing of every kind, plausible requests for them, and a judgement of answers."""

import enum
import types
import typing
from typing import Any

import msgspec
import sqlalchemy as sa

from undeterred.store.database import Tx
from undeterred.store.schema import metadata
from undeterred.wire.leaves import Array, Double, Int64, Object, Timestamp
from undeterred.wire.operation import Operation, Param

DEPTH = 4
TEXT = "x"
UUID = "3f1d7e6a-0000-4000-8000-000000000001"
TRIAL_TASK = f"1.{UUID}"
TASKS = {
    f"{kind.lower()}Id": f"3f1d7e6a-0000-4000-8000-00000000001{number}"
    for number, kind in enumerate(("COMMAND", "NOTEBOOK", "SHELL", "TENSORBOARD"))
}
SPECIAL_TEXTS = {
    "uuid": UUID,
    "checkpointUuid": UUID,
    "taskId": TRIAL_TASK,
    "allocationId": f"{TRIAL_TASK}.1",
    "resourcePoolName": "default",
    "workloadType": "EXPERIMENT",
    "key": "UNCAT",
    **TASKS,
}
"""Path parameters and fields that name one of the things below, or take no arbitrary text."""


def make_one_of_each(tx: Tx) -> None:
    """In workspace 1 of user 1 a thing of every kind, with the id 1 or the name "x" where it has one; one task per kind."""
    _insert(
        tx,
        "experiments",
        project_id=1,
        user_id=1,
        state="COMPLETED",
        config='{"resources": {}, "checkpoint_storage": {}}',
        external_id=TEXT,
    )
    _insert(tx, "runs", experiment_id=1, project_id=1, state="COMPLETED", external_id=TEXT)
    _insert(tx, "jobs", id=UUID, kind="EXPERIMENT", user_id=1, workspace_id=1)
    for kind, task in {"TRIAL": TRIAL_TASK, **{name.removesuffix("Id").upper(): one for name, one in TASKS.items()}}.items():
        _insert(tx, "tasks", id=task, task_type=kind, user_id=1, workspace_id=1, job_id=UUID)
        _insert(tx, "allocations", id=f"{task}.1", task_id=task, state="TERMINATED")
        _insert(tx, "task_logs", task_id=task)
    _insert(tx, "run_tasks", run_id=1, task_id=TRIAL_TASK)
    _insert(tx, "checkpoints", uuid=UUID, run_id=1, state="COMPLETED")
    _insert(tx, "models", user_id=1, workspace_id=1)
    _insert(tx, "model_versions", model_id=1, version=1, checkpoint_id=1, user_id=1)
    _insert(tx, "templates", workspace_id=1, config="{}")
    _insert(tx, "webhooks", workspace_id=1, kind="DEFAULT", mode="WORKSPACE")
    _insert(tx, "config_policies", workspace_id=1, workload_type="EXPERIMENT", constraints="{}")


def _insert(tx: Tx, name: str, **columns: Any) -> None:
    """A row whose other required columns hold the time, the text or the number that they can hold."""
    table = metadata.tables[name]
    for column in table.columns:
        needed = not column.nullable and column.server_default is None and not column.primary_key
        if needed and column.name not in columns:
            columns[column.name] = TEXT if isinstance(column.type, sa.Text) else tx.now
    tx.insert(table, **columns)


def path_of(operation: Operation) -> str:
    """The path of an operation with the value 1 for numbers and a text for texts."""
    path = operation.path
    for param in operation.path_params:
        text = "1" if param.kind == "int32" else SPECIAL_TEXTS.get(param.name.rpartition(".")[2], TEXT)
        path = path.replace("{" + param.name + "}", text)
    return path


def query_of(operation: Operation, *, snake: bool = False) -> dict[str, str]:
    """Every query parameter of an operation with a plausible value, in either style of names."""
    return {(param.proto_name if snake else param.name): _text(param) for param in operation.query_params}


def _text(param: Param) -> str:
    texts = {"bool": "true", "wrapped_bool": "true", "timestamp": "2026-01-01T00:00:00Z", "string": TEXT, "wrapped_string": TEXT}
    if param.kind == "enum":
        return str(list(param.enum or [])[-1])
    return texts.get(param.kind, "1")


def body_of(operation: Operation) -> Any:
    """A body with every field filled, or None where no body is read."""
    return None if operation.body is None else filled(body_type(operation))


def body_type(operation: Operation) -> Any:
    """The annotation that the body of an operation is read into."""
    if operation.body == "*":
        return operation.request
    return typing.get_type_hints(operation.request, include_extras=True)[typing.cast(str, operation.body)]


def filled(annotation: Any, depth: int = DEPTH, name: str = "") -> Any:
    """JSON for an annotation: 1, a text, true, the second value of an enum, one item of a list, every field of a message."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return 1
    if origin in (types.UnionType, typing.Union):
        return filled(next(kind for kind in args if kind not in (types.NoneType, msgspec.UnsetType)), depth, name)
    if origin is list:
        return [filled(args[0], depth - 1, name)] if depth > 0 else []
    if origin is dict:
        return {TEXT: filled(args[1], depth - 1)} if depth > 0 else {}
    leaves: dict[Any, Any] = {
        str: SPECIAL_TEXTS.get(name, TEXT),
        bool: True,
        bytes: "eA==",
        Int64: "1",
        Double: 1,
        Timestamp: "2026-01-01T00:00:00Z",
        Object: {},
        Array: [],
        Any: None,
    }
    if annotation in leaves:
        return leaves[annotation]
    if issubclass(annotation, enum.StrEnum):
        return str(list(annotation)[min(1, len(annotation) - 1)])
    hints = typing.get_type_hints(annotation, include_extras=True)
    fields = msgspec.structs.fields(annotation) if depth > 0 else ()
    return {field.encode_name: filled(hints[field.name], depth - 1, field.encode_name) for field in fields}


def tells_nothing(value: Any) -> bool:
    """Whether an answer holds no data: only zeros, empty texts and lists, pages of nothing, and items that tell an error."""
    if isinstance(value, dict):
        if value.get("error"):
            return True
        return all(tells_nothing(item) for key, item in value.items() if key != "pagination")
    if isinstance(value, list):
        return all(tells_nothing(item) for item in value)
    return not value or value == "0" or (isinstance(value, str) and value.endswith("_UNSPECIFIED"))
