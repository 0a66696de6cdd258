"""What is to be launched: `LaunchSpec` and its parts, plain data that every launcher understands.

`build.py` turns a spec into environment variables, files and a command line for one place.
"""

from collections.abc import Mapping
from typing import Any

from undeterred.base.struct import Struct, field

TRIAL_PORTS = ("DTRAIN_SSH_PORT", "INTER_TRAIN_PROCESS_COMM_PORT_1", "INTER_TRAIN_PROCESS_COMM_PORT_2", "C10D_PORT")
"""Variables of the ports that a distributed trial needs."""

TRIAL_ARGV = ("python", "-m", "determined.exec.launch")
"""Command of a trial: the harness reads the entrypoint from the trial's configuration."""


class Device(Struct, frozen=True):
    """One slot's device."""

    id: int
    kind: str = "cpu"
    """`cpu`, `cuda` or `rocm`."""
    brand: str = ""
    uuid: str = ""


class NodeAsk(Struct, frozen=True):
    """What one rank of the gang gets; the index in `LaunchSpec.nodes` is the rank."""

    slots: int = 0
    cpus: float = 0
    mem_mb: int = 0
    node: str | None = None
    slot_ids: tuple[int, ...] | None = None
    """Ids of the devices; None leaves the choice to an engine that assigns devices."""


class UnixUser(Struct, frozen=True):
    """The Unix identity of an agent user group."""

    uid: int
    gid: int
    user: str = ""
    group: str = ""


class ContextFile(Struct, frozen=True):
    """One entry of a context directory as the API carries it."""

    path: str
    """Relative, with "/" between its parts."""
    content: bytes = b""
    type: int = ord("0")
    """Tar type byte as a number: 48 file, 53 directory, 50 symbolic link (the content is its target)."""
    mode: int = 0o644
    mtime: int = 0
    """Seconds since 1970."""


class ClusterFacts(Struct, frozen=True):
    """What a task must know of the cluster."""

    cluster_id: str
    master_url: str
    agent_id: str = "local"
    master_cert_file: str = ""
    """Path of a PEM file readable by the task, or `noverify`; empty when TLS is off or publicly trusted."""
    master_cert_name: str = ""


class TrialFacts(Struct, frozen=True):
    """What only trials have."""

    experiment_id: int
    trial_id: int
    trial_run_id: int
    seed: int
    hparams: Mapping[str, Any]
    config: Mapping[str, Any]
    """The complete experiment configuration, every default filled in (the harness indexes keys)."""
    steps_completed: int = 0
    latest_checkpoint: str | None = None
    debug: bool = False
    network_interface: str | None = None


class ContainerOptions(Struct, frozen=True):
    """Options of a configuration that mean a container; `options.py` says what becomes of each.

    Only what somebody configured: a default (such as the default image) must be left out, or every task warns.
    """

    image: str | None = None
    registry_auth: bool = False
    bind_mounts: tuple[Mapping[str, Any], ...] = ()
    """Items `{host_path, container_path, read_only, propagation}`."""
    work_dir: str | None = None
    shm_size: int | str | None = None
    ports: Mapping[str, int] = field(default_factory=dict)
    proxy_ports: tuple[Mapping[str, Any], ...] = ()
    devices: tuple[Mapping[str, Any], ...] = ()
    """Items `{host_path, container_path, mode}`."""
    add_capabilities: tuple[str, ...] = ()
    drop_capabilities: tuple[str, ...] = ()


class LaunchSpec(Struct, frozen=True):
    """Everything needed to start one run of one task."""

    allocation_id: str
    """Unique per run of a task; the key of idempotency."""
    task_id: str
    task_type: str
    """`TRIAL`, `NOTEBOOK`, `SHELL`, `COMMAND`, `TENSORBOARD`, `CHECKPOINT_GC` or `GENERIC`."""
    cluster: ClusterFacts
    session_token: str
    """The allocation's token."""
    argv: tuple[str, ...] = TRIAL_ARGV
    """Command; found on the task's PATH, on which its own `python` comes first."""
    user: str = "determined"
    """Name of the task's owner (`DET_USER`)."""
    nodes: tuple[NodeAsk, ...] = (NodeAsk(),)
    pool: str = "default"
    priority: int | None = None
    trial: TrialFacts | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables of the task's kind (`NOTEBOOK_CONFIG`, ...)."""
    user_env: Mapping[str, str] = field(default_factory=dict)
    """`environment.environment_variables` of the configuration; wins over `env`, but not over facts of the cluster."""
    port_names: tuple[str, ...] = ()
    """Variables that each get a free port, different from those of all live tasks (`TRIAL_PORTS`, `NOTEBOOK_PORT`, ...).

    A name that `env` already holds is left as it is.
    """
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Extra files, by their path relative to the work folder."""
    context: bytes = b""
    """The context directory as a tar archive (gzip or plain), unpacked into the work folder."""
    context_files: tuple[ContextFile, ...] = ()
    """The same as a list, instead of or on top of `context`."""
    startup_hook: str = ""
    """Shell text of the pool's or cluster's task container defaults, run before the context's `startup-hook.sh`."""
    shared_fs: str | None = None
    """`host_path` of a `shared_fs` checkpoint storage: made when missing, seen by the harness as `/determined_shared_fs`."""
    options: ContainerOptions = ContainerOptions()
    unix_user: UnixUser | None = None
    """Whom to run the task as; None is the server's own user."""
    resources_id: str = ""
    """Empty takes the allocation id."""
    container_id: str = ""
    """Empty takes the resources id."""
    python: str = ""
    """Interpreter whose packages the task sees; empty is the launcher's default."""
    grace_s: float = 15.0
    """Between SIGTERM and SIGKILL when the supervisor itself is told to end."""
    start_token: str = ""
    """One-time secret for a supervisor that reports over the network; unused on one machine."""
