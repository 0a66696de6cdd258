"""The one document that an experiment runs by, from its sources.

Highest first: the policy of the server, the policy of the workspace, the submitted configuration, the template, the defaults
for task containers of the pool, the workspace's checkpoint storage, the server's, the priority of the pool, field defaults.
Policies are laid over the completed rest, so that they also win over defaults.
"""

from collections.abc import Mapping
from typing import Any

from undeterred.base.errors import Invalid
from undeterred.base.struct import Struct
from undeterred.core.config import shims, tcd
from undeterred.core.config.checks import missing, read_layer
from undeterred.core.config.defaults import fill
from undeterred.core.config.hyperparameters import report_grid
from undeterred.core.config.kinds import Field, Record, Tree
from undeterred.core.config.merge import merge_all
from undeterred.core.config.parse import parse_tree
from undeterred.core.config.problems import (
    CONFIG,
    DEFAULTS,
    GLOBAL_POLICY,
    MASTER_STORAGE,
    TEMPLATE,
    WORKSPACE_POLICY,
    WORKSPACE_STORAGE,
    Problems,
)
from undeterred.core.config.resolved import Resolved
from undeterred.core.config.rules import azure_complete
from undeterred.core.config.schema import OPTUNA, REMOVED_SEARCHERS, STORAGE, TIMED_SEARCHERS, experiment

HEADING = "invalid experiment configuration"


class Sources(Struct, frozen=True, kw_only=True):
    """What a configuration is made of; each is a tree as submitted or stored, not yet checked, None where there is none.

    `seed` is used unless one is configured, `default_name` unless the name has any letter. `extra_searchers` are search methods
    besides the five built-in ones (`custom` among them, where it is offered). Unmanaged experiments need no entrypoint.
    """

    submitted: Mapping[str, Any]
    template: Mapping[str, Any] | None = None
    task_container_defaults: Mapping[str, Any] | None = None
    workspace_storage: Mapping[str, Any] | None = None
    master_storage: Mapping[str, Any] | None = None
    pool_priority: int | None = None
    global_invariant: Mapping[str, Any] | None = None
    workspace_invariant: Mapping[str, Any] | None = None
    seed: int
    default_name: str
    unmanaged: bool = False
    extra_searchers: frozenset[str] = frozenset()


class Early(Struct, frozen=True):
    """What must be known of a configuration before its pool, workspace and project can be looked up."""

    pool: str
    slots: int
    single_node: bool
    workspace: str
    project: str

    def home(self) -> tuple[str, str] | None:
        """The configured workspace and project, None when neither is; raises Invalid when only one of them is."""
        if bool(self.workspace) != bool(self.project):
            raise Invalid(f"{HEADING}:\n{CONFIG}: give both workspace and project, or neither")
        return (self.workspace, self.project) if self.workspace else None


def parse_config(text: str, extra_searchers: frozenset[str] = frozenset()) -> Tree:
    """A submitted configuration in canonical form, not yet complete; raises Invalid with all mistakes, one per line."""
    problems = Problems(HEADING)
    tree = read_layer(experiment(extra_searchers), parse_tree(text), CONFIG, problems)
    problems.raise_if_any()
    return tree


def early(
    submitted: Mapping[str, Any], template: Mapping[str, Any] | None, extra_searchers: frozenset[str] = frozenset()
) -> Early:
    """Pool, slots, workspace and project of the submitted configuration over its template.

    Nothing is refused here: what cannot be read counts as not given, and `resolve` tells all mistakes at once.
    """
    schema, ignored = experiment(extra_searchers), Problems(HEADING)
    layers = [read_layer(schema, submitted, CONFIG, ignored), read_layer(schema, template, TEMPLATE, ignored)]
    config = fill(schema, merge_all(schema, layers))
    resources = config["resources"]
    return Early(
        pool=resources["resource_pool"],
        slots=resources["slots_per_trial"],
        single_node=bool(resources["is_single_node"]),
        workspace=config["workspace"],
        project=config["project"],
    )


def resolve(sources: Sources) -> Resolved:
    """The complete configuration; raises Invalid with the mistakes of all sources, one per line."""
    problems = Problems(HEADING)
    schema = experiment(sources.extra_searchers)
    config = _lower_layers(schema, sources, problems)
    if not (config.get("name") or "").strip():
        config["name"] = sources.default_name
    config = fill(schema, config)
    if config["reproducibility"]["experiment_seed"] is None:
        config["reproducibility"]["experiment_seed"] = sources.seed
    workspace = read_layer(schema, sources.workspace_invariant, WORKSPACE_POLICY, problems)
    server = read_layer(schema, sources.global_invariant, GLOBAL_POLICY, problems)
    config = fill(schema, merge_all(schema, [server, workspace, config]))
    _report_incomplete(schema, config, problems, unmanaged=sources.unmanaged, extra=sources.extra_searchers)
    problems.raise_if_any()
    return Resolved(config)


def validate_complete(config: Mapping[str, Any], unmanaged: bool, extra_searchers: frozenset[str] = frozenset()) -> None:
    """Whether a new experiment can run by this configuration: nothing missing or out of range, a current searcher.

    Raises Invalid with all mistakes, one per line.
    """
    problems = Problems(HEADING)
    _report_incomplete(experiment(extra_searchers), config, problems, unmanaged=unmanaged, extra=extra_searchers)
    problems.raise_if_any()


def override(
    config: Mapping[str, Any],
    given: Mapping[str, Any],
    *,
    global_invariant: Mapping[str, Any] | None = None,
    workspace_invariant: Mapping[str, Any] | None = None,
) -> Resolved:
    """The configuration of an experiment that goes on with changes; what policies fix now wins over both.

    Only an experiment with a single trial takes changes; it must stay one, in its project. Raises Invalid with all mistakes.
    """
    schema = experiment()
    problems = Problems("the experiment cannot go on with this configuration")
    if config["searcher"].get("name") != "single":
        problems.add(CONFIG, "only an experiment with the searcher single takes changes when it goes on")
    changes = read_layer(schema, given, CONFIG, problems)
    for key in ("project", "workspace"):
        if key in changes:
            problems.add(f"{CONFIG}.{key}", "cannot be changed when an experiment goes on")
    workspace = read_layer(schema, workspace_invariant, WORKSPACE_POLICY, problems)
    server = read_layer(schema, global_invariant, GLOBAL_POLICY, problems)
    if any(layer.get("searcher", {}).get("name", "single") != "single" for layer in (server, workspace, changes)):
        problems.add(f"{CONFIG}.searcher.name", "must stay single when an experiment goes on")
    before = read_layer(schema, config, CONFIG, problems)
    merged = fill(schema, merge_all(schema, [server, workspace, changes, before]))
    if not merged["name"] or not merged["name"].strip():
        merged["name"] = config["name"]
    _report_incomplete(schema, merged, problems, unmanaged=False, extra=frozenset())
    problems.raise_if_any()
    return Resolved(merged)


def search_section(submitted: Mapping[str, Any], extra_searchers: frozenset[str] = frozenset()) -> Tree:
    """`searcher` and `hyperparameters` of an otherwise unfinished configuration, completed: what a preview of a search needs.

    Raises Invalid with all mistakes, one per line.
    """
    problems = Problems(HEADING)
    schema = experiment(extra_searchers)
    config = fill(schema, read_layer(schema, submitted, CONFIG, problems))
    part = Record({key: schema.fields[key] for key in ("searcher", "hyperparameters")})
    missing(part, config, CONFIG, problems)
    _report_searcher(config, problems, extra_searchers)
    problems.raise_if_any()
    return {key: config[key] for key in part.fields}


def for_display(stored: Mapping[str, Any]) -> Tree:
    """A configuration stored by an older version in today's complete form, searchers that are gone included.

    Parts that nobody can read any more are left out; nothing is refused.
    """
    schema = experiment()
    ignored = Problems(HEADING)
    return dict(fill(schema, read_layer(schema, shims.stored(stored), CONFIG, ignored)))


def _lower_layers(schema: Record, sources: Sources, problems: Problems) -> Tree:
    """All sources but policies and field defaults, merged."""
    upper = [
        read_layer(schema, sources.submitted, CONFIG, problems),
        read_layer(schema, sources.template, TEMPLATE, problems),
    ]
    wanted = merge_all(schema, upper)
    slots = wanted.get("resources", {}).get("slots_per_trial", 1)
    lower = [
        read_layer(schema, tcd.experiment_layer(sources.task_container_defaults, slots), DEFAULTS, problems),
        {"checkpoint_storage": _storage(sources.workspace_storage, WORKSPACE_STORAGE, problems)},
        {"checkpoint_storage": _storage(sources.master_storage, MASTER_STORAGE, problems)},
        {"resources": {"priority": sources.pool_priority}} if sources.pool_priority is not None else {},
    ]
    return dict(merge_all(schema, [wanted, *lower]))


def _storage(tree: Mapping[str, Any] | None, root: str, problems: Problems) -> Tree | None:
    section = Record({"checkpoint_storage": Field(STORAGE)})
    return read_layer(section, {"checkpoint_storage": tree}, root, problems).get("checkpoint_storage")


def _report_incomplete(
    schema: Record, config: Mapping[str, Any], problems: Problems, *, unmanaged: bool, extra: frozenset[str]
) -> None:
    """What is wrong with the merged whole, beyond what was wrong with its sources."""
    whole = Problems(HEADING)
    canonical = read_layer(schema, config, CONFIG, whole)
    for path, message in whole.found():
        problems.add_new(path, message)
    missing(schema, canonical, CONFIG, problems)
    if not unmanaged and not canonical.get("entrypoint"):
        problems.add_new(f"{CONFIG}.entrypoint", "entrypoint is a required property: say what a trial runs")
    for below, message in azure_complete(canonical.get("checkpoint_storage", {})):
        problems.add_new(f"{CONFIG}.checkpoint_storage{below}", message)
    _report_searcher(canonical, problems, extra)


def _report_searcher(config: Mapping[str, Any], problems: Problems, extra: frozenset[str]) -> None:
    """The searcher is one that still runs, and knows what it needs."""
    searcher = config.get("searcher", {})
    name, path = searcher.get("name"), f"{CONFIG}.searcher"
    if name in REMOVED_SEARCHERS and name not in extra:
        problems.add_new(f"{path}.name", f"the searcher {name} was removed and is not valid for new experiments")
    elif name == OPTUNA and name not in extra:
        problems.add_new(
            f"{path}.name",
            "the searcher optuna needs Optuna, which is not installed here: install undeterred[optuna] on the server",
        )
    elif name in TIMED_SEARCHERS:
        for key in ("max_time", "time_metric"):
            if searcher.get(key) is None:
                problems.add_new(f"{path}.{key}", f"the searcher {name} needs both max_time and time_metric")
    elif name == "grid":
        report_grid(config.get("hyperparameters", {}), f"{CONFIG}.hyperparameters", problems)
