"""A completed configuration has every key, and completing it again changes nothing."""

from hypothesis import HealthCheck, given, settings

from tests.core.config.trees import canonical, trees
from undeterred.core.config.defaults import fill
from undeterred.core.config.kinds import NOTHING, Field, Flag, Items, Record, Text, Whole
from undeterred.core.config.schema import STORAGE, experiment, searchers

EXPERIMENT = experiment()


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(trees(EXPERIMENT))
def test_filling_twice_is_filling_once(tree):
    """A complete tree reads without a mistake and is complete."""
    full = fill(EXPERIMENT, canonical(EXPERIMENT, tree))
    assert fill(EXPERIMENT, canonical(EXPERIMENT, full)) == full


def test_keys_defaults_and_nulls():
    """Defaults fill, nulls stand where there is no default, hidden and ignored keys stay away, keys are sorted."""
    inner = Record({"flag": Field(Flag(), False)})
    kind = Record(
        {
            "with": Field(Whole(), 5),
            "null": Field(Text()),
            "hidden": Field(Text(), hide_null=True),
            "old": Field(Text(), ignored=True),
            "inner": Field(inner, {}),
            "absent": Field(inner, NOTHING),
            "items": Field(Items(inner), []),
        }
    )
    full = fill(kind, {"items": [{}]})
    assert full == {"absent": None, "inner": {"flag": False}, "items": [{"flag": False}], "null": None, "with": 5}
    assert list(full) == sorted(full)


def test_defaults_are_not_shared():
    """Changing one completed configuration does not change the next."""
    fill(EXPERIMENT, {})["log_policies"].clear()
    assert len(fill(EXPERIMENT, {})["log_policies"]) == 2


def test_defaults_join_by_the_rules_of_merging():
    """A policy of a default's name replaces that default only; one image named leaves the other images."""
    full = fill(EXPERIMENT, {"log_policies": [{"name": "CUDA OOM"}], "environment": {"image": {"cpu": "mine"}}})
    assert [policy["name"] for policy in full["log_policies"]] == ["ECC Error", "CUDA OOM"]
    assert full["environment"]["image"]["cpu"] == "mine"
    assert full["environment"]["image"]["rocm"] == fill(EXPERIMENT, {})["environment"]["image"]["rocm"]


def test_branches_have_their_own_keys():
    """A storage shows the keys of its type, a searcher those of its name, and neither shows others."""
    numbers = {"save_experiment_best": 0, "save_trial_best": 1, "save_trial_latest": 1}
    assert fill(STORAGE, {"type": "gcs", "bucket": "b"}) == {"bucket": "b", "prefix": None, **numbers, "type": "gcs"}
    assert fill(STORAGE, {"type": "directory", "container_path": "/x"}) == {
        "container_path": "/x",
        **numbers,
        "type": "directory",
    }
    assert set(fill(STORAGE, {"type": "azure"})) == {
        *numbers,
        "type",
        "account_url",
        "connection_string",
        "container",
        "credential",
    }
    assert fill(searchers(), {"name": "async_halving"}) == {
        "divisor": 4,
        "max_concurrent_trials": 16,
        "max_time": None,
        "max_trials": None,
        "metric": None,
        "name": "async_halving",
        "num_rungs": None,
        "smaller_is_better": True,
        "source_checkpoint_uuid": None,
        "source_trial_id": None,
        "time_metric": None,
    }
    assert fill(searchers(), {"name": "custom", "unit": "batches"})["unit"] == "batches"
