"""Templates of configurations. What a template holds is checked where it is used, not here."""

from typing import Any

from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.api.views.common import choose, few, free, is_descending, pagination
from undeterred.base.errors import Exists
from undeterred.base.json import dumps
from undeterred.core.names import storable
from undeterred.core.rights import Right
from undeterred.core.spaces import check_open
from undeterred.store import templates, workspaces
from undeterred.store.database import Tx
from undeterred.store.paging import sql_page
from undeterred.wire import messages as m

_SORTS = {m.GetTemplatesRequestSortBy.SORT_BY_UNSPECIFIED: "name", m.GetTemplatesRequestSortBy.SORT_BY_NAME: "name"}
_FIRST_WORKSPACE = 1
"""Where a template goes that names no workspace."""


@operation("GetTemplates", needs=Right.VIEW_TEMPLATES)
async def get_templates(call: Call, req: m.GetTemplatesRequest) -> m.GetTemplatesResponse:
    """Templates by a part of their name and by workspace, in the order of their names; limit -2 gives all, and says none."""
    choose(_SORTS, req.sort_by, "sortBy")
    where, descending = few(req.workspace_ids, "workspaceIds"), is_descending(req.order_by)

    def load(tx: Tx) -> m.GetTemplatesResponse:
        scope = call.scope(tx, Right.VIEW_TEMPLATES)
        page = sql_page(req.offset, req.limit, templates.count(tx, scope, req.name, where))
        end = None if req.limit == -2 else page.end
        rows = templates.search(tx, scope, req.name, where, descending=descending, start=page.start, end=end)
        return m.GetTemplatesResponse(templates=[_message(row) for row in rows], pagination=pagination(page))

    return await call.read(load)


@operation("GetTemplate", needs=Right.VIEW_TEMPLATES)
async def get_template(call: Call, req: m.GetTemplateRequest) -> m.GetTemplateResponse:
    """One template by its exact name."""

    def load(tx: Tx) -> m.Template:
        row = templates.get(tx, req.template_name)
        _require(call, tx, Right.VIEW_TEMPLATES, row)
        return _message(row)

    return m.GetTemplateResponse(template=await call.read(load))


@operation("PostTemplate", needs=Right.CREATE_TEMPLATES)
async def post_template(call: Call, req: m.PostTemplateRequest) -> m.PostTemplateResponse:
    """Create a template."""
    given = req.template or m.Template()
    name, config = storable(given.name), dumps(given.config or {})

    def create(tx: Tx) -> m.Template:
        workspace_id = given.workspace_id or _FIRST_WORKSPACE
        _check_workspace(call, tx, Right.CREATE_TEMPLATES, workspace_id)
        _check_free(tx, name)
        templates.create(tx, name, workspace_id, config)
        return _message(templates.get(tx, name))

    return m.PostTemplateResponse(template=await call.write(create))


@operation("PutTemplate", needs=(Right.CREATE_TEMPLATES, Right.UPDATE_TEMPLATES))
async def put_template(call: Call, req: m.PutTemplateRequest) -> m.PutTemplateResponse:
    """Create a template or replace it, also in another workspace. The answer repeats the request."""
    given = req.template or m.Template()
    name, config = storable(given.name), dumps(given.config or {})

    def put(tx: Tx) -> int:
        found = templates.find(tx, name)
        if found is not None:
            _require(call, tx, Right.UPDATE_TEMPLATES, found)
        workspace_id = given.workspace_id or (_FIRST_WORKSPACE if found is None else found.workspace_id)
        for right in (Right.CREATE_TEMPLATES, Right.UPDATE_TEMPLATES):
            _check_workspace(call, tx, right, workspace_id)
        if found is None:
            templates.create(tx, name, workspace_id, config)
            return given.workspace_id
        templates.update(tx, found.id, workspace_id=workspace_id, config=config)
        return int(workspace_id)

    workspace_id = await call.write(put)
    return m.PutTemplateResponse(template=m.Template(name=given.name, config=given.config, workspace_id=workspace_id))


@operation("PatchTemplateConfig", needs=Right.UPDATE_TEMPLATES)
async def patch_template_config(call: Call, req: m.PatchTemplateConfigRequest) -> m.PatchTemplateConfigResponse:
    """Replace the whole configuration of a template."""
    return m.PatchTemplateConfigResponse(
        template=await call.write(lambda tx: _change(call, tx, req.template_name, config=dumps(req.config or {})))
    )


@operation("PatchTemplateName", needs=Right.UPDATE_TEMPLATES)
async def patch_template_name(call: Call, req: m.PatchTemplateNameRequest) -> m.PatchTemplateNameResponse:
    """Rename a template; an empty name is a name."""
    return m.PatchTemplateNameResponse(
        template=await call.write(lambda tx: _change(call, tx, req.old_name, name=storable(req.new_name)))
    )


@operation("DeleteTemplate", needs=Right.DELETE_TEMPLATES)
async def delete_template(call: Call, req: m.DeleteTemplateRequest) -> m.DeleteTemplateResponse:
    """Remove a template; what was made with it stays as it is."""

    def remove(tx: Tx) -> None:
        row = templates.get(tx, req.template_name)
        _require(call, tx, Right.DELETE_TEMPLATES, row)
        templates.delete(tx, row.id)

    await call.write(remove)
    return m.DeleteTemplateResponse()


def _change(call: Call, tx: Tx, old_name: str, **columns: str) -> m.Template:
    row = templates.get(tx, old_name)
    _require(call, tx, Right.UPDATE_TEMPLATES, row)
    if columns.get("name", row.name) != row.name:
        _check_free(tx, columns["name"])
    templates.update(tx, row.id, **columns)
    return _message(templates.get(tx, columns.get("name", row.name)))


def _check_free(tx: Tx, name: str) -> None:
    if templates.find(tx, name) is not None:
        raise Exists(f"there is a template named {name[:80]!r} already")


def _check_workspace(call: Call, tx: Tx, right: Right, workspace_id: int) -> None:
    row = workspaces.get(tx, workspace_id)
    missing = f"workspace {workspace_id} not found"
    call.require(tx, right, workspace=row.id, workspace_owner=row.user_id, missing=missing)
    check_open(f"workspace {row.id}", archived=row.archived, state=row.state)


def _require(call: Call, tx: Tx, right: Right, row: Any) -> None:
    missing = str(templates.missing(row.name))
    call.require(tx, right, workspace=row.workspace_id, workspace_owner=row.workspace_owner, missing=missing)


def _message(row: Any) -> m.Template:
    return m.Template(name=row.name, config=free(row.config), workspace_id=row.workspace_id)
