"""Nine sources become one configuration: the order counts, mistakes come all at once, nothing else can happen."""

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core.config.trees import JSON, canonical, trees
from undeterred.base.errors import Invalid
from undeterred.core.config.resolve import (
    Sources,
    early,
    for_display,
    override,
    parse_config,
    resolve,
    search_section,
    validate_complete,
)
from undeterred.core.config.schema import CURRENT_SEARCHERS, experiment

GOOD: dict[str, Any] = {
    "name": "x",
    "entrypoint": "python x.py",
    "searcher": {"name": "single", "metric": "loss"},
    "checkpoint_storage": {"type": "shared_fs", "host_path": "/ckpts"},
}
EXPERIMENT = experiment()
SLOW = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


def resolved(submitted: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The configuration that `submitted` and further sources give."""
    return resolve(Sources(submitted=submitted, seed=7, default_name="Experiment (a-b-c)", **more)).config


def mistakes(submitted: dict[str, Any], **more: Any) -> list[str]:
    """The lines that a refusal tells, without its heading."""
    with pytest.raises(Invalid) as error:
        resolved(submitted, **more)
    return str(error.value).split("\n")[1:]


def test_the_order_of_sources():
    """Each source wins over all below it, where both say something."""
    told = {
        "global_invariant": {"description": "1", "max_restarts": 1},
        "workspace_invariant": {"description": "2", "max_restarts": 2, "debug": True},
        "template": {"name": "4", "labels": ["4"], "scheduling_unit": 4, "preemption_timeout": 4},
        "task_container_defaults": {"preemption_timeout": 5, "bind_mounts": [{"host_path": "/5", "container_path": "five"}]},
        "workspace_storage": {"type": "s3", "bucket": "6", "save_trial_best": 6},
        "master_storage": {"type": "s3", "bucket": "7", "prefix": "seven", "save_trial_latest": 7},
        "pool_priority": 8,
    }
    config = resolved({**GOOD, "description": "3", "scheduling_unit": 3, "labels": ["3"], "checkpoint_storage": None}, **told)
    assert (config["description"], config["max_restarts"], config["debug"]) == ("1", 1, True)
    assert (config["name"], config["scheduling_unit"], config["labels"]) == ("x", 3, ["3", "4"])
    assert (config["preemption_timeout"], config["bind_mounts"][0]["container_path"]) == (4, "five")
    storage = config["checkpoint_storage"]
    assert (storage["bucket"], storage["prefix"], storage["save_trial_best"], storage["save_trial_latest"]) == (
        "6",
        "seven",
        6,
        7,
    )
    assert (config["resources"]["priority"], config["records_per_epoch"]) == (8, 0)


def test_task_container_defaults_reach_the_configuration():
    """Image, variables, registry, capabilities, devices, log policies and Slurm arguments come from the pool's defaults."""
    defaults = {
        "image": {"cpu": "c"},
        "environment_variables": ["A=1"],
        "registry_auth": {"username": "u", "password": "p"},
        "add_capabilities": ["X"],
        "devices": ["/dev/a:/dev/b"],
        "log_policies": [{"name": "CUDA OOM", "pattern": None}, {"name": "mine", "pattern": "x", "action": "exclude_node"}],
        "slurm": {"sbatch_args": ["--low"]},
        "cpu_pod_spec": {"metadata": {"labels": {"kind": "cpu"}}},
        "gpu_pod_spec": {"metadata": {"labels": {"kind": "gpu"}}},
    }
    own = {"environment": {"environment_variables": ["A=2"]}, "slurm": {"sbatch_args": ["--high"]}}
    config = resolved({**GOOD, **own}, task_container_defaults=defaults)
    environment = config["environment"]
    assert environment["image"]["cpu"] == "c"
    assert environment["environment_variables"]["rocm"] == ["A=1", "A=2"]
    assert environment["registry_auth"] == {"username": "u", "password": "p"}
    assert environment["add_capabilities"] == ["X"]
    assert environment["pod_spec"]["metadata"]["labels"] == {"kind": "gpu"}
    assert config["resources"]["devices"] == [{"container_path": "/dev/b", "host_path": "/dev/a", "mode": "mrw"}]
    assert config["slurm"] == {"sbatch_args": ["--low", "--high"]}
    assert config["log_policies"] == [
        {"name": "ECC Error", "pattern": ".*uncorrectable ECC error encountered.*"},
        {"name": "CUDA OOM"},
        {"action": "exclude_node", "name": "mine", "pattern": "x"},
    ]
    without_slots = resolved({**GOOD, "resources": {"slots_per_trial": 0}}, task_container_defaults=defaults)
    assert without_slots["environment"]["pod_spec"]["metadata"]["labels"] == {"kind": "cpu"}


def test_invariants_win_over_defaults_and_are_completed():
    """A policy that changes the searcher brings that searcher's own defaults with it."""
    config = resolved(GOOD, workspace_invariant={"searcher": {"name": "random", "max_trials": 3}})
    assert config["searcher"] == {
        "max_concurrent_trials": 16,
        "max_trials": 3,
        "metric": "loss",
        "name": "random",
        "smaller_is_better": True,
        "source_checkpoint_uuid": None,
        "source_trial_id": None,
    }


@pytest.mark.parametrize("name", [None, "", "  \n"])
def test_a_blank_name_gets_the_default(name):
    """An experiment without a visible name gets the default one, also when its template has one and the config blanks it."""
    assert resolved({**GOOD, "name": name})["name"] == "Experiment (a-b-c)"


def test_seed_and_template_name():
    """The seed given by the caller is used unless one is configured; a template may name the experiment."""
    assert resolved(GOOD)["reproducibility"] == {"experiment_seed": 7}
    assert (
        resolved({**GOOD, "reproducibility": {"experiment_seed": 2**32 - 1}})["reproducibility"]["experiment_seed"] == 2**32 - 1
    )
    assert resolved({key: GOOD[key] for key in GOOD if key != "name"}, template={"name": "from it"})["name"] == "from it"


def test_all_mistakes_at_once():
    """Unreadable parts, missing keys and mistakes of other sources are told together, sorted, each with its path, each once."""
    submitted = {
        "nmae": "x",
        "searcher": {"name": "adaptive_asha", "metric": 5, "max_trials": 0},
        "resources": {"slots": 1, "priority": 100, "shm_size": "big"},
        "bind_mounts": [{"host_path": "data"}, 7],
        "hyperparameters": {"lr": {"type": "log", "minval": 1, "maxval": 1}, "n": {"a": {"type": "nope"}}},
        "log_policies": [{"name": "a"}, {"name": "a"}, {"name": "b", "pattern": "("}],
        "profiling": {"begin_on_batch": 5, "end_after_batch": 4},
        "environment": {"image": 5, "pod_spec": {"metadata": {"name": "x"}}},
        "labels": {"a": True},
        "version": 0,
    }
    lines = mistakes(submitted, template={"extra": 1}, master_storage={"type": "s3"}, global_invariant={"debug": "yes"})
    assert lines == sorted(lines)
    assert lines == [
        "<config>.bind_mounts[0].container_path: container_path is a required property",
        '<config>.bind_mounts[0].host_path: a path of the host must be absolute, "data" is not',
        "<config>.bind_mounts[1]: must be an object, not the number 7",
        "<config>.checkpoint_storage.bucket: bucket is a required property",
        "<config>.entrypoint: entrypoint is a required property: say what a trial runs",
        "<config>.environment.image: must be an object, not the number 5",
        "<config>.environment.pod_spec.metadata.name: is chosen by the server and cannot be set",
        "<config>.hyperparameters.lr.base: base is a required property",
        "<config>.hyperparameters.lr: minval (1) must be below maxval (1)",
        '<config>.hyperparameters.n.a.type: must be one of const, int, double, log, categorical, not the text "nope"',
        "<config>.labels: must be a list, not an object",
        '<config>.log_policies: "a" is given more than once',
        next(line for line in lines if line.startswith("<config>.log_policies[2].pattern: ")),
        '<config>.nmae: unknown key "nmae"; did you mean "name"?',
        "<config>.profiling.end_after_batch: must not be below begin_on_batch (5)",
        "<config>.resources.priority: must be at most 99, not the number 100",
        '<config>.resources.shm_size: must be a number of bytes or a size such as "4g", not the text "big"',
        "<config>.resources.slots: is not allowed: use slots_per_trial for an experiment",
        "<config>.searcher.max_time: the searcher adaptive_asha needs both max_time and time_metric",
        "<config>.searcher.max_trials: must be at least 1, not the number 0",
        "<config>.searcher.metric: must be a text, not the number 5",
        "<config>.searcher.time_metric: the searcher adaptive_asha needs both max_time and time_metric",
        next(line for line in lines if line.startswith("<config>.version")),
        '<global policy>.debug: must be true or false, not the text "yes"',
        next(line for line in lines if line.startswith("<template>.extra")),
    ]


def test_mistakes_that_only_the_whole_shows():
    """Two layers, each right by itself, can be wrong together: the merged configuration is judged again."""
    template = {"profiling": {"end_after_batch": 3}}
    assert mistakes({**GOOD, "profiling": {"begin_on_batch": 5}}, template=template) == [
        "<config>.profiling.end_after_batch: must not be below begin_on_batch (5)"
    ]
    grid = {"name": "grid", "metric": "loss"}
    space = {"a": {"b": {"type": "int", "minval": 1, "maxval": 2}}, "c": {"type": "categorical", "vals": [1]}}
    assert mistakes({**GOOD, "searcher": grid}, template={"hyperparameters": space}) == [
        "<config>.hyperparameters.a.b: grid search needs a count for the int hyperparameter a.b"
    ]
    assert mistakes({**GOOD, "checkpoint_storage": {"type": "azure", "container": "c"}}) == [
        "<config>.checkpoint_storage: needs connection_string or account_url"
    ]


@pytest.mark.parametrize("name", ["custom", "adaptive", "adaptive_simple", "sync_halving"])
def test_removed_searchers(name):
    """Removed searchers can be read and shown with all their keys, but start nothing new unless they are offered again."""
    submitted = {**GOOD, "searcher": {"name": name, "metric": "loss", "budget": 5}}
    assert for_display(submitted)["searcher"]["budget"] == 5
    assert mistakes(submitted) == [
        f"<config>.searcher.name: the searcher {name} was removed and is not valid for new experiments"
    ]
    with pytest.raises(Invalid, match="removed"):
        validate_complete(for_display({**submitted, "entrypoint": "x"}), unmanaged=False)
    offered = frozenset({name})
    assert resolved(submitted, extra_searchers=offered)["searcher"]["name"] == name
    assert parse_config("searcher: {name: " + name + ", metric: loss}", offered)


def test_further_searchers_check_their_own_keys():
    """A searcher from outside is accepted by name, with any keys; without being offered it is unknown."""
    searcher = {"name": "neighbours", "metric": "loss", "start": {"from": "here"}, "max_trials": 5}
    config = resolved({**GOOD, "searcher": searcher}, extra_searchers=frozenset({"neighbours"}))
    assert config["searcher"]["start"] == {"from": "here"}
    assert config["searcher"]["smaller_is_better"] is True
    assert "neighbours" not in ", ".join(CURRENT_SEARCHERS)
    assert mistakes({**GOOD, "searcher": searcher})[0].startswith("<config>.searcher.name: must be one of single, random, grid")


def test_optuna():
    """Sampler and pruner by name or with options; without the library what to install is told, beside other mistakes."""
    searcher = {"name": "optuna", "metric": "loss", "sampler": {"name": "TPESampler", "multivariate": True}, "max_trials": 5}
    config = resolved({**GOOD, "searcher": searcher}, extra_searchers=frozenset({"optuna"}))["searcher"]
    assert config["sampler"] == {"name": "TPESampler", "multivariate": True}
    assert (config["pruner"], config["max_concurrent_trials"], config["time_metric"]) == ("NopPruner", 16, None)
    lines = mistakes({**GOOD, "searcher": {**searcher, "sampler": {"multivariate": True}, "max_trials": 0}})
    assert [line.split(":")[0] for line in lines] == [
        "<config>.searcher.max_trials",
        "<config>.searcher.name",
        "<config>.searcher.sampler.name",
    ]
    assert "install undeterred[optuna]" in lines[1]
    assert mistakes({**GOOD, "searcher": {**searcher, "samplr": 1}}, extra_searchers=frozenset({"optuna"})) == [
        '<config>.searcher.samplr: unknown key "samplr"; did you mean "sampler"?'
    ]


@pytest.mark.parametrize(
    ("entrypoint", "unmanaged", "right"),
    [(None, True, True), (None, False, False), ("", False, False), ([], False, False), (["x"], False, True)],
)
def test_entrypoint(entrypoint, unmanaged, right):
    """Only an unmanaged experiment may leave out what to run."""
    submitted = {**GOOD, "entrypoint": entrypoint}
    if right:
        config = resolved(submitted, unmanaged=unmanaged)
        assert config["entrypoint"] == entrypoint
        validate_complete(config, unmanaged)
    else:
        assert mistakes(submitted, unmanaged=unmanaged)[0].startswith("<config>.entrypoint")


def test_shm_size_with_a_unit():
    """A size with a unit counts in powers of 1024."""
    sizes = {"1g": 2**30, "512MiB": 2**29, "1.5 GB": 3 * 2**29, "100": 100, "7b": 7, 4096: 4096}
    for given_size, size in sizes.items():
        assert resolved({**GOOD, "resources": {"shm_size": given_size}})["resources"]["shm_size"] == size


def test_legacy_keys_are_accepted_and_dropped():
    """Keys of earlier versions without a meaning today do not stand in the way, and do not show."""
    legacy = {"data_layer": {"type": "s3"}, "internal": None, "security": {}, "tensorboard_storage": {"type": "x"}}
    assert resolved({**GOOD, **legacy, "resources": {"agent_label": "a", "slots": None}}) == resolved(GOOD)
    asha = {"name": "async_halving", "metric": "m", "num_rungs": 2, "max_trials": 3, "max_time": 4, "time_metric": "t"}
    assert "stop_once" not in resolved({**GOOD, "searcher": {**asha, "stop_once": True}})["searcher"]
    single = {"name": "single", "metric": "m", "max_length": {"epochs": 2}}
    assert resolved({**GOOD, "searcher": single})["searcher"]["max_length"] == {"epochs": 2}
    assert resolved({**GOOD, "searcher": {**single, "max_length": 5}})["searcher"]["max_length"] == 5
    assert mistakes({**GOOD, "internal": {}})[0].startswith("<config>.internal")


def test_early_look():
    """Pool, slots and home are known from config and template alone, whatever else is wrong."""
    found = early(
        {"resources": {"resource_pool": "gpu", "slots_per_trial": "x"}, "nope": 1}, {"resources": {"slots_per_trial": 4}}
    )
    assert (found.pool, found.slots, found.single_node, found.home()) == ("gpu", 4, False, None)
    assert early({"workspace": "w", "project": "p"}, None).home() == ("w", "p")
    for half in ({"workspace": "w"}, {"project": "p"}):
        with pytest.raises(Invalid, match="both workspace and project"):
            early(half, None).home()


def test_override_of_a_single_experiment():
    """Changes are merged over the stored configuration; project, workspace and the kind of search stay."""
    config = resolved({**GOOD, "project": "p", "workspace": "w", "hyperparameters": {"lr": 1, "n": 2}})
    changed = override(config, {"max_restarts": 2, "hyperparameters": {"lr": 3}, "name": "renamed"}).config
    assert (changed["max_restarts"], changed["name"], changed["project"]) == (2, "renamed", "p")
    assert changed["hyperparameters"] == {"lr": {"type": "const", "val": 3}, "n": {"type": "const", "val": 2}}
    assert override(config, {}).config == config
    assert override(config, {"name": " "}).config["name"] == "x"


@pytest.mark.parametrize(
    "change", [{"project": "q"}, {"workspace": "q"}, {"searcher": {"name": "grid"}}, {"nope": 1}, {"max_restarts": -1}]
)
def test_refused_overrides(change):
    """What would move the experiment, change its search or make no sense is refused."""
    with pytest.raises(Invalid):
        override(resolved(GOOD), change)


def test_only_single_experiments_take_overrides():
    """A grid goes on as it was or not at all."""
    with pytest.raises(Invalid, match="only an experiment with the searcher single"):
        override(resolved({**GOOD, "searcher": {"name": "grid", "metric": "m"}}), {"max_restarts": 1})


def test_search_section_needs_no_whole_configuration():
    """A preview is made of searcher and hyperparameters; other mistakes count too, other gaps do not."""
    section = search_section({"searcher": {"name": "grid", "metric": "m"}, "hyperparameters": {"k": [1]}})
    assert section["hyperparameters"] == {"k": {"type": "const", "val": [1]}}
    assert section["searcher"]["max_concurrent_trials"] == 16
    with pytest.raises(Invalid, match=r"searcher\.name"):
        search_section({})


def test_stored_hdfs_storage_is_shown_as_a_directory():
    """A configuration with storage in HDFS can be shown; a new one cannot use it."""
    stored = {**GOOD, "checkpoint_storage": {"type": "hdfs", "hdfs_url": "u", "hdfs_path": "/h", "save_trial_best": 2}}
    shown = for_display(stored)["checkpoint_storage"]
    assert (shown["type"], shown["host_path"], shown["save_trial_best"]) == ("shared_fs", "/h", 2)
    assert mistakes(stored)[0].startswith("<config>.checkpoint_storage.type")


def test_parse_config_gives_the_canonical_form():
    """Shorter forms are spelt out, nulls vanish, nothing is filled in."""
    text = "name: x\ndescription: null\nhyperparameters: {lr: 1e-3}\nenvironment: {image: {gpu: i}}\nlabels: [a, a]\n"
    assert parse_config(text) == {
        "name": "x",
        "hyperparameters": {"lr": {"type": "const", "val": 0.001}},
        "environment": {"image": {"cuda": "i"}},
        "labels": ["a", "a"],
    }
    with pytest.raises(Invalid) as error:
        parse_config("name: 5\ndebug: 5\nsearcher: {name: grid, metric: m}\n")
    assert len(str(error.value).split("\n")) == 3


def _complete(partial: dict[str, Any]) -> dict[str, Any]:
    """A partial configuration with what a new experiment must have, and a count where a grid needs one."""
    searcher = partial.get("searcher") or {}
    usable = searcher.get("name") in ("single", "random") and searcher.get("metric") and searcher.get("max_trials", 1)
    storage = {"checkpoint_storage": GOOD["checkpoint_storage"]}
    return {**partial, "entrypoint": "x", **storage, "searcher": searcher if usable else GOOD["searcher"]}


@SLOW
@given(trees(EXPERIMENT))
def test_a_resolved_configuration_resolves_to_itself(partial):
    """Submitting what was resolved, with no other source, changes nothing."""
    try:
        config = resolved(_complete(partial))
    except Invalid:
        return
    assert resolved(config) == config
    assert list(resolved(config)) == list(config) == sorted(config)


@SLOW
@given(trees(EXPERIMENT))
def test_empty_layers_change_nothing(partial):
    """Sources that say nothing, as an empty object or as null, are as good as none."""
    submitted = _complete(partial)
    try:
        config = resolved(submitted)
    except Invalid:
        return
    names = (
        "template",
        "workspace_storage",
        "master_storage",
        "global_invariant",
        "workspace_invariant",
        "task_container_defaults",
    )
    assert resolved(submitted, **{name: {} for name in names}) == config
    assert resolved(config, template=config, global_invariant=config)["environment"] == config["environment"]


@SLOW
@given(trees(EXPERIMENT), st.randoms(use_true_random=False), JSON)
def test_a_spoilt_configuration_is_resolved_or_refused(tree, random, junk):
    """A valid configuration with one value anywhere replaced by anything gives a result or Invalid."""
    submitted = copy.deepcopy(_complete(canonical(EXPERIMENT, tree)))
    _spoil(submitted, random, junk)
    for sources in ({}, {"template": submitted, "global_invariant": submitted}):
        try:
            resolved(submitted, **sources)
        except Invalid:
            pass
        for_display(submitted)
        early(submitted, submitted)


def _spoil(tree: Any, random: Any, junk: Any) -> None:
    """Put junk in one place of a tree."""
    while isinstance(tree, dict | list) and tree:
        key = random.choice(list(tree) if isinstance(tree, dict) else range(len(tree)))
        if not isinstance(tree[key], dict | list) or random.random() < 0.3:
            tree[key] = junk
            return
        tree = tree[key]


@settings(deadline=None, max_examples=60)
@given(*[st.dictionaries(st.sampled_from([*EXPERIMENT.fields, "image", "type"]), JSON, max_size=4)] * 3, JSON)
def test_arbitrary_trees_are_resolved_or_refused(submitted, template, policy, other):
    """Any JSON data in any source gives a result or Invalid, never anything else."""
    storage = other if isinstance(other, dict) else None
    try:
        resolved(
            submitted,
            template=template,
            task_container_defaults=policy,
            workspace_storage=storage,
            master_storage=template,
            global_invariant=policy,
            workspace_invariant=submitted,
        )
    except Invalid:
        pass
