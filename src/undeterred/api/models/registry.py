"""Models: what people call the thing whose checkpoints they register."""

from typing import Any

from undeterred.api.call import Call
from undeterred.api.models import targets
from undeterred.api.operation import operation
from undeterred.api.views import models as views
from undeterred.api.views.common import choose, few, given, is_descending, pagination
from undeterred.base.errors import Exists, Invalid, NotFound
from undeterred.core.names import check_model_name, storable
from undeterred.core.rights import Right
from undeterred.core.spaces import check_open
from undeterred.store import models, workspaces
from undeterred.store.database import Tx
from undeterred.store.models import ModelFilter
from undeterred.store.paging import memory_page
from undeterred.wire import messages as m

_VIEW, _EDIT, _CREATE = Right.VIEW_MODEL_REGISTRY, Right.EDIT_MODEL_REGISTRY, Right.CREATE_MODEL_REGISTRY
_MOST_LABELS = 200
"""Labels that a list can be filtered by."""
_FIRST_WORKSPACE = 1
"""Where a model goes that names no workspace."""

_By = m.GetModelsRequestSortBy
_SORTS = {
    _By.SORT_BY_UNSPECIFIED: "id",
    _By.SORT_BY_NAME: "name",
    _By.SORT_BY_DESCRIPTION: "description",
    _By.SORT_BY_CREATION_TIME: "created",
    _By.SORT_BY_LAST_UPDATED_TIME: "updated",
    _By.SORT_BY_NUM_VERSIONS: "versions",
    _By.SORT_BY_WORKSPACE: "workspace",
}


@operation("GetModels", needs=_VIEW)
async def get_models(call: Call, req: m.GetModelsRequest) -> m.GetModelsResponse:
    """Models by name, description, labels (one of them is enough), maker and workspace; unknown workspace names are ignored."""
    sort, descending = choose(_SORTS, req.sort_by, "sortBy"), is_descending(req.order_by)

    def load(tx: Tx) -> m.GetModelsResponse:
        scope = call.scope(tx, _VIEW)
        which = _filter(tx, req)
        page = memory_page(req.offset, req.limit, models.count(tx, scope, which))
        rows = models.search(tx, scope, which, sort, descending=descending, start=page.start, end=page.end)
        return m.GetModelsResponse(models=[views.model_message(row) for row in rows], pagination=pagination(page))

    return await call.read(load)


@operation("GetModel", needs=_VIEW)
async def get_model(call: Call, req: m.GetModelRequest) -> m.GetModelResponse:
    """One model by its name, or by its number in the same place."""
    row = await call.read(lambda tx: targets.model(call, tx, _VIEW, req.model_name))
    return m.GetModelResponse(model=views.model_message(row))


@operation("GetModelLabels", needs=_VIEW)
async def get_model_labels(call: Call, req: m.GetModelLabelsRequest) -> m.GetModelLabelsResponse:
    """Every label of models, or of those in one workspace, the most used first."""
    where = given(req.workspace_id)
    return m.GetModelLabelsResponse(labels=await call.read(lambda tx: models.labels(tx, call.scope(tx, _VIEW), where)))


@operation("PostModel", needs=_CREATE)
async def post_model(call: Call, req: m.PostModelRequest) -> m.PostModelResponse:
    """Make a model without versions, in the workspace of a number, else of a name, else in the first one."""
    name = storable(req.name)
    check_model_name(name)
    columns = targets.columns({"description": req.description, "notes": req.notes}, req.metadata or {}, req.labels)

    def create(tx: Tx) -> Any:
        workspace_id = _workspace_meant(tx, req)
        _check_workspace(call, tx, _FIRST_WORKSPACE if workspace_id is None else workspace_id)
        _check_free(tx, name)
        made = models.create(tx, **columns, name=name, user_id=call.who.user_id, workspace_id=workspace_id or _FIRST_WORKSPACE)
        return models.get(tx, str(made))

    return m.PostModelResponse(model=views.created(await call.write(create)))


@operation("PatchModel", needs=_EDIT)
async def patch_model(call: Call, req: m.PatchModelRequest) -> m.PatchModelResponse:
    """Change what the request names; a model is brought into another workspace by MoveModel, not by this."""
    wanted = req.model or m.PatchModel()
    texts = {"name": wanted.name, "description": wanted.description, "notes": wanted.notes}
    columns = targets.columns(texts, wanted.metadata, wanted.labels)

    def patch(tx: Tx) -> m.Model:
        row = targets.model(call, tx, _EDIT, req.model_name, change=True)
        targets.check_open(row)
        workspace_id = _workspace_meant(tx, wanted)
        if workspace_id not in (None, row.workspace_id):
            workspaces.get(tx, workspace_id)
            raise Invalid("a model is brought into another workspace by POST /models/{name}/move")
        changed = targets.differing(row, columns)
        if not changed:
            return views.model_message(row)
        if "name" in changed:
            check_model_name(changed["name"])
            _check_free(tx, changed["name"])
        models.update(tx, row.id, **changed)
        return views.changed(models.get(tx, str(row.id)))

    return m.PatchModelResponse(model=await call.write(patch))


@operation("ArchiveModel", needs=_EDIT)
async def archive_model(call: Call, req: m.ArchiveModelRequest) -> m.ArchiveModelResponse:
    """Forbid changes and new versions; archived already, it stays so."""
    await _set_archived(call, req.model_name, archived=True)
    return m.ArchiveModelResponse()


@operation("UnarchiveModel", needs=_EDIT)
async def unarchive_model(call: Call, req: m.UnarchiveModelRequest) -> m.UnarchiveModelResponse:
    """Allow changes again."""
    await _set_archived(call, req.model_name, archived=False)
    return m.UnarchiveModelResponse()


@operation("MoveModel", needs=(_EDIT, _CREATE))
async def move_model(call: Call, req: m.MoveModelRequest) -> m.MoveModelResponse:
    """Bring a model into another workspace, where the caller must be allowed to make models."""

    def move(tx: Tx) -> None:
        row = targets.model(call, tx, _EDIT, req.model_name, change=True)
        _check_workspace(call, tx, req.destination_workspace_id)
        if row.workspace_id != req.destination_workspace_id:
            models.update(tx, row.id, workspace_id=req.destination_workspace_id)

    await call.write(move)
    return m.MoveModelResponse()


@operation("DeleteModel", needs=Right.DELETE_MODEL_REGISTRY)
async def delete_model(call: Call, req: m.DeleteModelRequest) -> m.DeleteModelResponse:
    """Remove a model with its versions; their checkpoints stay, and are no longer protected by them."""

    def remove(tx: Tx) -> None:
        row = targets.model(call, tx, Right.DELETE_MODEL_REGISTRY, req.model_name, change=True)
        models.delete(tx, row.id)

    await call.write(remove)
    return m.DeleteModelResponse()


def _filter(tx: Tx, req: m.GetModelsRequest) -> ModelFilter:
    named = workspaces.ids_by_names(tx, few(req.workspace_names, "workspaceNames")) if req.workspace_names else {}
    return ModelFilter(
        id=req.id,
        name=storable(req.name),
        description=storable(req.description),
        archived=req.archived,
        labels=[storable(label) for label in few(req.labels, "labels", _MOST_LABELS)],
        users=[storable(user) for user in few(req.users, "users")],
        user_ids=few(req.user_ids, "userIds"),
        workspace_ids={*few(req.workspace_ids, "workspaceIds"), *named.values()},
    )


def _workspace_meant(tx: Tx, req: m.PostModelRequest | m.PatchModel) -> int | None:
    """The workspace that a request means by number or by name, None when it means none; raises NotFound for an unknown name."""
    number, name = given(req.workspace_id), given(req.workspace_name)
    if number:
        return number
    if not name:
        return None
    found = workspaces.ids_by_names(tx, [name]).get(name)
    if found is None:
        raise NotFound(f"workspace {name[:80]!r} not found")
    return found


def _check_workspace(call: Call, tx: Tx, workspace_id: int) -> None:
    """Raises NotFound, Forbidden or Refused unless the caller may make a model there."""
    row = workspaces.locked(tx, workspace_id)
    call.require(tx, _CREATE, workspace=row.id, workspace_owner=row.user_id, missing=f"workspace {workspace_id} not found")
    check_open(f"workspace {row.id}", archived=row.archived, state=row.state)


def _check_free(tx: Tx, name: str) -> None:
    if models.by_name(tx, name) is not None:
        raise Exists(f"there is a model named {name[:80]!r} already")


async def _set_archived(call: Call, name: str, *, archived: bool) -> None:
    def change(tx: Tx) -> None:
        row = targets.model(call, tx, _EDIT, name, change=True)
        if row.archived != archived:
            models.update(tx, row.id, archived=archived)

    await call.write(change)
