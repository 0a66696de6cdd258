"""Versions of models: checkpoints with a number, which are kept as long as the version is."""

from typing import Any

from undeterred.api.call import Call
from undeterred.api.models import targets
from undeterred.api.operation import operation
from undeterred.api.views import models as views
from undeterred.api.views.common import choose, given, is_descending, pagination
from undeterred.api.views.metrics import report_messages
from undeterred.api.views.sources import source_kind
from undeterred.base.errors import Invalid, Refused
from undeterred.base.ids import is_uuid
from undeterred.core.rights import Right
from undeterred.store import checkpoints, models, source_metrics
from undeterred.store.database import Tx
from undeterred.store.paging import memory_page
from undeterred.wire import messages as m

_VIEW, _EDIT = Right.VIEW_MODEL_REGISTRY, Right.EDIT_MODEL_REGISTRY
_By = m.GetModelVersionsRequestSortBy
_SORTS = {_By.SORT_BY_UNSPECIFIED: "version", _By.SORT_BY_VERSION: "version", _By.SORT_BY_CREATION_TIME: "created"}


@operation("GetModelVersions", needs=_VIEW)
async def get_model_versions(call: Call, req: m.GetModelVersionsRequest) -> m.GetModelVersionsResponse:
    """The versions of a model with their checkpoints, by number."""
    sort, descending = choose(_SORTS, req.sort_by, "sortBy"), is_descending(req.order_by)

    def load(tx: Tx) -> m.GetModelVersionsResponse:
        model = targets.model(call, tx, _VIEW, req.model_name)
        page = memory_page(req.offset, req.limit, model.num_versions)
        rows = models.versions(tx, model.id, sort, descending=descending, start=page.start, end=page.end)
        return m.GetModelVersionsResponse(
            model=views.model_message(model),
            model_versions=views.listed_versions(tx, model, rows),
            pagination=pagination(page),
        )

    return await call.read(load)


@operation("GetModelVersion", needs=_VIEW)
async def get_model_version(call: Call, req: m.GetModelVersionRequest) -> m.GetModelVersionResponse:
    """One version by its number."""

    def load(tx: Tx) -> m.ModelVersion:
        model = targets.model(call, tx, _VIEW, req.model_name)
        return _shown(tx, model, req.model_version_num)

    return m.GetModelVersionResponse(model_version=await call.read(load))


@operation("PostModelVersion", needs=(_EDIT, Right.VIEW_EXPERIMENT_ARTIFACTS))
async def post_model_version(call: Call, req: m.PostModelVersionRequest) -> m.PostModelVersionResponse:
    """Register a complete checkpoint as the next version of a model; the same one may be registered any number of times."""
    if not is_uuid(req.checkpoint_uuid):
        raise Invalid(f"checkpointUuid: {req.checkpoint_uuid[:80]!r} is no uuid of a checkpoint")
    texts = {"name": req.name, "comment": req.comment, "notes": req.notes}
    columns = targets.columns(texts, req.metadata or {}, req.labels)

    def register(tx: Tx) -> m.ModelVersion:
        model = targets.model(call, tx, _EDIT, req.model_name, change=True)
        targets.check_open(model)
        checkpoint = _checkpoint(call, tx, req.checkpoint_uuid)
        number = models.add_version(tx, model.id, **columns, checkpoint_id=checkpoint.id, user_id=call.who.user_id)
        model = models.get(tx, str(model.id))
        return views.created_version(tx, model, models.get_version(tx, model, number))

    return m.PostModelVersionResponse(model_version=await call.write(register))


@operation("PatchModelVersion", needs=_EDIT)
async def patch_model_version(call: Call, req: m.PatchModelVersionRequest) -> m.PatchModelVersionResponse:
    """Change name, comment, notes, labels or metadata (as a whole) of a version; its checkpoint never changes."""
    wanted = req.model_version or m.PatchModelVersion()
    texts = {"name": wanted.name, "comment": wanted.comment, "notes": wanted.notes}
    columns = targets.columns(texts, wanted.metadata, wanted.labels)

    def patch(tx: Tx) -> m.ModelVersion:
        model = targets.model(call, tx, _EDIT, req.model_name, change=True)
        row = models.get_version(tx, model, req.model_version_num)
        changed = targets.differing(row, columns)
        if not changed:
            return _shown(tx, model, row.version)
        models.update_version(tx, row.id, **changed)
        return views.changed_version(tx, model, models.get_version(tx, model, row.version))

    return m.PatchModelVersionResponse(model_version=await call.write(patch))


@operation("DeleteModelVersion", needs=Right.DELETE_MODEL_VERSION)
async def delete_model_version(call: Call, req: m.DeleteModelVersionRequest) -> m.DeleteModelVersionResponse:
    """Remove a version, whose number is not given out again; its checkpoint stays, and is no longer protected by it."""

    def remove(tx: Tx) -> None:
        model = models.locked(tx, req.model_name)
        row = models.find_version(tx, model.id, req.model_version_num)
        call.require(
            tx,
            Right.DELETE_MODEL_VERSION,
            workspace=model.workspace_id,
            owner=call.who.user_id if row is None else row.user_id,
            workspace_owner=model.workspace_owner,
            missing=str(models.missing(req.model_name)),
        )
        models.delete_version(tx, models.get_version(tx, model, req.model_version_num).id)

    await call.write(remove)
    return m.DeleteModelVersionResponse()


@operation("GetTrialMetricsByModelVersion", needs=(_VIEW, Right.VIEW_EXPERIMENT_ARTIFACTS))
async def get_trial_metrics_by_model_version(
    call: Call, req: m.GetTrialMetricsByModelVersionRequest
) -> m.GetTrialMetricsByModelVersionResponse:
    """What trials have measured that said that they use this version, in one group of metrics or in all."""
    kind, group = source_kind(req.trial_source_info_type), given(req.metric_group) or ""

    def load(tx: Tx) -> list[m.MetricsReport]:
        model = targets.model(call, tx, _VIEW, req.model_name)
        version = models.get_version(tx, model, req.model_version_num).version
        scope = call.scope(tx, Right.VIEW_EXPERIMENT_ARTIFACTS)
        rows = source_metrics.of_version(tx, scope, model.id, version, kind, group)
        return [message for row in rows for message in report_messages([row], row.run_id, row.group)]

    return m.GetTrialMetricsByModelVersionResponse(metrics=await call.read(load))


def _shown(tx: Tx, model: Any, number: int) -> m.ModelVersion:
    return views.version_messages(tx, model, [models.get_version(tx, model, number)])[0]


def _checkpoint(call: Call, tx: Tx, uuid: str) -> Any:
    """The checkpoint to register, held until the commit; raises NotFound, Forbidden, or Refused for one without all its files."""
    (row,) = checkpoints.several(tx, [uuid])
    call.require(
        tx,
        Right.VIEW_EXPERIMENT_ARTIFACTS,
        workspace=row.workspace_id,
        owner=row.user_id,
        workspace_owner=row.workspace_owner,
        missing=str(checkpoints.missing(uuid)),
    )
    if row.state != checkpoints.COMPLETED:
        raise Refused(f"checkpoint {row.uuid} is {row.state}; only a COMPLETED one can be a version of a model")
    if row.doomed:
        raise Refused(f"the files of checkpoint {row.uuid} are being removed")
    return row
