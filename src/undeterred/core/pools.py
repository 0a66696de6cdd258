"""The resource pools that the settings name.

The two blocks are those of a Determined `master.yaml`: `resource_manager` (its scheduler is the default of all pools) and the
list `resource_pools`. Without a list there is one pool, `default`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from undeterred.base.errors import Invalid
from undeterred.base.struct import Struct, field

DEFAULT_POOL = "default"
PRIORITY, FAIR_SHARE = "priority", "fair_share"
_FITTING = ("best", "worst")


class Pool(Struct, frozen=True, kw_only=True):
    """One pool: how its queue is worked off and what its tasks get."""

    name: str
    description: str = ""
    scheduler: str = PRIORITY
    """`priority` or `fair_share`."""
    preemption: bool = False
    default_priority: int = 42
    """1 is the best, 99 the worst."""
    fitting: str = "best"
    """`best` fills agents up, `worst` spreads."""
    heterogeneous_fits: bool = False
    aux_containers_per_agent: int = 100
    """Tasks without slots that one agent holds at most."""
    default_compute: bool = False
    default_aux: bool = False
    task_container_defaults: Mapping[str, Any] = field(default_factory=dict)


def pools_of(resource_manager: Mapping[str, Any], resource_pools: Iterable[Mapping[str, Any]]) -> tuple[Pool, ...]:
    """All pools in the order of the settings; raises Invalid for a wrong block, with its place and what is allowed."""
    given = [dict(entry) for entry in resource_pools] or [{"pool_name": DEFAULT_POOL}]
    names = [str(entry.get("pool_name") or "") for entry in given]
    for name in names:
        if not name or names.count(name) > 1:
            raise Invalid(f"resource_pools: every entry needs a pool_name of its own, got {name!r}")
    compute = _default(resource_manager, "default_compute_resource_pool", names)
    aux = _default(resource_manager, "default_aux_resource_pool", names)
    above = resource_manager.get("scheduler") or {}
    return tuple(
        _pool(name, entry, above, compute=name == compute, aux=name == aux) for name, entry in zip(names, given, strict=True)
    )


def cluster_name(resource_manager: Mapping[str, Any]) -> str:
    """The name of the resource manager that runs these pools."""
    return str(resource_manager.get("cluster_name") or resource_manager.get("name") or "default")


def find(pools: Iterable[Pool], name: str) -> Pool | None:
    """A pool by name, or None."""
    return next((pool for pool in pools if pool.name == name), None)


def default_for(pools: Iterable[Pool], slots: int) -> Pool:
    """Where a task goes that names no pool: the pool for compute, or the one for tasks without slots."""
    return next(pool for pool in pools if (pool.default_compute if slots > 0 else pool.default_aux))


def _default(resource_manager: Mapping[str, Any], key: str, names: list[str]) -> str:
    name = resource_manager.get(key)
    if not name:
        return DEFAULT_POOL if DEFAULT_POOL in names else names[0]
    if name not in names:
        raise Invalid(f"resource_manager.{key}: {name!r} is none of the pools {', '.join(names)}")
    return str(name)


def _pool(name: str, entry: Mapping[str, Any], above: Mapping[str, Any], *, compute: bool, aux: bool) -> Pool:
    scheduler = {**above, **(entry.get("scheduler") or {})}
    where = f"resource_pools.{name}.scheduler"
    kind = str(scheduler.get("type") or PRIORITY)
    fitting = str(scheduler.get("fitting_policy") or "best")
    priority = scheduler.get("default_priority") or 42
    most = entry.get("max_aux_containers_per_agent", entry.get("max_cpu_containers_per_agent", 100))
    if kind not in (PRIORITY, FAIR_SHARE):
        raise Invalid(f"{where}.type: {kind!r} is not one of {PRIORITY}, {FAIR_SHARE}")
    if fitting not in _FITTING:
        raise Invalid(f"{where}.fitting_policy: {fitting!r} is not one of {', '.join(_FITTING)}")
    if type(priority) is not int or not 1 <= priority <= 99:
        raise Invalid(f"{where}.default_priority: {priority!r} is not a number from 1 to 99")
    if type(most) is not int or most < 0:
        raise Invalid(f"resource_pools.{name}.max_aux_containers_per_agent: {most!r} is not a number from 0 up")
    return Pool(
        name=name,
        description=str(entry.get("description") or ""),
        scheduler=kind,
        preemption=bool(scheduler.get("preemption") or False),
        default_priority=priority,
        fitting=fitting,
        heterogeneous_fits=bool(scheduler.get("allow_heterogeneous_fits") or False),
        aux_containers_per_agent=most,
        default_compute=compute,
        default_aux=aux,
        task_container_defaults=dict(entry.get("task_container_defaults") or {}),
    )
