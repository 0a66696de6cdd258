"""Services of tasks that the proxy serves, and when each was last used.

Where a service is stands in the database; when it was used is kept in memory alone: after a restart every task counts as used
just then, so none is ended for having been idle while nobody could reach it.
"""

from dataclasses import dataclass
from typing import Any

from undeterred.base import json
from undeterred.base.clock import Clock, Micros
from undeterred.store import allocations, experiments, runs, tasks
from undeterred.store.database import Tx


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request to `/proxy/<service>/` goes."""

    task_id: str
    allocation_id: str
    address: str
    port: int
    tcp: bool
    unauthenticated: bool
    owner_id: int | None
    workspace_id: int | None
    task_type: str


class Routes:
    """Looks services up, and remembers their use. For the event loop's thread."""

    def __init__(self, clock: Clock) -> None:
        self._begun = clock.now()
        self._clock = clock
        self._used: dict[str, Micros] = {}
        self._idle: dict[str, bool] = {}

    def find(self, tx: Tx, service: str) -> Route | None:
        """The route of a service: a task's id, or a task's id, a colon and a port; None when there is none now."""
        task_id, _, number = service.partition(":")
        task, row = tasks.find(tx, task_id), allocations.running_of_task(tx, task_id)
        if task is None or row is None:
            return None
        run_id = runs.of_task(tx, task_id)
        config = task.config if run_id is None else experiments.get(tx, runs.get(tx, run_id).experiment_id).config
        proxied = _proxied(json.loads(task.launch or "{}"), json.loads(config or "{}"), row, number)
        if proxied is None:
            return None
        address = row.proxy_address or next(iter(json.loads(row.addresses)), "127.0.0.1")
        return Route(
            task_id,
            row.id,
            address,
            proxied["number"],
            bool(proxied.get("tcp")),
            bool(proxied.get("unauthenticated")),
            task.user_id,
            task.workspace_id,
            task.task_type,
        )

    def used(self, task_id: str) -> None:
        """A request or a frame has passed."""
        self._used[task_id] = self._clock.now()

    def reported_idle(self, task_id: str, *, idle: bool) -> None:
        """A task's own word on whether anything happens in it."""
        self._idle[task_id] = idle
        if not idle:
            self.used(task_id)

    def last_activity(self, task_id: str, now: Micros, *, reports: bool = False) -> Micros:
        """When a task was last active; with `reports` a task counts as active until it says that it is idle."""
        if reports and not self._idle.get(task_id, False):
            return now
        return self._used.get(task_id, self._begun)

    def forget(self, task_id: str) -> None:
        """The task is over."""
        self._used.pop(task_id, None)
        self._idle.pop(task_id, None)


def _proxied(launch: dict[str, Any], config: dict[str, Any], row: Any, number: str) -> dict[str, Any] | None:
    """The entry of a task's launch or of its configuration that serves this, with its port as `number`."""
    ports = json.loads(row.ports or "{}")
    for entry in launch.get("proxied", ()):
        port = ports.get(entry["port"]) or (int(entry["port"]) if entry["port"].isdigit() else None)
        if port is not None and entry["service"] == number:
            return {**entry, "number": port}
    for entry in (config.get("environment") or {}).get("proxy_ports") or ():
        if str(entry["proxy_port"]) == number or (not number and entry.get("default_service_id")):
            flags = {"tcp": entry.get("proxy_tcp"), "unauthenticated": entry.get("unauthenticated")}
            return {"number": entry["proxy_port"], **flags}
    return None
