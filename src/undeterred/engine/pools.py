"""Resource pools as configured, which of them a task goes to, and whether it can hold it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from undeterred.base.errors import Invalid
from undeterred.base.settings import Settings
from undeterred.store import agents
from undeterred.store.database import Tx

DEFAULT = "default"
DEFAULT_PRIORITY = 42


@dataclass(frozen=True, slots=True)
class Pool:
    """One resource pool."""

    name: str
    description: str
    scheduler: str
    """priority or fair_share."""
    default_priority: int
    preemption: bool
    task_container_defaults: Mapping[str, Any]
    max_aux_containers: int


def configured(settings: Settings) -> dict[str, Pool]:
    """Every pool by name, in the order of the settings; `default` when none is configured."""
    listed = settings.resource_pools or settings.resource_manager.get("resource_pools") or [{"pool_name": DEFAULT}]
    pools: dict[str, Pool] = {}
    for given in listed:
        scheduler = given.get("scheduler") or settings.resource_manager.get("scheduler") or settings.scheduler or {}
        name = str(given.get("pool_name") or DEFAULT)
        pools[name] = Pool(
            name=name,
            description=str(given.get("description") or ""),
            scheduler=str(scheduler.get("type") or "priority"),
            default_priority=int(scheduler.get("default_priority") or DEFAULT_PRIORITY),
            preemption=bool(scheduler.get("preemption") or False),
            task_container_defaults=given.get("task_container_defaults") or {},
            max_aux_containers=int(given.get("max_aux_containers_per_agent") or 100),
        )
    return pools


def default_pools(settings: Settings) -> tuple[str, str]:
    """Where tasks without slots and tasks with slots go when nothing names a pool (aux, compute)."""
    first = next(iter(configured(settings)))
    manager = settings.resource_manager
    return str(manager.get("default_aux_resource_pool") or first), str(manager.get("default_compute_resource_pool") or first)


def choose(settings: Settings, name: str, slots: int, workspace: Any) -> Pool:
    """The pool of a task: the named one, else the workspace's default, else the cluster's. Raises Invalid for an unknown name."""
    pools = configured(settings)
    if not name:
        own = workspace.default_compute_pool if slots else workspace.default_aux_pool
        aux, compute = default_pools(settings)
        name = own if own in pools else (compute if slots else aux)
    if name not in pools:
        raise Invalid(f"there is no resource pool {name[:100]!r}; the pools are {', '.join(pools)}")
    return pools[name]


def exceeds(tx: Tx, pool: Pool, slots: int, *, single_node: bool) -> str | None:
    """Why the pool, as it is now, can never hold a task of so many slots; None when it can."""
    if slots <= 0:
        return None
    sizes = agents.sizes(tx, pool.name)
    most = max(sizes, default=0) if single_node else sum(sizes)
    if slots <= most:
        return None
    where = "one machine of the pool" if single_node else "the pool"
    return f"slots requested exceeds cluster capacity: {slots} slots asked for, {where} {pool.name} has {most}"
