"""From the rows of an allocation to what a launcher is told."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.engine.helpers import config
from undeterred.base import json
from undeterred.base.errors import Invalid
from undeterred.base.settings import AgentUserGroup, Security, Settings
from undeterred.core.config.schema import DEFAULT_IMAGES
from undeterred.core.pools import pools_of
from undeterred.engine import specs
from undeterred.launch.spec import TRIAL_PORTS, UnixUser


def material(**more: Any) -> specs.Material:
    """A trial's material; keywords replace parts of it."""
    nobody = {"agent_uid": None, "agent_gid": None, "agent_user": None, "agent_group": None}
    allocation = SimpleNamespace(id="1.a.2", task_id="1.a", resource_pool="default", agent_id="m", nodes='[["m",[0,1]]]')
    run = SimpleNamespace(
        experiment_id=1, id=7, run_number=2, seed=5, hparams=json.dumps({"lr": 0.1}), warm_start_checkpoint=None
    )
    parts: dict[str, Any] = {
        "allocation": allocation,
        "task": SimpleNamespace(task_type="TRIAL", launch=None, context_digest=None),
        "run": run,
        "config": config(checkpoint_storage={"type": "shared_fs", "host_path": "/s"}),
        "owner": SimpleNamespace(username="ann", **nobody),
        "workspace": SimpleNamespace(**nobody),
        "latest_checkpoint": "uuid",
        "steps_completed": 12,
    }
    return specs.Material(**(parts | more))


def build(found: specs.Material, settings: Settings | None = None, kind: str = "cpu") -> Any:
    """The specification in a cluster of one pool."""
    own = settings or Settings()
    defaults = specs.defaults_by_pool(own, pools_of(own.resource_manager, own.resource_pools))
    return specs.build(found, b"tar", specs.Ground("cluster", "http://m", own, defaults), "secret", kind)


def test_a_trial_is_told_where_it_goes_on() -> None:
    """Numbers, seed, hyperparameters, checkpoint and steps; its slots; the token only where it belongs."""
    spec = build(material())
    trial = spec.trial
    assert (trial.trial_id, trial.trial_run_id, trial.seed, trial.hparams) == (7, 2, 5, {"lr": 0.1})
    assert (trial.latest_checkpoint, trial.steps_completed) == ("uuid", 12)
    assert (spec.nodes[0].slots, spec.nodes[0].slot_ids, spec.shared_fs) == (2, (0, 1), "/s")
    assert (spec.port_names, spec.user, spec.context, spec.session_token) == (TRIAL_PORTS, "ann", b"tar", "secret")
    assert "secret" not in specs.summary(spec)


def test_a_task_brings_its_own_command_variables_and_ports() -> None:
    """As it was made with."""
    launch = {"argv": ["sleep", "1"], "env": {"A": "b"}, "port_names": ["P"], "files": {"x": "text"}}
    task = SimpleNamespace(task_type="COMMAND", launch=json.dumps(launch), context_digest=None)
    spec = build(material(task=task, run=None, config={"work_dir": "/w"}))
    assert (spec.argv, spec.env, spec.port_names, spec.files) == (("sleep", "1"), {"A": "b"}, ("P",), {"x": b"text"})
    assert (spec.trial, spec.options.work_dir) == (None, "/w")


@pytest.mark.parametrize(("kind", "value"), [("cpu", "c"), ("cuda", "g")])
def test_variables_are_those_of_the_kind_of_device(kind: str, value: str) -> None:
    """The later of two entries wins; a value may hold "=" and a name may have none."""
    variables = {"cpu": ["X=first", "X=c", "Y=a=b", "Z"], "cuda": ["X=g"]}
    spec = build(material(config=config(environment={"environment_variables": variables})), kind=kind)
    assert spec.user_env["X"] == value
    if kind == "cpu":
        assert (spec.user_env["Y"], spec.user_env["Z"]) == ("a=b", "")


def test_only_configured_options_of_a_container_are_passed_on() -> None:
    """A default image is none; one that somebody chose is."""
    images = dict(DEFAULT_IMAGES)
    assert build(material(config=config(environment={"image": images}))).options.image is None
    chosen = build(material(config=config(environment={"image": images | {"cpu": "mine"}}))).options
    assert chosen.image == "mine"


def test_defaults_of_the_pool_go_over_those_of_the_cluster() -> None:
    """The startup hook and the network interface reach the task."""
    settings = Settings(
        task_container_defaults={"startup_hook": "echo cluster", "dtrain_network_interface": "eth0"},
        resource_pools=[{"pool_name": "default", "task_container_defaults": {"startup_hook": "echo pool"}}],
    )
    spec = build(material(), settings)
    assert (spec.startup_hook, spec.trial.network_interface) == ("echo pool", "eth0")
    with pytest.raises(Invalid):
        build(material(), Settings(task_container_defaults={"nope": 1}))


def test_the_unix_user_is_the_closest_one_named() -> None:
    """Workspace over owner over server, field by field; nobody named means the server's own user."""
    assert build(material()).unix_user is None
    owner = SimpleNamespace(username="ann", agent_uid=5, agent_gid=5, agent_user="u", agent_group="g")
    workspace = SimpleNamespace(agent_uid=None, agent_gid=9, agent_user=None, agent_group="w")
    assert build(material(owner=owner, workspace=workspace)).unix_user == UnixUser(5, 9, "u", "w")
    security = Security(default_task=AgentUserGroup(uid=7, gid=7, user="d", group="d"))
    assert build(material(), Settings(security=security)).unix_user == UnixUser(7, 7, "d", "d")
