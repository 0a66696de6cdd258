"""Pod specifications join as Kubernetes' strategic merge patch joins them."""

from undeterred.core.config.podspec import merge_pod


def test_objects_and_scalars():
    """Objects join key by key, the higher scalar and the higher plain list win."""
    high = {"metadata": {"labels": {"a": "1"}}, "spec": {"tolerations": [{"key": "h"}], "priority": 2}}
    low = {"metadata": {"labels": {"a": "0", "b": "2"}}, "spec": {"tolerations": [{"key": "l"}], "hostNetwork": True}}
    assert merge_pod(high, low) == {
        "metadata": {"labels": {"a": "1", "b": "2"}},
        "spec": {"tolerations": [{"key": "h"}], "priority": 2, "hostNetwork": True},
    }


def test_lists_with_keys():
    """Containers, volumes and mounts of the same key join; new ones follow; entries without a key stay apart."""
    high = {"containers": [{"name": "new"}, {"name": "a", "volumeMounts": [{"mountPath": "/m", "readOnly": True}]}, {"x": 1}]}
    low = {"containers": [{"name": "a", "image": "i", "volumeMounts": [{"mountPath": "/m", "name": "v"}]}, {"y": 2}, "odd"]}
    assert merge_pod(high, low) == {
        "containers": [
            {"name": "a", "image": "i", "volumeMounts": [{"mountPath": "/m", "name": "v", "readOnly": True}]},
            {"y": 2},
            "odd",
            {"name": "new"},
            {"x": 1},
        ]
    }


def test_null_is_absence():
    """A null from above does not erase what is below."""
    assert merge_pod({"spec": None}, {"spec": {"a": 1}}) == {"spec": {"a": 1}}
    assert merge_pod({"spec": {"a": 1}}, {"spec": None}) == {"spec": {"a": 1}}
