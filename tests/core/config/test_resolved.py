"""Typed access to a complete configuration."""

from undeterred.core.config.resolve import Sources, resolve
from undeterred.core.config.resolved import GcPolicy, Resolved

FULL = {
    "name": "n",
    "description": "d",
    "labels": ["b", "a", "b"],
    "project": "p",
    "workspace": "w",
    "entrypoint": ["python", "x.py"],
    "hyperparameters": {"lr": 1},
    "searcher": {"name": "random", "metric": "acc", "smaller_is_better": False, "max_trials": 2, "source_trial_id": 5},
    "checkpoint_storage": {"type": "directory", "container_path": "/c", "save_experiment_best": 3, "save_trial_best": 0},
    "max_restarts": 2,
    "resources": {
        "slots_per_trial": 4,
        "max_slots": 8,
        "resource_pool": "gpu",
        "priority": 7,
        "weight": 2.5,
        "is_single_node": True,
        "shm_size": 9,
    },
    "preemption_timeout": 60,
    "log_policies": [{"name": "CUDA OOM", "pattern": "x", "action": {"type": "cancel_retries"}}],
    "retention_policy": {"log_retention_days": -1},
    "integrations": {"webhooks": {"webhook_id": [1], "exclude": True}},
    "reproducibility": {"experiment_seed": 11},
}


def of(submitted: dict) -> Resolved:
    """The resolved form of a submitted configuration."""
    return resolve(Sources(submitted=submitted, seed=1, default_name="Experiment (a-b-c)"))


def test_what_was_configured():
    """Each accessor gives what the configuration says."""
    found = of(FULL)
    assert (found.name, found.description, found.labels) == ("n", "d", ["a", "b"])
    assert (found.project, found.workspace, found.entrypoint) == ("p", "w", ["python", "x.py"])
    assert found.hyperparameters == {"lr": {"type": "const", "val": 1}}
    assert (found.searcher_name, found.metric, found.smaller_is_better) == ("random", "acc", False)
    assert (found.source_trial_id, found.source_checkpoint_uuid, found.searcher["max_trials"]) == (5, None, 2)
    assert (found.seed, found.max_restarts, found.preemption_timeout) == (11, 2, 60)
    assert (found.slots_per_trial, found.max_slots, found.pool, found.priority) == (4, 8, "gpu", 7)
    assert (found.weight, found.single_node, found.shm_size) == (2.5, True, 9)
    assert found.storage["container_path"] == "/c"
    assert found.gc == GcPolicy(3, 0, 1)
    assert found.log_policies[-1] == {"action": "cancel_retries", "name": "CUDA OOM", "pattern": "x"}
    assert found.retention_days == -1
    assert found.webhooks == {"exclude": True, "webhook_id": [1]}


def test_what_was_left_out():
    """Each accessor has an answer for what is not configured."""
    keys = ("entrypoint", "searcher", "checkpoint_storage")
    found = of({**{key: FULL[key] for key in keys}, "searcher": {"name": "single", "metric": "m"}})
    assert (found.name, found.description, found.labels, found.project, found.workspace) == ("Experiment (a-b-c)", "", [], "", "")
    assert (found.max_slots, found.pool, found.priority, found.single_node, found.shm_size) == (None, "", None, False, None)
    assert (found.preemption_timeout, found.retention_days, found.webhooks, found.seed) == (3600, None, {}, 1)
    assert Resolved({**found.config, "labels": None}).labels == []
