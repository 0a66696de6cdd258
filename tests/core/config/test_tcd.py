"""Task container defaults of server and pool, and what they give to tasks."""

import pytest

from undeterred.base.errors import Invalid
from undeterred.core.config.schema import DEFAULT_IMAGES
from undeterred.core.config.tcd import combine, experiment_layer, read_defaults, task_layer


def test_complete_defaults():
    """Without any setting the known defaults stand, and nothing else reaches a task."""
    defaults = combine(None, None)
    assert (defaults["shm_size_bytes"], defaults["network_mode"], defaults["preemption_timeout"]) == (4 * 2**30, "bridge", 3600)
    assert defaults["environment_variables"] == {"cpu": [], "cuda": [], "rocm": []}
    assert defaults["image"] is None
    assert "log_policies" not in [key for key, value in experiment_layer({}, 1).items() if value]
    assert experiment_layer(None, 1)["preemption_timeout"] == 3600


def test_pool_over_server():
    """The pool's values win; variables go by their name instead of accumulating; images join by device type."""
    server = {
        "image": "all",
        "environment_variables": ["A=1", "B=1"],
        "bind_mounts": [{"host_path": "/s", "container_path": "x"}],
        "force_pull_image": True,
        "shm_size_bytes": "1g",
    }
    pool = {
        "image": {"cuda": "gpu"},
        "environment_variables": {"cpu": ["A=2"]},
        "bind_mounts": [{"host_path": "/p", "container_path": "x"}],
    }
    defaults = combine(server, pool)
    assert defaults["image"] == {"cpu": "all", "cuda": "gpu", "rocm": "all"}
    assert defaults["environment_variables"] == {"cpu": ["B=1", "A=2"], "cuda": ["A=1", "B=1"], "rocm": ["A=1", "B=1"]}
    assert defaults["bind_mounts"] == [{"container_path": "x", "host_path": "/p", "propagation": "rprivate", "read_only": False}]
    assert (defaults["force_pull_image"], defaults["shm_size_bytes"]) == (True, 2**30)
    assert combine(server, None)["image"] == {"cpu": "all", "cuda": "all", "rocm": "all"}
    assert combine(server, {"image": {"rocm": "r"}})["image"]["rocm"] != DEFAULT_IMAGES["rocm"]


def test_mistakes():
    """Unknown keys and wrong types are told with their path."""
    with pytest.raises(Invalid) as error:
        read_defaults({"nope": 1, "image": 5, "devices": ["x"]})
    lines = str(error.value).split("\n")
    assert lines[0] == "invalid task container defaults:"
    assert [line.split(":")[0] for line in lines[1:]] == [
        "<task container defaults>.devices[0]",
        "<task container defaults>.image",
        "<task container defaults>.nope",
    ]


def test_layer_of_a_task():
    """A notebook or command takes over what it has keys for, and empty lists say nothing."""
    defaults = combine({"work_dir": "/w", "image": "i", "add_capabilities": ["X"], "gpu_pod_spec": {"kind": "Pod"}}, None)
    layer = task_layer(defaults, 1)
    assert layer["work_dir"] == "/w"
    assert layer["environment"]["add_capabilities"] == ["X"]
    assert layer["environment"]["pod_spec"] == {"kind": "Pod"}
    assert layer["resources"] == {"devices": None}
    assert "bind_mounts" not in layer
    assert task_layer(defaults, 0)["environment"]["pod_spec"] is None
