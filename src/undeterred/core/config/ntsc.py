"""The configuration of notebooks, TensorBoards, shells, commands and generic tasks.

It resembles that of an experiment without training: one set of slots, an entrypoint, an idle time. Highest first: the request,
what a TensorBoard inherits from an experiment, the template, the defaults for task containers, the defaults of the fields. The
template may hold keys that only experiments know. It has no say over slots and pool: those are settled before it is looked at.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from undeterred.base.struct import Struct
from undeterred.core import durations
from undeterred.core.config import schema, shims, tcd
from undeterred.core.config.checks import read_layer
from undeterred.core.config.defaults import fill
from undeterred.core.config.kinds import (
    Anything,
    Field,
    Flag,
    Items,
    Kind,
    Null,
    Number,
    Pod,
    Record,
    Shaped,
    Size,
    Table,
    Text,
    Tree,
    Whole,
)
from undeterred.core.config.merge import merge_all
from undeterred.core.config.problems import CONFIG, DEFAULTS, TEMPLATE, Problems

IDLE_TYPES = ("kernels_or_terminals", "kernel_connections", "activity")
_TEXT, _FLAG, _LEGACY = Text(), Flag(), Field(Anything(), ignored=True)
_TEXTS = Items(_TEXT)
_INHERITED = "<experiment>"


class TaskKind(Enum):
    """What is launched; the value is the word in front of its default description."""

    NOTEBOOK = "JupyterLab"
    TENSORBOARD = "TensorBoard"
    SHELL = "Shell"
    COMMAND = "Command"
    GENERIC = "Task"


def go_duration(microseconds: int) -> str:
    """A duration as Go prints it: "5m0s", "1h0m0s", "1.5s", "0s"."""
    sign, rest = ("-", -microseconds) if microseconds < 0 else ("", microseconds)
    if 0 < rest < 1_000_000:
        return f"{sign}{rest / 1000:g}ms" if rest >= 1000 else f"{sign}{rest}µs"
    minutes, rest = divmod(rest, 60_000_000)
    whole, part = divmod(rest, 1_000_000)
    seconds = f"{whole}.{part:06d}".rstrip("0") if part else str(whole)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{sign}{hours}h{minutes}m{seconds}s"
    return f"{sign}{minutes}m{seconds}s" if minutes else f"{sign}{seconds}s"


def _usual_duration(value: Any) -> Any:
    """A duration in the form that is shown; what is none stays as it is."""
    try:
        return go_duration(durations.parse(value)) if isinstance(value, str) else value
    except ValueError:
        return value


def _is_duration(text: Any) -> str | None:
    try:
        return None if durations.parse(text) >= 0 else "must not be negative"
    except ValueError as error:
        return str(error)


ENVIRONMENT = Record(
    {
        "add_capabilities": Field(_TEXTS),
        "drop_capabilities": Field(_TEXTS),
        "environment_variables": Field(schema.VARIABLES, {}),
        "force_pull_image": Field(_FLAG, False),
        "image": Field(schema.IMAGES, {}),
        "pod_spec": Field(Pod()),
        "ports": Field(Table(Whole())),
        "proxy_ports": Field(schema.PROXY_PORTS),
        "registry_auth": Field(schema.REGISTRY_AUTH, hide_null=True),
    }
)

RESOURCES = Record(
    {
        "agent_label": _LEGACY,
        "devices": Field(schema.DEVICES),
        "is_single_node": Field(Null("such a task always runs on one machine")),
        "priority": Field(schema.PRIORITY),
        "resource_pool": Field(_TEXT, ""),
        "shm_size": Field(Size(), hide_null=True),
        "slots": Field(Whole(0), 1),
        "weight": Field(Number(minimum=0), 1),
    }
)

TASK = Record(
    {
        "bind_mounts": Field(schema.BIND_MOUNTS),
        "debug": Field(_FLAG, False),
        "description": Field(_TEXT, ""),
        "entrypoint": Field(Shaped(shims.strings, _TEXTS)),
        "environment": Field(ENVIRONMENT, {}),
        "idle_timeout": Field(Shaped(_usual_duration, Text(rule=_is_duration))),
        "notebook_idle_type": Field(Text(IDLE_TYPES), IDLE_TYPES[0]),
        "pbs": Field(schema.PBS, {}),
        "resources": Field(RESOURCES, {}),
        "slurm": Field(schema.SLURM, {}),
        "tensorboard_args": Field(_TEXTS, hide_null=True),
        "work_dir": Field(_TEXT),
    }
)


class Wanted(Struct, frozen=True):
    """What must be known before the pool of a task can be looked up."""

    pool: str
    slots: int


class ResolvedTask(Struct, frozen=True):
    """A complete task configuration; `config` is plain JSON data as clients see it, keys in alphabetical order."""

    config: Tree

    @property
    def description(self) -> str:
        """The description."""
        return str(self.config["description"])

    @property
    def entrypoint(self) -> list[str]:
        """The user's command as an argument list; a single argument is a line for a shell. Empty when there is none."""
        return list(self.config["entrypoint"] or [])

    @property
    def slots(self) -> int:
        """Slots of the task, 0 for none."""
        return int(self.config["resources"]["slots"])

    @property
    def pool(self) -> str:
        """The resource pool."""
        return str(self.config["resources"]["resource_pool"])

    @property
    def priority(self) -> int | None:
        """1 to 99, None where the pool's scheduler knows no priorities."""
        found: int | None = self.config["resources"]["priority"]
        return found

    @property
    def weight(self) -> float:
        """The share under fair-share scheduling."""
        return float(self.config["resources"]["weight"])

    @property
    def idle_timeout(self) -> int | None:
        """Microseconds without use after which the task is ended; None for never."""
        text = self.config["idle_timeout"]
        return None if text is None else durations.parse(text)

    @property
    def idle_type(self) -> str:
        """What counts as use of a notebook."""
        return str(self.config["notebook_idle_type"])

    @property
    def work_dir(self) -> str | None:
        """The directory to work in, None for the task's own."""
        found: str | None = self.config["work_dir"]
        return found


def default_description(kind: TaskKind, words: str) -> str:
    """The description of a task that was given none, such as "Shell (calm-jade-otter)"."""
    return f"{kind.value} ({words})"


def wanted(kind: TaskKind, submitted: Mapping[str, Any]) -> Wanted:
    """Pool and slots of a request (TensorBoards take none); what cannot be read counts as not given, `resolve_ntsc` tells it."""
    config = fill(TASK, read_layer(TASK, submitted, CONFIG, Problems("")))
    return Wanted(config["resources"]["resource_pool"], 0 if kind is TaskKind.TENSORBOARD else config["resources"]["slots"])


def resolve_ntsc(
    kind: TaskKind,
    submitted: Mapping[str, Any],
    template: Mapping[str, Any] | None = None,
    task_container_defaults: Mapping[str, Any] | None = None,
    *,
    pool: str,
    priority: int | None,
    description: str,
    inherited: Mapping[str, Any] | None = None,
    idle_timeout: int | None = None,
    has_files: bool = False,
) -> ResolvedTask:
    """The complete configuration of a task; raises Invalid with the mistakes of all sources, one per line.

    `pool` is the one that was found for the request, `priority` its default, `description` what stands in for a missing one (and
    always for a TensorBoard), `inherited` what a TensorBoard takes over from its newest experiment, `idle_timeout` (microseconds)
    what counts when none is configured, `has_files` whether a context directory comes with the request.
    """
    problems = Problems("invalid task configuration")
    slots = wanted(kind, submitted).slots
    layers = [
        read_layer(TASK, submitted, CONFIG, problems),
        read_layer(TASK, inherited, _INHERITED, problems),
        read_layer(TASK, _of_template(template), TEMPLATE, problems),
        read_layer(TASK, tcd.task_layer(task_container_defaults, slots), DEFAULTS, problems),
        {"idle_timeout": None if idle_timeout is None else go_duration(idle_timeout)},
    ]
    merged = merge_all(TASK, layers)
    if kind is TaskKind.TENSORBOARD or merged.get("description") is None:
        merged["description"] = description
    config = fill(TASK, merged)
    resources = config["resources"]
    resources |= {"resource_pool": pool, "slots": slots}
    resources["priority"] = priority if resources["priority"] is None else resources["priority"]
    _report(kind, config, has_files, problems)
    problems.raise_if_any()
    return ResolvedTask(config)


def shown_entrypoint(kind: TaskKind, entrypoint: list[str], *, port: int = 0, paths: tuple[str, ...] = ()) -> list[str]:
    """The command line as clients of Determined see it in a task's configuration.

    `port` is that of a shell's server, `paths` are the event directories of a TensorBoard.
    """
    home = "/run/determined"
    match kind:
        case TaskKind.COMMAND:
            return [f"{home}/command-entrypoint.sh", *entrypoint]
        case TaskKind.NOTEBOOK:
            return [f"{home}/jupyter/notebook-entrypoint.sh"]
        case TaskKind.SHELL:
            return [f"{home}/ssh/shell-entrypoint.sh", "-f", f"{home}/ssh/sshd_config", "-p", str(port), "-D", "-e"]
        case TaskKind.TENSORBOARD:
            program = [f"{home}/tensorboard/tensorboard-entrypoint.sh", f"{home}/tensorboard/storage_config.json"]
            return [*program, ",".join(paths)]
        case TaskKind.GENERIC:
            return entrypoint


def _of_template(template: Mapping[str, Any] | None) -> Tree:
    """What a template says about tasks."""
    known = _known(TASK, template or {})
    if isinstance(known.get("resources"), dict):
        known["resources"] = {key: item for key, item in known["resources"].items() if key not in ("slots", "resource_pool")}
    return dict(known)


def _known(kind: Kind, value: Any) -> Any:
    """A value without the keys that its kind does not know."""
    if isinstance(kind, Record) and isinstance(value, Mapping):
        return {key: _known(kind.fields[key].kind, item) for key, item in value.items() if key in kind.fields}
    return value


def _report(kind: TaskKind, config: Tree, has_files: bool, problems: Problems) -> None:
    """What only the whole shows."""
    if has_files and config["work_dir"] is not None:
        problems.add(f"{CONFIG}.work_dir", "cannot be set together with a context directory")
    if kind in (TaskKind.COMMAND, TaskKind.GENERIC) and not config["entrypoint"]:
        problems.add_new(f"{CONFIG}.entrypoint", "entrypoint is a required property: say what to run")
