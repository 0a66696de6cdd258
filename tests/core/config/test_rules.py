"""Rules about single values and about keys that stand together."""

import pytest

from undeterred.core.config import rules


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("4096", 4096),
        ("4096b", 4096),
        ("4g", 4 * 2**30),
        ("4 GiB", 4 * 2**30),
        ("1.5m", 3 * 2**19),
        ("2Kb", 2048),
        ("1t", 2**40),
        ("1p", 2**50),
        (" 1g ", 2**30),
        ("g", None),
        ("-1g", None),
        ("1gg", None),
        ("1e3", None),
        ("1  g", None),
        ("", None),
        ("9" * 20, None),
    ],
)
def test_sizes(text, size):
    """Sizes are counted in powers of 1024."""
    assert rules.size_in_bytes(text) == size


@pytest.mark.parametrize(
    ("rule", "right", "wrong"),
    [
        (rules.absolute, ["/", "/a"], ["a", "./a", ""]),
        (rules.not_work_dir, ["a", "/a", ".a"], [".", "", " ", "./"]),
        (rules.no_parent, ["a", "a/b..c", "..a"], ["..", "a/..", "../a", "a/../b"]),
        (rules.not_empty, ["x"], [""]),
        (rules.pattern, [".*a", "[a-z]+$"], ["(", "[", "a{99999999999}"]),
    ],
)
def test_rules_of_values(rule, right, wrong):
    """A rule is silent about right values and says something about wrong ones."""
    assert [rule(value) for value in right] == [None] * len(right)
    assert all(rule(value) for value in wrong)


@pytest.mark.parametrize(
    ("inner", "outer", "right"),
    [
        ("x", "/a", True),
        ("/a/x", "/a", True),
        ("/a", "/a", True),
        ("/a/", "/a", True),
        ("/ab", "/a", False),
        ("/b", "/a", False),
        ("/x", "/", True),
        (None, "/a", True),
        ("/b", None, True),
    ],
)
def test_storage_path(inner, outer, right):
    """An absolute storage path lies inside the host path, as far as both are known."""
    tree = {key: value for key, value in {"storage_path": inner, "host_path": outer}.items() if value is not None}
    assert (not list(rules.inside_host_path(tree))) is right


@pytest.mark.parametrize(
    ("storage", "paths"),
    [
        ({"connection_string": "s"}, []),
        ({"account_url": "u"}, []),
        ({"account_url": "u", "credential": "c"}, []),
        ({}, []),
        ({"credential": "c"}, [".credential"]),
        ({"connection_string": "s", "account_url": "u", "credential": "c"}, [".account_url", ".credential"]),
    ],
)
def test_azure_login(storage, paths):
    """Azure takes a connection string or an account, a credential only with an account."""
    assert [path for path, _ in rules.azure_login(storage)] == paths


def test_azure_is_complete_with_one_login():
    """A storage of another type needs no login of Azure's."""
    assert list(rules.azure_complete({"type": "azure"}))
    assert not list(rules.azure_complete({"type": "azure", "account_url": "u"}))
    assert not list(rules.azure_complete({"type": "s3"}))


def test_one_unit():
    """A length has one unit."""
    assert not list(rules.one_unit({"epochs": 1}))
    assert list(rules.one_unit({}))
    assert list(rules.one_unit({"epochs": 1, "batches": 1}))


def test_profiled_range():
    """Profiling may end where it begins, not before; the beginning is 0 when it is not given."""
    assert not list(rules.profiled_range({"begin_on_batch": 2, "end_after_batch": 2}))
    assert not list(rules.profiled_range({"end_after_batch": 0}))
    assert list(rules.profiled_range({"begin_on_batch": 2, "end_after_batch": 1}))


@pytest.mark.parametrize(
    ("policy", "right"),
    [
        ({"name": "a"}, True),
        ({"name": "a", "pattern": "x"}, True),
        ({"pattern": "x", "action": "exclude_node"}, True),
        ({"pattern": "x"}, False),
        ({"action": "exclude_node"}, False),
        ({}, False),
    ],
)
def test_log_policy(policy, right):
    """A policy without a name does something to what it matches."""
    assert (not list(rules.log_policy(policy))) is right


def test_pods():
    """Name and namespace of the pod and most keys of the task's container are the server's; other containers are free."""
    assert list(rules.pod({"metadata": {"name": "x", "namespace": "y", "labels": {}}})) == [
        (".metadata.name", "is chosen by the server and cannot be set"),
        (".metadata.namespace", "is chosen by the server and cannot be set"),
    ]
    task = {"name": "determined-container", "image": "i", "resources": {}, "volumeMounts": [], "env": []}
    sidecar = {"name": "side", "image": "i"}
    found = [path for path, _ in rules.pod({"spec": {"containers": [sidecar, task, 5]}})]
    assert found == [".spec.containers[1].image", ".spec.containers[1].env", ".spec.containers[2]"]
    assert [path for path, _ in rules.pod({"metadata": 5, "spec": 5})] == [".metadata", ".spec"]
    assert not list(rules.pod({"spec": {"containers": "x"}, "kind": "Pod"}))
