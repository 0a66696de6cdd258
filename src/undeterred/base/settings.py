"""Every setting, as frozen structs; `load.py` fills them from file, environment and flags.

The YAML file accepts the keys of a Determined `master.yaml`; keys under `undeterred` are our own. Each part of the
program receives only the struct it needs. `Secret` prints as stars, so a settings object may be logged.
"""

from typing import Any

import msgspec

from undeterred.base.clock import DAY, SECOND

Json = dict[str, Any]


class Secret(str):
    """A text that does not show itself: `repr` and formatting print stars, `reveal()` gives the text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'********'"

    def __str__(self) -> str:
        return "********"

    def __format__(self, _spec: str) -> str:
        return "********"

    def reveal(self) -> str:
        """The text itself, for the one place that needs it."""
        return str.__str__(self)


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all parts: immutable, unknown keys refused."""


class Log(_Part, frozen=True):
    """What the server prints about itself."""

    level: str = "info"
    color: bool = True


class Db(_Part, frozen=True):
    """A PostgreSQL server as a Determined `master.yaml` names it; SQLite is used when `name` is empty."""

    user: str = ""
    password: Secret = Secret("")
    host: str = ""
    port: str | int = "5432"
    name: str = ""
    ssl_mode: str = ""
    ssl_root_cert: str = ""
    migrations: str = ""


class AgentUserGroup(_Part, frozen=True):
    """The Unix identity of tasks when nothing closer names one."""

    uid: int = 0
    gid: int = 0
    user: str = "root"
    group: str = "root"
    id: int = 0
    user_id: int = 0


class Tls(_Part, frozen=True):
    """Certificate chain and key in PEM files."""

    cert: str = ""
    key: str = ""


class Ssh(_Part, frozen=True):
    """Key kind for shells."""

    rsa_key_size: int = 1024
    key_type: str = "ED25519"


class Authz(_Part, frozen=True):
    """Which rights are enforced: `basic` (owner or admin) or `rbac` (roles)."""

    type: str = "basic"
    rbac_ui_enabled: bool | None = None
    workspace_creator_assign_role: Json | None = None
    strict_job_queue_control: bool = False
    fallback: str = ""
    strict_ntsc_enabled: bool = False


class Token(_Part, frozen=True):
    """Limits of access tokens, in days; -1 is no limit."""

    max_lifespan_days: int = -1
    default_lifespan_days: int = 30


class Security(_Part, frozen=True):
    """Who may do what, and how the wire is protected."""

    default_task: AgentUserGroup = AgentUserGroup()
    tls: Tls = Tls()
    ssh: Ssh = Ssh()
    authz: Authz = Authz()
    token: Token = Token()
    initial_user_password: Secret | None = None


class Retention(_Part, frozen=True):
    """When logs of finished trials are removed."""

    log_retention_days: int | None = None
    schedule: str | None = None


class Telemetry(_Part, frozen=True):
    """Nothing is ever sent; the keys are accepted and answered."""

    enabled: bool = False
    segment_master_key: str = ""
    segment_webui_key: str = ""
    otel_enabled: bool = False
    otel_endpoint: str = ""
    cluster_id: str = ""


class Observability(_Part, frozen=True):
    """Metrics endpoints."""

    enable_prometheus: bool = True


class WebhookSettings(_Part, frozen=True):
    """Links in messages and the key that signs them (made once and kept when empty)."""

    base_url: str = ""
    signing_key: Secret = Secret("")
    allow_private_addresses: bool = True
    allow_link_local: bool = False


class Own(_Part, frozen=True):
    """Settings that Determined does not have (`undeterred:` in the file)."""

    host: str = "127.0.0.1"
    data_dir: str = ""
    agent: bool = True
    """Whether this machine is an agent of the pool `default`."""
    slots: int | None = None
    """Slots of this machine; None counts the GPUs, and on a machine without any the cores."""
    durability: str = "normal"
    """`normal` survives the death of the process, `full` that of the machine."""
    master_url: str = ""
    """Address under which tasks reach this server; empty is `http://127.0.0.1:<port>`."""
    base_path: str = ""
    """Prefix under which a reverse proxy serves this server, such as `/undeterred`."""
    adopt_lost: bool = False
    """Start although tasks live that were told another address of this server."""
    task_python: str = ""
    """Interpreter whose packages tasks see; empty is the server's own."""
    isolation: str = "process"

    @property
    def prefix(self) -> str:
        """The base path without a slash at its end; empty without one."""
        return self.base_path.rstrip("/")


class Settings(_Part, frozen=True):
    """All of them, checked."""

    undeterred: Own = Own()
    config_file: str = ""
    log: Log = Log()
    db: Db = Db()
    db_url: str = ""
    port: int = 8080
    root: str = ""
    security: Security = Security()
    checkpoint_storage: Json = {}
    task_container_defaults: Json = {}
    tensorboard_timeout: int = 300
    notebook_timeout: int | None = None
    telemetry: Telemetry = Telemetry()
    enable_cors: bool = False
    launch_error: bool = True
    cluster_name: str = ""
    ui_customization: Json = {}
    logging: Json = {}
    retention_policy: Retention = Retention()
    observability: Observability = Observability()
    cache: Json = {}
    webhooks: WebhookSettings = WebhookSettings()
    feature_switches: list[str] = []
    reserved_ports: list[int] = []
    resource_manager: Json = {}
    resource_pools: list[Json] = []
    additional_resource_managers: list[Json] = []
    scim: Json = {}
    saml: Json = {}
    oidc: Json = {}
    integrations: Json = {}
    internal: Json = msgspec.field(default_factory=dict, name="__internal")
    scheduler: Json | None = None


SESSION_LIFETIME = 7 * DAY
"""How long a login lasts."""

PREEMPTION_TIMEOUT = 3600 * SECOND
"""Grace between a preemption signal and the kill when no configuration says otherwise."""
