"""A checkpoint to register, for tests of several areas."""

from typing import Any

from tests.api import unmanaged
from tests.support import Client


def uuid(number: int) -> str:
    """A uuid with this number."""
    return f"aaaaaaaa-0000-4000-8000-{number:012}"


async def checkpoint(client: Client, number: int, experiment: int | None = None, **fields: Any) -> str:
    """Report a checkpoint of a new trial, in a new experiment unless one is given; its uuid."""
    of = await unmanaged.experiment(client) if experiment is None else experiment
    trial = await unmanaged.trial(client, of)
    task = (await client.ok("GET", f"trials/{trial}"))["trial"]["taskId"]
    body = {"uuid": uuid(number), "taskId": task, "resources": {"a": "1"}, "metadata": {"steps_completed": number}}
    await client.ok("POST", "checkpoints", body | fields)
    return uuid(number)


async def model(client: Client, name: str, *checkpoints: str, by: str = "admin", **fields: Any) -> int:
    """A model with these checkpoints as its versions; its number."""
    made = await client.ok("POST", "models", {"name": name} | fields, user=by)
    for one in checkpoints:
        await client.ok("POST", f"models/{made['model']['id']}/versions", {"checkpointUuid": one}, user=by)
    return int(made["model"]["id"])
