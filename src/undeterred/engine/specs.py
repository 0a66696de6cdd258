"""From the rows of an allocation to the `LaunchSpec` of its start: everything a launcher needs, as plain data."""

from collections.abc import Mapping, Sequence
from typing import Any

from undeterred.base import json
from undeterred.base.settings import Settings
from undeterred.base.struct import Struct, field
from undeterred.core.config.schema import DEFAULT_IMAGES
from undeterred.core.config.tcd import combine
from undeterred.core.pools import Pool
from undeterred.launch.spec import (
    TRIAL_ARGV,
    TRIAL_PORTS,
    ClusterFacts,
    ContainerOptions,
    LaunchSpec,
    NodeAsk,
    TrialFacts,
    UnixUser,
)
from undeterred.store import allocations, blobs, experiments, resume, runs, tasks, users, workspaces
from undeterred.store.database import Tx

Tree = Mapping[str, Any]


class Ground(Struct, frozen=True):
    """What is the same for all launches of one server."""

    cluster_id: str
    master_url: str
    settings: Settings
    defaults: Mapping[str, Tree] = field(default_factory=dict)
    """Task container defaults by resource pool."""
    master_cert_file: str = ""
    master_cert_name: str = ""


class Material(Struct, frozen=True):
    """What is read of one allocation, in one transaction."""

    allocation: Any
    task: Any
    run: Any | None
    config: Tree
    owner: Any
    workspace: Any | None
    latest_checkpoint: str | None
    steps_completed: int


def gather(tx: Tx, allocation_id: str) -> Material:
    """Read everything but the context. Raises NotFound when something has been deleted."""
    allocation = allocations.get(tx, allocation_id)
    task = tasks.get(tx, allocation.task_id)
    run_id = runs.of_task(tx, task.id)
    run = None if run_id is None else runs.get(tx, run_id)
    config = json.loads(task.config or "{}") if run is None else json.loads(experiments.get(tx, run.experiment_id).config)
    checkpoint, steps = (None, 0) if run is None else _start_from(tx, run)
    return Material(
        allocation,
        task,
        run,
        config,
        users.get(tx, task.user_id),
        None if task.workspace_id is None else workspaces.get(tx, task.workspace_id),
        checkpoint,
        steps,
    )


def context(tx: Tx, material: Material) -> bytes:
    """The context directory as a tar archive, empty when there is none. Raises NotFound when it has been deleted."""
    digest = material.task.context_digest
    return b"" if digest is None else blobs.read(tx, digest)


def build(material: Material, context: bytes, ground: Ground, token: str, device_kind: str) -> LaunchSpec:
    """The specification; `device_kind` (cpu, cuda or rocm) chooses among the variables of the configuration."""
    allocation, config = material.allocation, material.config
    defaults = ground.defaults.get(allocation.resource_pool) or {}
    environment: Tree = config.get("environment") or {}
    nodes = tuple(NodeAsk(len(slots), node=agent, slot_ids=tuple(slots)) for agent, slots in json.loads(allocation.nodes))
    storage: Tree = config.get("checkpoint_storage") or {}
    launch: Tree = json.loads(material.task.launch or "{}")
    return LaunchSpec(
        allocation_id=allocation.id,
        task_id=allocation.task_id,
        task_type=material.task.task_type,
        cluster=ClusterFacts(
            ground.cluster_id,
            ground.master_url,
            allocation.agent_id,
            ground.master_cert_file,
            ground.master_cert_name,
        ),
        session_token=token,
        argv=tuple(launch.get("argv") or TRIAL_ARGV),
        user=material.owner.username,
        nodes=nodes,
        pool=allocation.resource_pool,
        trial=None if material.run is None else _trial(material, defaults),
        env=launch.get("env") or {},
        user_env=_variables(environment, device_kind),
        port_names=tuple(launch.get("port_names") or ()) if material.run is None else TRIAL_PORTS,
        files={path: text.encode() for path, text in (launch.get("files") or {}).items()},
        context=context,
        startup_hook=str(defaults.get("startup_hook") or ""),
        shared_fs=storage.get("host_path") if storage.get("type") == "shared_fs" else None,
        options=_options(config, defaults, material.run is None),
        unix_user=_unix_user(material, ground.settings),
        python=ground.settings.undeterred.task_python,
    )


def defaults_by_pool(settings: Settings, pools: Sequence[Pool]) -> dict[str, Tree]:
    """The task container defaults of every pool, its own over the server's. Raises Invalid for settings that are wrong."""
    return {pool.name: combine(settings.task_container_defaults, pool.task_container_defaults) for pool in pools}


def summary(spec: LaunchSpec) -> str:
    """What was launched, for people and without secrets, as JSON text."""
    nodes = [{"agent": node.node, "slots": list(node.slot_ids or ())} for node in spec.nodes]
    data = {"argv": list(spec.argv), "pool": spec.pool, "nodes": nodes, "user": spec.user, "context_bytes": len(spec.context)}
    return json.dumps(data)


def _start_from(tx: Tx, run: Any) -> tuple[str | None, int]:
    """The trial's own latest checkpoint, else the one it is warm-started from, with zero steps done."""
    own = resume.latest(tx, run.id)
    if own is not None:
        return own.uuid, own.steps_completed
    return run.warm_start_checkpoint, 0


def _trial(material: Material, defaults: Tree) -> TrialFacts:
    run, config = material.run, material.config
    assert run is not None
    return TrialFacts(
        experiment_id=run.experiment_id,
        trial_id=run.id,
        trial_run_id=run.run_number,
        seed=run.seed,
        hparams=json.loads(run.hparams),
        config=config,
        steps_completed=material.steps_completed,
        latest_checkpoint=material.latest_checkpoint,
        debug=bool(config.get("debug")),
        network_interface=defaults.get("dtrain_network_interface") or None,
    )


def _variables(environment: Tree, device_kind: str) -> dict[str, str]:
    """`environment.environment_variables`: a name without a value is set to nothing."""
    given = environment.get("environment_variables") or []
    entries = given.get(device_kind) or [] if isinstance(given, Mapping) else given
    return {name: value for name, _, value in (str(entry).partition("=") for entry in entries) if name}


def _options(config: Tree, defaults: Tree, plain_task: bool) -> ContainerOptions:
    """Options that mean a container, as far as somebody configured them."""
    environment: Tree = config.get("environment") or {}
    resources: Tree = config.get("resources") or {}
    images = environment.get("image") or {}
    chosen = [images] if isinstance(images, str) else [image for image in images.values() if image]
    custom = [image for image in chosen if image not in DEFAULT_IMAGES.values()]
    work_dir = config.get("work_dir") if plain_task else defaults.get("work_dir")
    return ContainerOptions(
        image=custom[0] if custom else None,
        registry_auth=bool(environment.get("registry_auth")),
        bind_mounts=tuple(config.get("bind_mounts") or ()),
        work_dir=work_dir,
        shm_size=resources.get("shm_size"),
        ports=environment.get("ports") or {},
        proxy_ports=tuple(environment.get("proxy_ports") or ()),
        devices=tuple(resources.get("devices") or ()),
        add_capabilities=tuple(environment.get("add_capabilities") or ()),
        drop_capabilities=tuple(environment.get("drop_capabilities") or ()),
    )


def agent_user_group(workspace: Any | None, owner: Any, settings: Settings) -> UnixUser:
    """Whom a task runs as: the workspace's values over the owner's over the server's."""
    rows = [row for row in (workspace, owner) if row is not None]
    default = settings.security.default_task

    def value(name: str, fallback: Any) -> Any:
        return next((found for row in rows if (found := getattr(row, f"agent_{name}")) is not None), fallback)

    uid, gid = value("uid", default.uid), value("gid", default.gid)
    user, group = value("user", default.user), value("group", default.group)
    return UnixUser(int(uid), int(gid), str(user or ""), str(group or ""))


def _unix_user(material: Material, settings: Settings) -> UnixUser | None:
    """The agent user group; None when nobody named any."""
    found = agent_user_group(material.workspace, material.owner, settings)
    return None if found == UnixUser(0, 0, "root", "root") else found
