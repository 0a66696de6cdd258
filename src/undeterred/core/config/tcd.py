"""Task container defaults: what a server or a pool gives every task unless its configuration says otherwise.

They are checked once when settings are read, pool over server, and then serve as one layer below the configuration of a task.
"""

from collections.abc import Mapping
from typing import Any

from undeterred.core.config import schema
from undeterred.core.config.checks import read
from undeterred.core.config.defaults import fill
from undeterred.core.config.kinds import Field, Flag, Items, Pod, Record, Size, Text, Tree, Whole
from undeterred.core.config.merge import merge
from undeterred.core.config.parse import plain
from undeterred.core.config.problems import DEFAULTS, Problems

PREEMPTION_TIMEOUT = 3600
"""Seconds between the signal to stop and the kill, when nobody says otherwise."""

SHM_SIZE = 4 * 1024**3
"""Bytes of /dev/shm in a container, when nobody says otherwise."""

_TEXT = Text()
_NAMED_VARIABLES = "environment_variables"

SCHEMA = Record(
    {
        "add_capabilities": Field(Items(_TEXT), hide_null=True),
        "bind_mounts": Field(schema.BIND_MOUNTS, []),
        "checkpoint_gc_pod_spec": Field(Pod()),
        "cpu_pod_spec": Field(Pod()),
        "devices": Field(schema.DEVICES, []),
        "drop_capabilities": Field(Items(_TEXT), hide_null=True),
        "dtrain_network_interface": Field(_TEXT, ""),
        _NAMED_VARIABLES: Field(schema.VARIABLES, {}),
        "force_pull_image": Field(Flag(), False),
        "gloo_port_range": Field(_TEXT, ""),
        "gpu_pod_spec": Field(Pod()),
        "image": Field(schema.IMAGES),
        "log_policies": Field(schema.LOG_POLICIES, []),
        "nccl_port_range": Field(_TEXT, ""),
        "network_mode": Field(_TEXT, "bridge"),
        "pbs": Field(schema.PBS, {}),
        "preemption_timeout": Field(Whole(0), PREEMPTION_TIMEOUT),
        "registry_auth": Field(schema.REGISTRY_AUTH),
        "shm_size_bytes": Field(Size(), SHM_SIZE),
        "slurm": Field(schema.SLURM, {}),
        "startup_hook": Field(_TEXT, ""),
        "work_dir": Field(_TEXT),
    }
)


def read_defaults(tree: Mapping[str, Any] | None) -> Tree:
    """The canonical form of `task_container_defaults` of a settings file; raises Invalid with all mistakes."""
    problems = Problems("invalid task container defaults")
    defaults = read(SCHEMA, plain(tree or {}), DEFAULTS, problems)
    problems.raise_if_any()
    return dict(defaults)


def combine(server: Mapping[str, Any] | None, pool: Mapping[str, Any] | None) -> Tree:
    """Complete defaults of a pool: its own over the server's, environment variables by their name. Raises Invalid."""
    low, high = read_defaults(server), read_defaults(pool)
    merged = merge(SCHEMA, high, low)
    if _NAMED_VARIABLES in high and _NAMED_VARIABLES in low:
        merged[_NAMED_VARIABLES] = _by_name(high[_NAMED_VARIABLES], low[_NAMED_VARIABLES])
    return dict(fill(SCHEMA, merged))


def experiment_layer(defaults: Mapping[str, Any] | None, slots: int) -> Tree:
    """The part of an experiment's configuration that defaults give, not yet checked; `slots` chooses the pod specification."""
    given = defaults or {}
    layer = {
        "bind_mounts": given.get("bind_mounts"),
        "environment": _environment(given, slots),
        "log_policies": given.get("log_policies"),
        "preemption_timeout": given.get("preemption_timeout", PREEMPTION_TIMEOUT),
        "resources": {"devices": given.get("devices")},
        "slurm": given.get("slurm"),
        "pbs": given.get("pbs"),
    }
    return {key: value for key, value in layer.items() if value is not None}


def task_layer(defaults: Mapping[str, Any] | None, slots: int) -> Tree:
    """As `experiment_layer`, for notebooks, shells, commands, TensorBoards and generic tasks."""
    given = defaults or {}
    keys = ("bind_mounts", "slurm", "pbs", "work_dir")
    layer = {key: given[key] for key in keys if given.get(key) not in (None, [], {})}
    return {**layer, "environment": _environment(given, slots), "resources": {"devices": given.get("devices") or None}}


def _environment(given: Mapping[str, Any], slots: int) -> Tree:
    keys = ("add_capabilities", "drop_capabilities", _NAMED_VARIABLES, "force_pull_image", "image", "registry_auth")
    environment = {key: given.get(key) for key in keys}
    return {**environment, "pod_spec": given.get("cpu_pod_spec" if slots == 0 else "gpu_pod_spec")}


def _by_name(high: Mapping[str, list[str]], low: Mapping[str, list[str]]) -> Tree:
    """Variables per device type: lower ones whose name the higher list does not set, then the higher ones."""
    merged: Tree = {}
    for device in sorted({*high, *low}):
        taken = {entry.partition("=")[0] for entry in high.get(device, [])}
        rest = [entry for entry in low.get(device, []) if entry.partition("=")[0] not in taken]
        merged[device] = [*rest, *high.get(device, [])]
    return merged
