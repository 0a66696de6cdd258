"""Resource pools as the settings name them."""

from typing import Any

import pytest

from undeterred.base.errors import Invalid
from undeterred.core.pools import cluster_name, default_for, find, pools_of


def test_without_a_list_there_is_one_pool() -> None:
    """Named default, for compute and for everything else, worked off by priority."""
    (pool,) = pools_of({}, [])
    assert (pool.name, pool.default_compute, pool.default_aux) == ("default", True, True)
    assert (pool.scheduler, pool.preemption, pool.default_priority, pool.fitting) == ("priority", False, 42, "best")
    assert cluster_name({}) == "default"


def test_a_pool_takes_from_its_own_block_and_the_managers() -> None:
    """Its own scheduler settings win, those of the resource manager fill the rest."""
    manager = {"scheduler": {"type": "priority", "preemption": True, "default_priority": 50}, "cluster_name": "c"}
    first, second = pools_of(
        manager,
        [
            {"pool_name": "a", "scheduler": {"default_priority": 7}, "max_aux_containers_per_agent": 3},
            {"pool_name": "b", "scheduler": {"type": "fair_share", "fitting_policy": "worst"}, "description": "d"},
        ],
    )
    assert (first.preemption, first.default_priority, first.aux_containers_per_agent) == (True, 7, 3)
    assert (second.scheduler, second.fitting, second.default_priority, second.description) == ("fair_share", "worst", 50, "d")
    assert cluster_name(manager) == "c"


def test_the_default_pools_are_named_or_the_first() -> None:
    """One for tasks with slots and one for tasks without; a pool named default is preferred to the first."""
    given = [{"pool_name": "a"}, {"pool_name": "b"}]
    pools = pools_of({"default_aux_resource_pool": "b"}, given)
    assert (default_for(pools, 1).name, default_for(pools, 0).name) == ("a", "b")
    assert default_for(pools_of({}, [*given, {"pool_name": "default"}]), 1).name == "default"
    assert find(pools, "b") is pools[1]
    assert find(pools, "c") is None


BAD: list[tuple[dict[str, Any], list[dict[str, Any]], str]] = [
    ({}, [{}], "pool_name"),
    ({}, [{"pool_name": "a"}, {"pool_name": "a"}], "pool_name"),
    ({"default_compute_resource_pool": "x"}, [{"pool_name": "a"}], "default_compute_resource_pool"),
    ({}, [{"pool_name": "a", "scheduler": {"type": "round_robin"}}], "resource_pools.a.scheduler.type"),
    ({}, [{"pool_name": "a", "scheduler": {"fitting_policy": "x"}}], "fitting_policy"),
    ({}, [{"pool_name": "a", "scheduler": {"default_priority": 100}}], "default_priority"),
    ({}, [{"pool_name": "a", "max_aux_containers_per_agent": -1}], "max_aux_containers_per_agent"),
]


@pytest.mark.parametrize(("manager", "pools", "place"), BAD)
def test_a_wrong_block_is_refused(manager: dict[str, Any], pools: list[dict[str, Any]], place: str) -> None:
    """With its place."""
    with pytest.raises(Invalid, match=place):
        pools_of(manager, pools)
