"""TensorBoards: the event files of experiments and trials, shown behind the proxy. They take no slots."""

from collections.abc import Sequence
from typing import Any

from undeterred.api.call import Call
from undeterred.api.choices import choice_of
from undeterred.api.ntsc import common
from undeterred.api.ntsc.common import Asked, Kind, Prepared, Setup
from undeterred.api.operation import operation
from undeterred.api.views import ntsc as views
from undeterred.api.views.common import few
from undeterred.base import json
from undeterred.base.clock import SECOND
from undeterred.base.errors import Invalid, NotFound
from undeterred.base.struct import Struct
from undeterred.core.config.ntsc import TaskKind
from undeterred.core.lifecycle.experiment import ExperimentState
from undeterred.core.rights import Right
from undeterred.engine import eventfiles
from undeterred.engine.tasks import Launch, Proxied
from undeterred.store import experiment_bulk, ntsc
from undeterred.store.database import Tx
from undeterred.wire import messages as m

KIND = Kind(TaskKind.TENSORBOARD, "TENSORBOARD", "TensorBoard")
PORT = "TENSORBOARD_PORT"

_START = """\
exec python3 -m tensorboard.main --host 127.0.0.1 --port "$TENSORBOARD_PORT" --path_prefix "$TENSORBOARD_PREFIX" "$@\""""


class Source(Struct, frozen=True):
    """An experiment (with `trial_id` only that trial of it) whose files are shown."""

    experiment_id: int
    trial_id: int | None
    config: dict[str, Any]

    @property
    def storage(self) -> dict[str, Any]:
        """Where its files are."""
        return self.config.get("checkpoint_storage") or {}

    @property
    def name(self) -> str:
        """How its curves are named where there are several sources."""
        return f"experiment_{self.experiment_id}" + ("" if self.trial_id is None else f"_trial_{self.trial_id}")


@operation("LaunchTensorboard", needs=(Right.CREATE_NSC, Right.VIEW_EXPERIMENT_ARTIFACTS))
async def launch(call: Call, req: m.LaunchTensorboardRequest) -> m.LaunchTensorboardResponse:
    """Show the files of experiments, trials, or the experiments that a filter chooses; a given description is not used."""
    sources = await call.read(lambda tx: _sources(call, tx, req))
    timeout = call.settings.tensorboard_timeout * SECOND
    newest = max(sources, key=lambda source: source.experiment_id).config
    prepared = await common.prepare(
        call,
        KIND.word,
        Asked(req.config or {}, req.template_name, req.workspace_id, req.files),  # type: ignore[arg-type]
        inherited=_inherited(newest),
        idle_timeout=timeout,
    )
    row = await common.start(call, KIND, prepared, _setup(call, req, prepared, sources))
    return m.LaunchTensorboardResponse(tensorboard=_message(row), config=views.shown_config(KIND.word, row))


@operation("GetTensorboards", needs=Right.VIEW_NSC)
async def list_tensorboards(call: Call, req: m.GetTensorboardsRequest) -> m.GetTensorboardsResponse:
    """TensorBoards that live or ended within the last day."""
    tensorboards, page = await common.listed(call, KIND, req, _message)
    return m.GetTensorboardsResponse(tensorboards=tensorboards, pagination=page)


@operation("GetTensorboard", needs=Right.VIEW_NSC)
async def get(call: Call, req: m.GetTensorboardRequest) -> m.GetTensorboardResponse:
    """One TensorBoard with its configuration."""
    row = await common.get(call, KIND, req.tensorboard_id)
    return m.GetTensorboardResponse(tensorboard=_message(row), config=views.shown_config(KIND.word, row))


@operation("KillTensorboard", needs=Right.UPDATE_NSC)
async def kill(call: Call, req: m.KillTensorboardRequest) -> m.KillTensorboardResponse:
    """End a TensorBoard at once; the answer does not tell yet how it ended."""
    row, lived = await common.kill(call, KIND, req.tensorboard_id)
    message = _message(row)
    if lived:
        message.exit_status = ""
    return m.KillTensorboardResponse(tensorboard=message)


@operation("SetTensorboardPriority", needs=Right.UPDATE_NSC)
async def set_priority(call: Call, req: m.SetTensorboardPriorityRequest) -> m.SetTensorboardPriorityResponse:
    """Change the place in the queue."""
    row = await common.set_priority(call, KIND, req.tensorboard_id, req.priority)
    return m.SetTensorboardPriorityResponse(tensorboard=_message(row))


def _sources(call: Call, tx: Tx, req: m.LaunchTensorboardRequest) -> list[Source]:
    """What is to be shown, in the order of the request; every part must exist and be visible."""
    experiment_ids, trial_ids = list(few(req.experiment_ids, "experimentIds")), list(few(req.trial_ids, "trialIds"))
    if req.filters is not None:
        scope = call.scope(tx, Right.VIEW_EXPERIMENT_ARTIFACTS)
        found = experiment_bulk.ids(tx, scope, choice_of(req.filters), tuple(ExperimentState))
        experiment_ids += few(found, "experiments chosen by the filter")
    if not experiment_ids and not trial_ids:
        what = "the filter chooses no experiment" if req.filters is not None else "give experimentIds, trialIds or filters"
        raise Invalid(f"a TensorBoard needs something to show: {what}")
    of_trials = ntsc.experiment_of_trials(tx, trial_ids)
    for trial_id in trial_ids:
        if trial_id not in of_trials:
            raise NotFound(f"trial {trial_id} not found")
    configs = _configs(call, tx, {*experiment_ids, *of_trials.values()})
    whole = [Source(number, None, configs[number]) for number in dict.fromkeys(experiment_ids)]
    return whole + [Source(of_trials[number], number, configs[of_trials[number]]) for number in dict.fromkeys(trial_ids)]


def _configs(call: Call, tx: Tx, experiment_ids: set[int]) -> dict[int, dict[str, Any]]:
    rows = {row.id: row for row in ntsc.experiments_of(tx, experiment_ids)}
    for number in sorted(experiment_ids):
        if number not in rows:
            raise NotFound(f"experiment {number} not found")
    for row in {(row.workspace_id, row.user_id): row for row in rows.values()}.values():
        call.require(
            tx,
            Right.VIEW_EXPERIMENT_ARTIFACTS,
            workspace=row.workspace_id,
            owner=row.user_id,
            workspace_owner=row.workspace_owner,
            missing=f"experiment {row.id} not found",
        )
    return {number: json.loads(row.config) for number, row in rows.items()}


def _inherited(config: dict[str, Any]) -> dict[str, Any]:
    """What is taken over from the newest experiment: the image and the way to get it."""
    environment = config.get("environment") or {}
    return {"environment": {name: environment[name] for name in ("image", "registry_auth") if environment.get(name)}}


def _setup(call: Call, req: m.LaunchTensorboardRequest, prepared: Prepared, sources: Sequence[Source]) -> Setup:
    cluster_id = call.engine.cluster_id
    real = [eventfiles.real_path(one.storage, cluster_id, one.experiment_id, one.trial_id) for one in sources]
    shown = [eventfiles.shown_path(one.storage, cluster_id, one.experiment_id, one.trial_id) for one in sources]
    named = ",".join(f"{one.name}:{path}" for one, path in zip(sources, real, strict=True))
    where = ("--logdir", real[0]) if len(real) == 1 else ("--logdir_spec", named)
    idle = prepared.resolved.idle_timeout
    storage = max(sources, key=lambda source: source.experiment_id).storage
    launch = Launch(
        argv=("/bin/sh", "-c", _START, "tensorboard", *where, *(prepared.resolved.config.get("tensorboard_args") or ())),
        env=eventfiles.variables(storage) | {"TENSORBOARD_PREFIX": f"{call.settings.undeterred.prefix}/proxy/{prepared.task_id}"},
        port_names=(PORT,),
        ready_port=PORT,
        proxied=(Proxied(PORT),),
        idle_seconds=None if idle is None else idle // SECOND,
    )
    detail = {"experiment_ids": req.experiment_ids, "trial_ids": req.trial_ids, "paths": shown}
    return Setup(launch, detail | {"config": {"bind_mounts": _mounts(prepared, storage)}})


def _mounts(prepared: Prepared, storage: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The mounts that clients are shown: the shared file system belongs to them."""
    configured = list(prepared.resolved.config.get("bind_mounts") or ())
    if storage.get("type") != "shared_fs":
        return configured or None
    shared = {
        "container_path": eventfiles.SHARED_FS,
        "host_path": storage.get("host_path"),
        "propagation": storage.get("propagation") or "rprivate",
        "read_only": False,
    }
    return [*configured, shared]


def _message(row: Any) -> m.Tensorboard:
    detail = views.detail(row)
    return m.Tensorboard(
        **views.common_fields(row),
        experiment_ids=detail.get("experiment_ids", []),
        trial_ids=detail.get("trial_ids", []),
        service_address=f"/proxy/{row.id}/",
    )
