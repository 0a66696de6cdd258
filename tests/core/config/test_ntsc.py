"""Configurations of notebooks, shells, commands, TensorBoards and generic tasks."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core.config.trees import JSON, canonical, trees
from undeterred.base.errors import Invalid
from undeterred.core import durations
from undeterred.core.config.ntsc import (
    TASK,
    TaskKind,
    default_description,
    go_duration,
    resolve_ntsc,
    shown_entrypoint,
    wanted,
)

COMMAND = {"entrypoint": ["sleep", "1"], "resources": {"slots": 0}}


def resolved(kind: TaskKind, submitted: Any, template: Any = None, defaults: Any = None, **more: Any) -> Any:
    """The configuration that a request and further sources give."""
    arguments = {"pool": "default", "priority": 42, "description": "Thing (a-b-c)", **more}
    return resolve_ntsc(kind, submitted, template, defaults, **arguments)


def mistakes(kind: TaskKind, submitted: Any, **more: Any) -> list[str]:
    """The lines that a refusal tells, without its heading."""
    with pytest.raises(Invalid) as error:
        resolved(kind, submitted, **more)
    return str(error.value).split("\n")[1:]


@pytest.mark.parametrize(
    ("text", "shown", "microseconds"),
    [
        ("5m", "5m0s", 300_000_000),
        ("90m", "1h30m0s", 5_400_000_000),
        ("1h", "1h0m0s", 3_600_000_000),
        ("1.5s", "1.5s", 1_500_000),
        ("250ms", "250ms", 250_000),
        ("0", "0s", 0),
        ("-5m", "-5m0s", -300_000_000),
        ("7us", "7µs", 7),
        ("61s", "1m1s", 61_000_000),
    ],
)
def test_durations(text, shown, microseconds):
    """Durations show as Go prints them."""
    assert go_duration(durations.parse(text)) == shown
    assert durations.parse(shown) == microseconds


@given(st.integers(0, 10**15))
def test_a_shown_duration_reads_back(microseconds):
    """What is shown means the same."""
    assert durations.parse(go_duration(microseconds)) == microseconds


def test_typed_access():
    """The resolved task offers what the rest of the program needs."""
    task = resolved(TaskKind.COMMAND, {**COMMAND, "idle_timeout": "20m", "work_dir": "/w", "entrypoint": "a b"}, pool="aux")
    assert (task.description, task.entrypoint, task.slots, task.pool) == ("Thing (a-b-c)", ["a b"], 0, "aux")
    assert (task.priority, task.weight, task.idle_timeout, task.idle_type) == (42, 1.0, 1_200_000_000, "kernels_or_terminals")
    assert (task.work_dir, task.config["idle_timeout"]) == ("/w", "20m0s")
    bare = resolved(TaskKind.NOTEBOOK, {}, priority=None)
    assert (bare.entrypoint, bare.slots, bare.priority, bare.idle_timeout, bare.work_dir) == ([], 1, None, None, None)


def test_order_of_sources():
    """The request wins over what is inherited, that over the template, that over the defaults."""
    request = {"environment": {"environment_variables": ["A=1"]}, "description": "mine"}
    inherited = {"environment": {"image": "from experiment", "environment_variables": ["B=1"]}}
    template = {
        "environment": {"image": "t", "force_pull_image": True, "environment_variables": ["C=1"]},
        "work_dir": "/t",
        "description": "t",
    }
    defaults = {"image": "d", "work_dir": "/d", "devices": ["/a:/b"], "registry_auth": {"username": "u"}}
    config = resolved(TaskKind.SHELL, request, template, defaults, inherited=inherited).config
    environment = config["environment"]
    assert environment["environment_variables"]["cpu"] == ["C=1", "B=1", "A=1"]
    assert (environment["image"]["cpu"], environment["force_pull_image"]) == ("from experiment", True)
    assert (config["work_dir"], config["description"]) == ("/t", "mine")
    assert environment["registry_auth"] == {"username": "u"}
    assert config["resources"]["devices"] == [{"container_path": "/b", "host_path": "/a", "mode": "mrw"}]


def test_templates_may_be_those_of_experiments():
    """Keys that tasks do not know are overlooked in a template; slots and pool come from the request alone."""
    template = {
        "hyperparameters": {"lr": 1},
        "searcher": {"name": "grid"},
        "resources": {"slots": 5, "slots_per_trial": 2, "resource_pool": "big", "weight": 3},
        "environment": {"nope": 1},
    }
    config = resolved(TaskKind.SHELL, {}, template, pool="default").config
    assert config["resources"]["slots"] == 1
    assert (config["resources"]["resource_pool"], config["resources"]["weight"]) == ("default", 3)
    assert mistakes(TaskKind.SHELL, {}, template={"resources": {"weight": "x"}, "debug": 1}) == [
        "<template>.debug: must be true or false, not the number 1",
        '<template>.resources.weight: must be a number, not the text "x"',
    ]


def test_tensorboards_take_no_slots_and_no_description():
    """A TensorBoard has no slots and its default description whatever is asked for, and the given idle time unless one is."""
    request = {"description": "mine", "resources": {"slots": 3}}
    assert wanted(TaskKind.TENSORBOARD, request).slots == 0
    config = resolved(TaskKind.TENSORBOARD, {**request, "tensorboard_args": ["--x"]}, idle_timeout=300_000_000).config
    assert (config["resources"]["slots"], config["description"], config["idle_timeout"]) == (0, "Thing (a-b-c)", "5m0s")
    assert config["tensorboard_args"] == ["--x"]
    assert resolved(TaskKind.TENSORBOARD, {"idle_timeout": "1h"}, idle_timeout=300_000_000).idle_timeout == 3_600_000_000


def test_an_early_look():
    """Pool and slots are known before the rest is judged."""
    found = wanted(TaskKind.NOTEBOOK, {"resources": {"resource_pool": "gpu", "slots": "x"}, "nope": 1})
    assert (found.pool, found.slots) == ("gpu", 1)


@pytest.mark.parametrize(
    ("kind", "submitted", "more", "paths"),
    [
        (TaskKind.SHELL, {"nope": 1, "resources": {"slots": -1}}, {}, [".nope", ".resources.slots"]),
        (TaskKind.SHELL, {"resources": {"is_single_node": False}}, {}, [".resources.is_single_node"]),
        (TaskKind.SHELL, {"environment": {"ports": {"x": float("inf")}}}, {}, [""]),
        (TaskKind.NOTEBOOK, {"notebook_idle_type": "never", "idle_timeout": "5"}, {}, [".idle_timeout", ".notebook_idle_type"]),
        (TaskKind.NOTEBOOK, {"idle_timeout": "-5m"}, {}, [".idle_timeout"]),
        (TaskKind.NOTEBOOK, {"idle_timeout": 300}, {}, [".idle_timeout"]),
        (TaskKind.COMMAND, {"work_dir": "/w", "entrypoint": ["x"]}, {"has_files": True}, [".work_dir"]),
        (TaskKind.COMMAND, {}, {}, [".entrypoint"]),
        (TaskKind.GENERIC, {"entrypoint": []}, {}, [".entrypoint"]),
        (TaskKind.COMMAND, {"entrypoint": 5}, {}, [".entrypoint"]),
        (TaskKind.COMMAND, {"entrypoint": ["x"], "hyperparameters": {}}, {}, [".hyperparameters"]),
        (
            TaskKind.SHELL,
            {"environment": {"proxy_ports": [{"proxy_port": 0}, {}]}},
            {},
            [".environment.proxy_ports[0].proxy_port", ".environment.proxy_ports[1].proxy_port"],
        ),
    ],
)
def test_mistakes(kind, submitted, more, paths):
    """All mistakes are told at once, each with its path."""
    assert [line.split(": ")[0] for line in mistakes(kind, submitted, **more)] == [f"<config>{path}" for path in paths]


def test_nulls_and_hidden_keys():
    """What is not set reads null, and what clients do not expect when unset stays away."""
    config = resolved(
        TaskKind.COMMAND, {**COMMAND, "resources": {"slots": 0, "shm_size": "1g"}, "pbs": {"slots_per_node": 1}}
    ).config
    assert config["resources"] == {
        "devices": None,
        "is_single_node": None,
        "priority": 42,
        "resource_pool": "default",
        "shm_size": 2**30,
        "slots": 0,
        "weight": 1,
    }
    assert (config["pbs"], config["slurm"], config["bind_mounts"]) == ({"slots_per_node": 1}, {}, None)
    assert "registry_auth" not in config["environment"]


def test_default_descriptions():
    """The kind of task stands before the words."""
    assert [default_description(kind, "a-b-c") for kind in TaskKind] == [
        "JupyterLab (a-b-c)",
        "TensorBoard (a-b-c)",
        "Shell (a-b-c)",
        "Command (a-b-c)",
        "Task (a-b-c)",
    ]


def test_shown_entrypoints():
    """Clients see the command line of the original's containers; a generic task shows its own."""
    assert shown_entrypoint(TaskKind.COMMAND, ["a"]) == ["/run/determined/command-entrypoint.sh", "a"]
    assert shown_entrypoint(TaskKind.NOTEBOOK, []) == ["/run/determined/jupyter/notebook-entrypoint.sh"]
    assert shown_entrypoint(TaskKind.SHELL, [], port=3201)[3:5] == ["-p", "3201"]
    assert shown_entrypoint(TaskKind.TENSORBOARD, [], paths=("/a", "/b"))[2] == "/a,/b"
    assert shown_entrypoint(TaskKind.GENERIC, ["a", "b"]) == ["a", "b"]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(trees(TASK))
def test_a_resolved_task_resolves_to_itself(tree):
    """Asking for what was resolved gives it again."""
    submitted = {**canonical(TASK, tree), "entrypoint": ["x"]}
    once = resolved(TaskKind.COMMAND, submitted).config
    assert resolved(TaskKind.COMMAND, once).config == once


@settings(deadline=None)
@given(*[st.dictionaries(st.sampled_from(sorted(TASK.fields)), JSON, max_size=3)] * 3, st.sampled_from(TaskKind))
def test_arbitrary_trees_are_resolved_or_refused(submitted, template, defaults, kind):
    """Any JSON data in any source gives a result or Invalid, never anything else."""
    wanted(kind, submitted)
    try:
        resolved(kind, submitted, template, defaults, inherited=template)
    except Invalid:
        pass
