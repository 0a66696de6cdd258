"""Layers join by the kind of each field; where the rules allow it, the grouping of layers does not matter."""

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core.config.trees import canonical, trees
from undeterred.core.config import ntsc, schema, tcd
from undeterred.core.config.kinds import Kind
from undeterred.core.config.merge import merge, merge_all

SLOW = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
EXPERIMENT = schema.experiment()

SECTIONS = {
    "bind_mounts": schema.BIND_MOUNTS,
    "devices": schema.DEVICES,
    "proxy_ports": schema.PROXY_PORTS,
    "variables": schema.VARIABLES,
    "log_policies": schema.LOG_POLICIES,
    "slurm": schema.SLURM,
    "length": schema.LENGTH,
    "environment": schema.ENVIRONMENT,
    "resources": schema.RESOURCES,
    "integrations": schema.INTEGRATIONS,
    "experiment": EXPERIMENT,
    "task": ntsc.TASK,
    "defaults": tcd.SCHEMA,
}
UNIONS = {
    "storage": (schema.STORAGE, "s3"),
    "azure": (schema.STORAGE, "azure"),
    "searcher": (schema.searchers(), "adaptive_asha"),
}


def layers(kind: Kind) -> st.SearchStrategy[Any]:
    """Canonical layers of a kind."""
    return trees(kind).map(lambda value: canonical(kind, value))


def one_type_only(config: Any) -> Any:
    """The same without sections whose merging depends on a type: grouping matters where types differ."""
    return {key: value for key, value in config.items() if key not in ("searcher", "checkpoint_storage")}


@pytest.mark.parametrize("name", SECTIONS)
def test_merging_is_associative(name):
    """However three layers are grouped, the result is the same."""
    kind = SECTIONS[name]

    @SLOW
    @given(layers(kind), layers(kind), layers(kind))
    def check(high, middle, low):
        if name == "experiment":
            high, middle, low = map(one_type_only, (high, middle, low))
        assert merge(kind, merge(kind, high, middle), low) == merge(kind, high, merge(kind, middle, low))

    check()


@pytest.mark.parametrize("name", UNIONS)
def test_merging_one_type_is_associative(name):
    """Layers of a storage or searcher that name the same type, or none, can be grouped at will."""
    kind, chosen = UNIONS[name]
    same = layers(kind).filter(lambda layer: layer.get(kind.by, chosen) == chosen)

    @SLOW
    @given(same, same, same)
    def check(high, middle, low):
        assert merge(kind, merge(kind, high, middle), low) == merge(kind, high, merge(kind, middle, low))

    check()


@SLOW
@given(layers(EXPERIMENT), layers(EXPERIMENT))
def test_merging_leaves_its_sources_alone(high, low):
    """Neither layer is changed, and a layer over itself is itself unless its entries accumulate."""
    before = copy.deepcopy((high, low))
    merge(EXPERIMENT, high, low)
    assert (high, low) == before


@SLOW
@given(layers(EXPERIMENT))
def test_the_empty_layer_is_neutral(layer):
    """An empty or absent layer above or below changes nothing (a repeated label counts once in either case)."""
    expected = {**layer, **({"labels": list(dict.fromkeys(layer["labels"]))} if "labels" in layer else {})}
    for empty in ({}, None):
        assert merge(EXPERIMENT, layer, empty) == layer
        assert merge(EXPERIMENT, empty, layer) == layer
    assert merge(EXPERIMENT, layer, {"labels": []} if "labels" in layer else {}) == expected


def test_merge_all():
    """The first of many layers is the highest; no layer at all is nothing."""
    assert merge_all(EXPERIMENT, []) is None
    assert merge_all(EXPERIMENT, [{"name": "a"}, {}, {"name": "b", "debug": True}]) == {"name": "a", "debug": True}


def test_scalars_objects_lists_and_free_maps():
    """The higher scalar and the higher plain list win; objects and free maps unite."""
    high = {"debug": False, "resources": {"weight": 2}, "data": {"a": {"x": 1}}, "environment": {"add_capabilities": ["H"]}}
    low = {
        "debug": True,
        "resources": {"max_slots": 3, "weight": 1},
        "data": {"a": {"y": 2}, "b": 3},
        "environment": {"add_capabilities": ["L"], "ports": {"p": 1}},
    }
    assert merge(EXPERIMENT, high, low) == {
        "debug": False,
        "resources": {"weight": 2, "max_slots": 3},
        "data": {"a": {"x": 1}, "b": 3},
        "environment": {"add_capabilities": ["H"], "ports": {"p": 1}},
    }


def test_keyed_lists():
    """Of mounts, devices and proxy ports the higher entry of a key wins and comes first; of log policies it comes last."""
    mounts = (
        [{"host_path": "/h", "container_path": "a"}],
        [
            {"host_path": "/l", "container_path": "a"},
            {"host_path": "/l", "container_path": "b"},
        ],
    )
    assert merge(schema.BIND_MOUNTS, *mounts) == [mounts[0][0], mounts[1][1]]
    assert merge(schema.PROXY_PORTS, [{"proxy_port": 1, "proxy_tcp": True}], [{"proxy_port": 1}, {"proxy_port": 2}]) == [
        {"proxy_port": 1, "proxy_tcp": True},
        {"proxy_port": 2},
    ]
    old = {"pattern": "x", "action": "cancel_retries"}
    policies = [{"name": "a"}, old], [{"name": "a", "pattern": "p"}, {"name": "b", "pattern": "q"}, old]
    assert merge(schema.LOG_POLICIES, *policies) == [{"name": "b", "pattern": "q"}, {"name": "a"}, old]


def test_environment_variables_accumulate():
    """Lower variables come first, so that the higher value of a name counts; what is repeated exactly stands once."""
    high, low = {"cpu": ["A=2", "B=1"]}, {"cpu": ["A=1", "B=1"], "cuda": ["C=1"]}
    assert merge(schema.VARIABLES, high, low) == {"cpu": ["A=1", "A=2", "B=1"], "cuda": ["C=1"]}


def test_lengths_replace_each_other():
    """A length in epochs over one in batches is in epochs alone."""
    assert merge(EXPERIMENT, {"min_validation_period": {"epochs": 1}}, {"min_validation_period": {"batches": 5}}) == {
        "min_validation_period": {"epochs": 1}
    }


def test_a_named_type_shuts_out_the_keys_of_others():
    """A storage or searcher that names its type takes common keys from below, and others only from the same type."""
    s3 = {"type": "s3", "bucket": "b", "prefix": "p", "save_trial_best": 3}
    assert merge(schema.STORAGE, {"type": "gcs", "bucket": "c"}, s3) == {"type": "gcs", "bucket": "c", "save_trial_best": 3}
    assert merge(schema.STORAGE, {"type": "s3", "bucket": "c"}, s3) == {**s3, "bucket": "c"}
    assert merge(schema.STORAGE, {"save_trial_best": 0}, s3) == {**s3, "save_trial_best": 0}
    random = {"name": "random", "max_trials": 4, "metric": "m"}
    assert merge(schema.searchers(), {"name": "grid"}, random) == {"name": "grid", "metric": "m"}
    assert merge(schema.searchers(), {"metric": "n"}, random) == {"name": "random", "max_trials": 4, "metric": "n"}


def test_azure_logins_are_not_mixed():
    """The login comes as one set from the highest layer that has any of it."""
    low = {"type": "azure", "container": "c", "account_url": "u", "credential": "k"}
    assert merge(schema.STORAGE, {"type": "azure", "connection_string": "s"}, low) == {
        "type": "azure",
        "container": "c",
        "connection_string": "s",
    }
    assert merge(schema.STORAGE, {"container": "d"}, low) == {**low, "container": "d"}


def test_hyperparameters_are_replaced_whole():
    """A range over a range of the same name takes nothing from it; nested maps unite."""
    high = {"lr": {"type": "const", "val": 1}, "opt": {"a": {"type": "const", "val": 2}}}
    low = {
        "lr": {"type": "int", "minval": 0, "maxval": 5},
        "opt": {"a": {"type": "const", "val": 0}, "b": {"type": "const", "val": 0}},
        "n": {"type": "const", "val": 3},
    }
    assert merge(EXPERIMENT, {"hyperparameters": high}, {"hyperparameters": low})["hyperparameters"] == {
        "lr": high["lr"],
        "opt": {"a": high["opt"]["a"], "b": low["opt"]["b"]},
        "n": low["n"],
    }
