"""Submitting: from a configuration in text and files to an experiment."""

import asyncio
from collections.abc import Mapping
from typing import Any

from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.api.views.experiments import load_message
from undeterred.base import json
from undeterred.base.errors import Exists, Invalid, NotFound, Refused
from undeterred.base.ids import random_name
from undeterred.base.struct import Struct, replace
from undeterred.core.config import policy
from undeterred.core.config.mask import mask_experiment
from undeterred.core.config.parse import parse_tree
from undeterred.core.config.resolve import Early, Sources, early, resolve, validate_complete
from undeterred.core.config.resolved import Resolved
from undeterred.core.pools import Pool
from undeterred.core.rights import Right
from undeterred.engine import contexts, experiments, pools
from undeterred.engine.experiments import NewExperiment
from undeterred.launch.spec import ContextFile
from undeterred.store import blobs, policies, projects, templates, workspaces
from undeterred.store import experiments as stored
from undeterred.store.database import Tx
from undeterred.wire import messages as m


class Place(Struct, frozen=True):
    """Where an experiment goes, and what that adds to its configuration."""

    project_id: int
    workspace: Any
    pool: Pool
    template: Mapping[str, Any] | None
    policies: tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]
    """The cluster's and the workspace's."""
    warning: str | None
    context: tuple[str | None, int]
    """Digest and size of the files taken from the parent."""
    pool_asked_for: str = ""
    """The pool in the configuration, empty where the workspace or the cluster chose one."""


@operation("CreateExperiment", needs=Right.CREATE_EXPERIMENT)
async def create_experiment(call: Call, req: m.CreateExperimentRequest) -> m.CreateExperimentResponse:
    """Check a configuration and make an experiment of it, paused unless `activate` is set; or only check it."""
    place, resolved = await _prepare(call, req)
    if req.validate_only:
        return m.CreateExperimentResponse(experiment=m.Experiment())
    digest, size = place.context
    if not req.parent_id and req.model_definition:
        archive = await asyncio.to_thread(contexts.pack, [_file(file) for file in req.model_definition])
        digest, size = await blobs.store(call.services.db, archive), len(archive)

    def create(tx: Tx) -> m.Experiment:
        _require(call, tx, place)
        if req.unmanaged is True:
            made = experiments.create_unmanaged(
                tx, project_id=place.project_id, user_id=call.who.user_id, config=resolved.config, original_config=req.config
            )
        else:
            made = experiments.create(tx, _new(call, req, place, resolved, digest, size))
        call.engine.flow.apply(tx)  # the answer shows the first trials
        return load_message(tx, made)

    message = await call.write(create)
    return m.CreateExperimentResponse(experiment=message, config=_as_submitted(resolved, place), warnings=_warnings(place))


@operation("PutExperiment", needs=Right.CREATE_EXPERIMENT)
async def put_experiment(call: Call, req: m.PutExperimentRequest) -> m.PutExperimentResponse:
    """Make the unmanaged experiment with an external id, or find it: what is there keeps its first configuration.

    The answer repeats the configuration of the request in either case, as clients are used to.
    """
    body = req.create_experiment_request or m.CreateExperimentRequest()
    if body.unmanaged is not True:
        raise Refused("only unmanaged experiments have external ids: set unmanaged")
    if not req.external_experiment_id:
        raise Invalid("externalExperimentId must not be empty")
    place, resolved = await _prepare(call, body)

    def put(tx: Tx) -> m.Experiment:
        _require(call, tx, place)
        known = stored.by_external_id(tx, req.external_experiment_id)
        if known is not None:
            if not call.allows(tx, Right.VIEW_EXPERIMENT_METADATA, workspace=known.workspace_id, owner=known.user_id):
                raise Exists("that external id is another experiment's")
            message = load_message(tx, known.id)
            message.name, message.config = str(resolved.config["name"]), _as_submitted(resolved, place)
            return message
        made = experiments.create_unmanaged(
            tx,
            project_id=place.project_id,
            user_id=call.who.user_id,
            config=resolved.config,
            original_config=body.config,
            external_id=req.external_experiment_id,
        )
        return load_message(tx, made)

    message = await call.write(put)
    return m.PutExperimentResponse(experiment=message, config=message.config)


async def _prepare(call: Call, req: m.CreateExperimentRequest) -> tuple[Place, Resolved]:
    """Everything that can be said of a request before anything is stored; raises with all mistakes of the configuration."""
    submitted = await asyncio.to_thread(parse_tree, req.config)
    extra = await asyncio.to_thread(lambda: call.engine.searchers.names)
    place = await call.read(lambda tx: _place(call, tx, req, submitted))
    global_policy, workspace_policy = place.policies
    sources = Sources(
        submitted=submitted,
        template=place.template,
        task_container_defaults=call.engine.ground.defaults[place.pool.name],
        workspace_storage=_loads(place.workspace.checkpoint_storage),
        master_storage=call.services.default_storage,
        pool_priority=place.pool.default_priority if place.pool.scheduler == "priority" else None,
        global_invariant=policy.invariant(global_policy),
        workspace_invariant=policy.invariant(workspace_policy),
        seed=call.services.clock.now() // 1_000_000 % 2**32,
        default_name=f"Experiment ({random_name()})",
        unmanaged=req.unmanaged is True,
        extra_searchers=extra,
    )
    resolved = await asyncio.to_thread(resolve, sources)
    validate_complete(resolved.config, req.unmanaged is True, extra)
    if req.unmanaged is not True:
        await asyncio.to_thread(call.engine.search.check, resolved.config)
    limits = policy.constraints(global_policy, workspace_policy)
    policy.check_constraints(limits, slots=resolved.slots_per_trial, max_slots=resolved.max_slots, priority=resolved.priority)
    if req.unmanaged is not True:
        place = await call.read(lambda tx: _fitted(call, tx, place, resolved), quick=True)
        resolved.config["resources"]["resource_pool"] = place.pool.name
    return place, resolved


def _place(call: Call, tx: Tx, req: m.CreateExperimentRequest, submitted: Mapping[str, Any]) -> Place:
    template = None
    if req.template:
        template = json.loads(templates.get(tx, str(req.template)).config)
    wanted = early(submitted, template, call.engine.searchers.names)
    project = _project(tx, req, wanted)
    workspace = workspaces.get(tx, project.workspace_id)
    place = Place(
        project_id=project.id,
        workspace=workspace,
        pool=pools.choose(call.engine.pools, wanted.pool, wanted.slots, workspace),
        template=template,
        policies=policies.both(tx, workspace.id, "EXPERIMENT"),
        warning=None,
        context=_parent_context(call, tx, req.parent_id),
    )
    _require(call, tx, place)
    if project.archived or workspace.archived:
        raise Refused(f"project {project.name} is archived: nothing new can be made in it")
    return place


def _fitted(call: Call, tx: Tx, place: Place, resolved: Resolved) -> Place:
    """The place with the pool that the resolved configuration leads to, which a policy may have changed."""
    pool, warning = pools.fit(tx, call.engine.pools, resolved, place.workspace, strict=call.settings.launch_error)
    return replace(place, pool=pool, pool_asked_for=resolved.config["resources"]["resource_pool"], warning=warning)


def _project(tx: Tx, req: m.CreateExperimentRequest, wanted: Early) -> Any:
    if req.project_id > 1:
        return projects.get(tx, req.project_id)
    home = wanted.home()
    if home is None:
        return projects.get(tx, 1)
    workspace = workspaces.by_name(tx, home[0])
    project = None if workspace is None else projects.by_name(tx, workspace.id, home[1])
    if project is None:
        raise NotFound(f"there is no project {home[1]!r} in a workspace {home[0]!r}")
    return project


def _parent_context(call: Call, tx: Tx, parent_id: int) -> tuple[str | None, int]:
    if not parent_id:
        return None, 0
    parent = stored.get(tx, parent_id)
    call.require(tx, Right.VIEW_EXPERIMENT_ARTIFACTS, workspace=parent.workspace_id, missing=f"experiment {parent_id} not found")
    return parent.context_digest, parent.context_size


def _require(call: Call, tx: Tx, place: Place) -> None:
    call.require(tx, Right.CREATE_EXPERIMENT, workspace=place.workspace.id, missing=f"project {place.project_id} not found")


def _new(
    call: Call, req: m.CreateExperimentRequest, place: Place, resolved: Resolved, digest: str | None, size: int
) -> NewExperiment:
    return NewExperiment(
        project_id=place.project_id,
        workspace_id=place.workspace.id,
        user_id=call.who.user_id,
        config=resolved.config,
        original_config=req.config,
        context_digest=digest,
        context_size=size,
        parent_id=req.parent_id or None,
        template=str(req.template) if req.template else "",
        activate=req.activate,
    )


def _file(file: m.File) -> ContextFile:
    return ContextFile(file.path, file.content, file.type, file.mode, int(file.mtime))


def _as_submitted(resolved: Resolved, place: Place) -> dict[str, Any]:
    """The configuration beside the new experiment: complete, too, but with the pool as it was asked for."""
    resources = {**resolved.config["resources"], "resource_pool": place.pool_asked_for}
    return dict(mask_experiment({**resolved.config, "resources": resources}))


def _warnings(place: Place) -> list[m.LaunchWarning]:
    return [m.LaunchWarning.LAUNCH_WARNING_CURRENT_SLOTS_EXCEEDED] if place.warning else []


def _loads(text: str | None) -> Any:
    return None if text is None else json.loads(text)
