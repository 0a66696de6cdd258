"""Which resource pool a task goes to, and whether it can hold it."""

from collections.abc import Sequence
from typing import Any

from undeterred.base.errors import Invalid
from undeterred.core.config.resolved import Resolved
from undeterred.core.pools import Pool, default_for, find
from undeterred.store import agents
from undeterred.store.database import Tx


def choose(pools: Sequence[Pool], name: str, slots: int, workspace: Any) -> Pool:
    """The pool of a task: the named one, else the workspace's default, else the cluster's. Raises Invalid for an unknown name."""
    if not name:
        own = workspace.default_compute_pool if slots else workspace.default_aux_pool
        return find(pools, own or "") or default_for(pools, slots)
    pool = find(pools, name)
    if pool is None:
        raise Invalid(f"there is no resource pool {name[:100]!r}; the pools are {', '.join(one.name for one in pools)}")
    return pool


def fit(tx: Tx, pools: Sequence[Pool], resolved: Resolved, workspace: Any, *, strict: bool) -> tuple[Pool, str | None]:
    """The pool that a resolved configuration of an experiment leads to, and what `exceeds` says of it, as a warning.

    Raises Invalid for an unknown pool, and for what exceeds it when that is to be an error (`strict`: setting launch_error).
    """
    slots = resolved.slots_per_trial
    pool = choose(pools, resolved.config["resources"]["resource_pool"], slots, workspace)
    warning = exceeds(tx, pool, slots, single_node=resolved.single_node)
    if warning and strict:
        raise Invalid(warning)
    return pool, warning


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
