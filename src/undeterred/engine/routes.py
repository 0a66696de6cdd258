"""Services of tasks that the proxy serves, and when each was last used.

Where a service is stands in the database; when it was used is kept in memory alone: after a restart every task counts as used
just then, so none is ended for having been idle while nobody could reach it.
"""

import enum
from typing import Any

from undeterred.base import json
from undeterred.base.clock import Clock, Micros
from undeterred.base.struct import Struct
from undeterred.store import allocations, experiments, runs, tasks
from undeterred.store.database import Tx


class Stage(enum.Enum):
    """How far a service is."""

    WAITING = "waiting"
    """Its task waits, starts, or is paused."""
    SERVING = "serving"
    OVER = "over"
    """Its task has ended or is being killed."""


class Service(Struct, frozen=True):
    """What is behind `/proxy/<service>/`, and whose it is."""

    task_id: str
    task_type: str
    name: str
    """The task's, for people."""
    stage: Stage
    address: str
    port: int
    """0 until it serves."""
    tcp: bool
    unauthenticated: bool
    owner_id: int | None
    workspace_id: int | None
    workspace_owner: int | None
    token: str = ""
    """Of a notebook: who has it needs no login for this service."""


class _Entry(Struct, frozen=True):
    """How a task's launch or configuration describes a service."""

    port: str
    """Name of the variable that holds the port, or the number."""
    tcp: bool
    unauthenticated: bool
    waits: bool = False
    """Whether it serves only once its task is ready."""


class Routes:
    """Looks services up, and remembers their use. For the event loop's thread."""

    def __init__(self, clock: Clock) -> None:
        self._begun = clock.now()
        self._clock = clock
        self._used: dict[str, Micros] = {}
        self._idle: dict[str, bool] = {}

    def find(self, tx: Tx, service: str) -> Service | None:
        """The service of this name: a task's id, or a task's id, a colon and a port; None when no task has it."""
        task_id, _, number = service.partition(":")
        task = tasks.find(tx, task_id)
        if task is None:
            return None
        run_id = runs.of_task(tx, task_id)
        run = None if run_id is None else runs.get(tx, run_id)
        config = task.config if run is None else experiments.get(tx, run.experiment_id).config
        entry = _entry(json.loads(task.launch or "{}"), json.loads(config or "{}"), number)
        if entry is None:
            return None
        home = task if run is None else run
        row = None if task.end_time is not None else allocations.running_of_task(tx, task_id)
        port = 0 if row is None else _port(row, entry)
        if task.end_time is not None or (row is not None and row.kill_at is not None):
            stage = Stage.OVER
        else:
            stage = Stage.SERVING if port else Stage.WAITING
        return Service(
            task_id,
            task.task_type,
            task.name,
            stage,
            "" if row is None else row.proxy_address or next(iter(json.loads(row.addresses)), "127.0.0.1"),
            port,
            entry.tcp,
            entry.unauthenticated,
            home.user_id,
            home.workspace_id,
            home.workspace_owner,
            str(json.loads(task.detail or "{}").get("token") or "") if task.task_type == "NOTEBOOK" else "",
        )

    def used(self, task_id: str) -> None:
        """A request or a connection has begun or ended."""
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


def _entry(launch: dict[str, Any], config: dict[str, Any], number: str) -> _Entry | None:
    """The entry of a task's launch or of its configuration that serves `number` (empty: the task's main service)."""
    for entry in launch.get("proxied", ()):
        if entry["service"] == number:
            waits = bool(launch.get("ready_port")) and launch["ready_port"] == entry["port"]
            return _Entry(entry["port"], bool(entry.get("tcp")), bool(entry.get("unauthenticated")), waits)
    for entry in (config.get("environment") or {}).get("proxy_ports") or ():
        if str(entry["proxy_port"]) == number or (not number and entry.get("default_service_id")):
            return _Entry(str(entry["proxy_port"]), bool(entry.get("proxy_tcp")), bool(entry.get("unauthenticated")))
    return None


def _port(row: Any, entry: _Entry) -> int:
    """The port of a service of a running allocation; 0 while it does not serve."""
    if entry.waits and not row.is_ready:
        return 0
    given = json.loads(row.ports or "{}").get(entry.port)
    return int(given or (entry.port if entry.port.isdigit() else 0))
