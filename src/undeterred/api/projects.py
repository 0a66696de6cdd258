"""Projects: reading, creating, changing, notes, moving, archiving, deleting."""

import secrets
from collections.abc import Callable
from typing import Any

from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.api.views.common import choose, few, given, is_descending, pagination
from undeterred.api.views.projects import notes_of, project_message
from undeterred.base.errors import Exists, Invalid, Refused
from undeterred.base.json import dumps, loads
from undeterred.core.names import check_project_name, project_key, propose_project_key, storable
from undeterred.core.rights import Right, Rule
from undeterred.core.rights.basic import ADD_PROJECT_NOTE, PATCH_PROJECT
from undeterred.core.spaces import check_open
from undeterred.engine import spaces
from undeterred.store import projects, workspaces
from undeterred.store.database import Tx
from undeterred.store.paging import memory_page
from undeterred.store.projects import ProjectFilter
from undeterred.wire import messages as m

_By = m.GetWorkspaceProjectsRequestSortBy
_SORTS = {
    _By.SORT_BY_UNSPECIFIED: "id",
    _By.SORT_BY_ID: "id",
    _By.SORT_BY_CREATION_TIME: "created_at",
    _By.SORT_BY_LAST_EXPERIMENT_START_TIME: "last_started",
    _By.SORT_BY_NAME: "name",
    _By.SORT_BY_DESCRIPTION: "description",
}
MAX_NOTES = 1000


@operation("GetWorkspaceProjects", needs=Right.VIEW_PROJECT)
async def get_workspace_projects(call: Call, req: m.GetWorkspaceProjectsRequest) -> m.GetWorkspaceProjectsResponse:
    """Projects of one workspace, or with id 0 of all."""
    which = ProjectFilter(
        workspace_id=req.id,
        name=req.name,
        archived=req.archived,
        users=few(req.users, "users"),
        user_ids=few(req.user_ids, "userIds"),
    )
    sort, descending = choose(_SORTS, req.sort_by, "sortBy"), is_descending(req.order_by)

    def load(tx: Tx) -> m.GetWorkspaceProjectsResponse:
        scope = call.scope(tx, Right.VIEW_PROJECT)
        if req.id:
            row = workspaces.get(tx, req.id)
            call.require(tx, Right.VIEW_PROJECT, workspace=req.id, workspace_owner=row.user_id, missing=_no_workspace(req.id))
        page = memory_page(req.offset, req.limit, projects.count(tx, scope, which))
        rows = projects.search(tx, scope, which, sort, descending=descending, start=page.start, end=page.end)
        inside = projects.contents(tx, [row.id for row in rows])
        shown = [project_message(row, inside.get(row.id), named=False) for row in rows]
        return m.GetWorkspaceProjectsResponse(projects=shown, pagination=pagination(page))

    return await call.read(load)


@operation("GetProject", needs=Right.VIEW_PROJECT)
async def get_project(call: Call, req: m.GetProjectRequest) -> m.GetProjectResponse:
    """One project by id."""
    return m.GetProjectResponse(project=await call.read(lambda tx: _visible(call, tx, lambda: projects.get(tx, req.id))))


@operation("GetProjectByKey", needs=Right.VIEW_PROJECT)
async def get_project_by_key(call: Call, req: m.GetProjectByKeyRequest) -> m.GetProjectByKeyResponse:
    """One project by its key, in any case."""
    found = await call.read(lambda tx: _visible(call, tx, lambda: projects.by_key(tx, req.key)))
    return m.GetProjectByKeyResponse(project=found)


@operation("PostProject", needs=Right.CREATE_PROJECT)
async def post_project(call: Call, req: m.PostProjectRequest) -> m.PostProjectResponse:
    """Create a project; without a key it gets one made of its name."""
    name, asked = storable(req.name), given(req.key)
    check_project_name(name)
    key = None if asked is None else project_key(asked)

    def create(tx: Tx) -> m.Project:
        row = workspaces.locked(tx, req.workspace_id)
        call.require(tx, Right.CREATE_PROJECT, workspace=row.id, workspace_owner=row.user_id, missing=_no_workspace(row.id))
        check_open(f"workspace {row.id}", archived=row.archived, immutable=row.immutable, state=row.state)
        _check_name_free(tx, row.id, name, 0)
        if key is not None:
            _check_key_free(tx, key)
        description = storable(req.description)
        given_key = key or _free_key(tx, name)
        project_id = projects.create(tx, name, row.id, call.who.user_id, given_key, description=description)
        message = project_message(projects.get(tx, project_id), named=False)
        message.name, message.description = req.name, req.description
        return message

    return m.PostProjectResponse(project=await call.write(create))


@operation("PatchProject", needs=Right.UPDATE_PROJECT)
async def patch_project(call: Call, req: m.PatchProjectRequest) -> m.PatchProjectResponse:
    """Change name, description or key. Where nothing changes, the answer names neither the owner nor the workspace."""
    patch = req.project or m.PatchProject()
    wanted: dict[str, Any] = {}
    if patch.name is not None:
        wanted["name"] = storable(patch.name)
        check_project_name(wanted["name"])
    if patch.description is not None:
        wanted["description"] = storable(patch.description)
    if patch.key is not None:
        wanted["key"] = project_key(patch.key)

    def change(tx: Tx) -> m.Project:
        row = _changeable(call, tx, req.id, Right.UPDATE_PROJECT, rule=PATCH_PROJECT)
        columns = {name: value for name, value in wanted.items() if value != getattr(row, name)}
        if not columns:
            message = project_message(row, projects.contents(tx, [req.id]).get(req.id), named=False)
            message.username, message.user_id = "", 0
            return message
        if "name" in columns:
            _check_name_free(tx, row.workspace_id, columns["name"], req.id)
        if "key" in columns:
            _check_key_free(tx, columns["key"])
        projects.update(tx, req.id, **columns)
        return _shown(tx, req.id)

    return m.PatchProjectResponse(project=await call.write(change))


@operation("AddProjectNote", needs=Right.UPDATE_PROJECT)
async def add_project_note(call: Call, req: m.AddProjectNoteRequest) -> m.AddProjectNoteResponse:
    """Append a note, also to an archived project."""
    note = req.note or m.Note()

    def add(tx: Tx) -> list[m.Note]:
        row = _noted(call, tx, req.project_id)
        return _store_notes(tx, req.project_id, [*loads(row.notes), {"name": note.name, "contents": note.contents}])

    return m.AddProjectNoteResponse(notes=await call.write(add))


@operation("PutProjectNotes", needs=Right.UPDATE_PROJECT)
async def put_project_notes(call: Call, req: m.PutProjectNotesRequest) -> m.PutProjectNotesResponse:
    """Replace all notes."""
    notes = [{"name": note.name, "contents": note.contents} for note in req.notes]

    def put(tx: Tx) -> list[m.Note]:
        _noted(call, tx, req.project_id)
        return _store_notes(tx, req.project_id, notes)

    return m.PutProjectNotesResponse(notes=await call.write(put))


@operation("ArchiveProject", needs=Right.UPDATE_PROJECT)
async def archive_project(call: Call, req: m.ArchiveProjectRequest) -> m.ArchiveProjectResponse:
    """Hide a project from lists without touching its experiments."""
    await call.write(lambda tx: _set_archived(call, tx, req.id, archived=True))
    return m.ArchiveProjectResponse()


@operation("UnarchiveProject", needs=Right.UPDATE_PROJECT)
async def unarchive_project(call: Call, req: m.UnarchiveProjectRequest) -> m.UnarchiveProjectResponse:
    """Bring an archived project back."""
    await call.write(lambda tx: _set_archived(call, tx, req.id, archived=False))
    return m.UnarchiveProjectResponse()


@operation("MoveProject", needs=(Right.DELETE_PROJECT, Right.CREATE_PROJECT))
async def move_project(call: Call, req: m.MoveProjectRequest) -> m.MoveProjectResponse:
    """Move a project with its experiments into another workspace; both must be open and the name free there."""

    def move(tx: Tx) -> None:
        target = workspaces.locked(tx, req.destination_workspace_id)
        row = _changeable(call, tx, req.project_id, Right.DELETE_PROJECT)
        call.require(
            tx,
            Right.CREATE_PROJECT,
            workspace=target.id,
            workspace_owner=target.user_id,
            missing=_no_workspace(target.id),
        )
        check_open(f"workspace {target.id}", archived=target.archived, immutable=target.immutable, state=target.state)
        if row.workspace_id == target.id:
            raise Refused(f"project {row.id} is in workspace {target.id} already")
        _check_name_free(tx, target.id, row.name, row.id)
        projects.update(tx, row.id, workspace_id=target.id)
        spaces.project_moved(tx, row.id, target.id)

    await call.write(move)
    return m.MoveProjectResponse()


@operation("DeleteProject", needs=Right.DELETE_PROJECT)
async def delete_project(call: Call, req: m.DeleteProjectRequest) -> m.DeleteProjectResponse:
    """Delete a project with its experiments: at once when there are none, otherwise in the background."""

    def remove(tx: Tx) -> bool:
        row = projects.locked(tx, req.id)
        _require(call, tx, Right.DELETE_PROJECT, row)
        check_open(f"project {req.id}", immutable=row.immutable, state=row.state)
        return spaces.delete_project(tx, req.id)

    return m.DeleteProjectResponse(completed=await call.write(remove))


def _require(call: Call, tx: Tx, right: Right, row: Any, *, rule: Rule | None = None) -> None:
    call.require(
        tx,
        right,
        workspace=row.workspace_id,
        owner=row.user_id,
        workspace_owner=row.workspace_owner,
        rule=rule,
        missing=f"project {row.id} not found",
    )


def _visible(call: Call, tx: Tx, find: Callable[[], Any]) -> m.Project:
    row = find()
    _require(call, tx, Right.VIEW_PROJECT, row)
    return project_message(row, projects.contents(tx, [row.id]).get(row.id))


def _changeable(call: Call, tx: Tx, project_id: int, right: Right, *, rule: Rule | None = None) -> Any:
    row = projects.locked(tx, project_id)
    _require(call, tx, right, row, rule=rule)
    check_open(f"project {project_id}", archived=row.shown_archived, immutable=row.immutable, state=row.state)
    return row


def _shown(tx: Tx, project_id: int) -> m.Project:
    return project_message(projects.get(tx, project_id), projects.contents(tx, [project_id]).get(project_id))


def _noted(call: Call, tx: Tx, project_id: int) -> Any:
    row = projects.locked(tx, project_id)
    _require(call, tx, Right.UPDATE_PROJECT, row, rule=ADD_PROJECT_NOTE)
    return row


def _store_notes(tx: Tx, project_id: int, notes: list[dict[str, str]]) -> list[m.Note]:
    if len(notes) > MAX_NOTES:
        raise Invalid(f"a project has at most {MAX_NOTES} notes")
    text = dumps(notes)
    projects.update(tx, project_id, notes=text)
    return notes_of(text)


def _set_archived(call: Call, tx: Tx, project_id: int, *, archived: bool) -> None:
    row = projects.locked(tx, project_id)
    _require(call, tx, Right.UPDATE_PROJECT, row)
    check_open(f"project {project_id}", immutable=row.immutable, state=row.state)
    projects.update(tx, project_id, archived=archived)


def _check_name_free(tx: Tx, workspace_id: int, name: str, project_id: int) -> None:
    found = projects.by_name(tx, workspace_id, name)
    if found is not None and found.id != project_id:
        raise Exists(f"workspace {workspace_id} has a project named {name!r} already")


def _check_key_free(tx: Tx, key: str) -> None:
    if projects.key_is_taken(tx, key):
        raise Exists(f"the key {key} is another project's")


def _free_key(tx: Tx, name: str) -> str:
    """A key that no project has: from the name, or after many failed tries from nothing but chance."""
    for attempt in range(100):
        key = propose_project_key(name if attempt < 50 else "", secrets.choice)
        if not projects.key_is_taken(tx, key):
            return key
    raise Refused("no free key was found for the project; give one")


def _no_workspace(workspace_id: int) -> str:
    return f"workspace {workspace_id} not found"
