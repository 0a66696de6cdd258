"""Joins Kubernetes pod specifications by strategic merge patch: objects key by key, some lists by the key of their entries."""

from typing import Any

_LIST_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "volumes": "name",
    "env": "name",
    "imagePullSecrets": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "ports": "containerPort",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
}


def merge_pod(high: Any, low: Any, name: str = "") -> Any:
    """`high` over `low`; `name` is the key under which both stand."""
    if isinstance(high, dict) and isinstance(low, dict):
        both = {key: merge_pod(high[key], low[key], key) for key in high if key in low}
        return {**low, **high, **both}
    key = _LIST_KEYS.get(name)
    if key is not None and isinstance(high, list) and isinstance(low, list):
        return _merge_entries(high, low, key)
    return low if high is None else high


def _merge_entries(high: list[Any], low: list[Any], key: str) -> list[Any]:
    """Lower entries in their places, joined with the higher ones of the same key, then the other higher ones."""
    rest = list(high)
    merged = []
    for entry in low:
        same = next((other for other in rest if _key(other, key) is not None and _key(other, key) == _key(entry, key)), None)
        if same is not None:
            rest.remove(same)
        merged.append(entry if same is None else merge_pod(same, entry))
    return [*merged, *rest]


def _key(entry: Any, key: str) -> Any:
    return entry.get(key) if isinstance(entry, dict) else None
