"""Users: listing, creating, changing, passwords; what a user keeps for itself."""

from typing import Any

import msgspec

from undeterred.api import passwords
from undeterred.api.call import Call
from undeterred.api.operation import Needs, operation
from undeterred.api.views.common import UNSET, choose, few, given, is_descending, pagination
from undeterred.api.views.projects import project_message
from undeterred.api.views.users import agent_columns, user_message
from undeterred.base.errors import Exists, Forbidden, Invalid, NotFound, Refused
from undeterred.base.json import loads, spaced
from undeterred.core.rights import Right
from undeterred.core.usernames import check_new_username, check_username
from undeterred.store import projects, sessions, users
from undeterred.store.database import Tx
from undeterred.store.paging import memory_page
from undeterred.store.users import UserFilter
from undeterred.wire import messages as m

_By = m.GetUsersRequestSortBy
_SORTS = {
    _By.SORT_BY_UNSPECIFIED: "id",
    _By.SORT_BY_DISPLAY_NAME: "display_name",
    _By.SORT_BY_USER_NAME: "username",
    _By.SORT_BY_ADMIN: "admin",
    _By.SORT_BY_ACTIVE: "active",
    _By.SORT_BY_MODIFIED_TIME: "modified_at",
    _By.SORT_BY_NAME: "name",
    _By.SORT_BY_LAST_AUTH_TIME: "last_auth_at",
    _By.SORT_BY_REMOTE: "remote",
}
_MAX_SETTING_NAME = 2_000
"""Bytes of path and key of a setting together: they are one key of an index."""
_REMOTE = "a remote user has no password here: its identity provider checks it"


@operation("GetUsers", needs=Needs.LOGIN)
async def get_users(call: Call, req: m.GetUsersRequest) -> m.GetUsersResponse:
    """Users by name, flags or role; every user may see them."""
    if req.role_id_assigned_directly_to_user and not call.rbac:
        raise Invalid("roleIdAssignedDirectlyToUser filters only where security.authz.type is rbac")
    roles = few(req.role_id_assigned_directly_to_user, "roleIdAssignedDirectlyToUser")
    which = UserFilter(req.name, given(req.active), given(req.admin), roles)
    sort, descending = choose(_SORTS, req.sort_by, "sortBy"), is_descending(req.order_by)

    def load(tx: Tx) -> m.GetUsersResponse:
        page = memory_page(req.offset, req.limit, users.count(tx, which))
        rows = users.search(tx, which, sort, descending=descending, start=page.start, end=page.end)
        return m.GetUsersResponse(users=[user_message(row) for row in rows], pagination=pagination(page))

    return await call.read(load)


@operation("GetUser", needs=Needs.LOGIN)
async def get_user(call: Call, req: m.GetUserRequest) -> m.GetUserResponse:
    """One user by id."""
    return m.GetUserResponse(user=user_message(await call.read(lambda tx: users.get(tx, req.user_id))))


@operation("GetUserByUsername", needs=Needs.LOGIN)
async def get_user_by_username(call: Call, req: m.GetUserByUsernameRequest) -> m.GetUserByUsernameResponse:
    """One user by its exact name."""
    row = await call.read(lambda tx: users.by_name(tx, req.username))
    if row is None:
        raise NotFound(f"user {req.username!r} not found")
    return m.GetUserByUsernameResponse(user=user_message(row))


@operation("PostUser", needs=Right.ADMINISTRATE_USER)
async def post_user(call: Call, req: m.PostUserRequest) -> m.PostUserResponse:
    """Create a user; inactive unless told otherwise."""
    user = req.user or m.User()
    await call.read(lambda tx: call.require(tx, Right.ADMINISTRATE_USER))
    check_username(user.username)
    if user.remote and req.password:
        raise Invalid(_REMOTE)
    columns: dict[str, Any] = agent_columns(user.agent_user_group)
    columns |= {"display_name": user.display_name, "admin": user.admin, "active": user.active, "remote": user.remote}
    if not user.remote:
        columns["password_hash"] = await passwords.stored_form(req.password, is_hashed=req.is_hashed)

    def create(tx: Tx) -> m.User:
        call.require(tx, Right.ADMINISTRATE_USER)
        _check_free(tx, user.username)
        _check_display_name(tx, user.display_name, 0)
        return user_message(users.get(tx, users.create(tx, user.username, **columns)))

    return m.PostUserResponse(user=await call.write(create))


@operation("SetUserPassword", needs=Right.ADMINISTRATE_USER)
async def set_user_password(call: Call, req: m.SetUserPasswordRequest) -> m.SetUserPasswordResponse:
    """Replace a password, given in plain text: one's own, or as an administrator anybody's. Ends all logins of that user."""
    patch = m.PatchUser(password=req.password)
    return m.SetUserPasswordResponse(user=await _patch(call, req.user_id, patch))


@operation("PatchUser", needs=Right.ADMINISTRATE_USER)
async def patch_user(call: Call, req: m.PatchUserRequest) -> m.PatchUserResponse:
    """Change what is given: names and password of one's own, everything as an administrator."""
    return m.PatchUserResponse(user=await _patch(call, req.user_id, req.user or m.PatchUser()))


@operation("PatchUsers", needs=Right.ADMINISTRATE_USER)
async def patch_users(call: Call, req: m.PatchUsersRequest) -> m.PatchUsersResponse:
    """Activate or deactivate many users, named by ids, by a filter (those whose state differs), or by both together.

    Each id has its own result; unknown ids count as done.
    """
    named = list(dict.fromkeys(few(req.user_ids, "userIds")))
    ids = named if req.filters is None else await call.read(lambda tx: _filtered(tx, req, named))

    def change(tx: Tx) -> None:
        call.require(tx, Right.ADMINISTRATE_USER)
        with users.keep_an_admin(tx, rbac=call.rbac):
            users.set_active(tx, ids, req.activate)
        call.forget_sessions(tx)

    error = ""
    try:
        await call.write(change)
    except (Forbidden, Refused) as failure:
        error = str(failure)
    return m.PatchUsersResponse(results=[m.UserActionResult(id=user_id, error=error) for user_id in ids])


@operation("GetUserSetting", needs=Needs.LOGIN)
async def get_user_setting(call: Call, _req: m.GetUserSettingRequest) -> m.GetUserSettingResponse:
    """What the caller's pages remember."""
    rows = await call.read(lambda tx: users.settings(tx, call.who.user_id))
    return m.GetUserSettingResponse(
        settings=[m.UserWebSetting(key=row.key, storage_path=row.storage_path, value=row.value) for row in rows]
    )


@operation("PostUserSetting", needs=Needs.LOGIN)
async def post_user_setting(call: Call, req: m.PostUserSettingRequest) -> m.PostUserSettingResponse:
    """Store settings of the caller, each a JSON text under a path and a key; an empty value removes one."""
    settings = [(one.storage_path, one.key, _json_value(one)) for one in few(req.settings, "settings")]

    def store(tx: Tx) -> None:
        for path, key, value in settings:
            users.put_setting(tx, call.who.user_id, path, key, value)

    await call.write(store)
    return m.PostUserSettingResponse()


@operation("ResetUserSetting", needs=Needs.LOGIN)
async def reset_user_setting(call: Call, _req: m.ResetUserSettingRequest) -> m.ResetUserSettingResponse:
    """Forget all settings of the caller."""
    await call.write(lambda tx: users.reset_settings(tx, call.who.user_id))
    return m.ResetUserSettingResponse()


@operation("PostUserActivity", needs=Needs.LOGIN)
async def post_user_activity(call: Call, req: m.PostUserActivityRequest) -> m.PostUserActivityResponse:
    """Remember that the caller looked at a project."""
    if req.activity_type != m.ActivityType.ACTIVITY_TYPE_GET or req.entity_type != m.EntityType.ENTITY_TYPE_PROJECT:
        raise Invalid("only activityType ACTIVITY_TYPE_GET of entityType ENTITY_TYPE_PROJECT is recorded")
    await call.write(lambda tx: users.visit_project(tx, call.who.user_id, req.entity_id))
    return m.PostUserActivityResponse()


@operation("GetProjectsByUserActivity", needs=Right.VIEW_PROJECT)
async def get_projects_by_user_activity(
    call: Call, req: m.GetProjectsByUserActivityRequest
) -> m.GetProjectsByUserActivityResponse:
    """The projects that the caller looked at, the latest first and without their keys; without a limit none."""
    if req.limit < 0:
        raise Invalid(f"limit must not be negative, got {req.limit}")

    def load(tx: Tx) -> list[m.Project]:
        ids = users.visited_projects(tx, call.who.user_id, call.scope(tx, Right.VIEW_PROJECT), req.limit)
        rows, contents = projects.with_ids(tx, ids), projects.contents(tx, ids)
        return [msgspec.structs.replace(project_message(rows[one], contents.get(one)), key="") for one in ids]

    return m.GetProjectsByUserActivityResponse(projects=await call.read(load))


async def _patch(call: Call, user_id: int, patch: m.PatchUser) -> m.User:
    await call.read(lambda tx: _check_patch(call, tx, user_id, patch))  # before the slow hash; again with the write
    columns = _columns(patch)
    if isinstance(patch.password, str):
        columns["password_hash"] = await passwords.stored_form(patch.password, is_hashed=patch.is_hashed)

    def change(tx: Tx) -> m.User:
        _check_patch(call, tx, user_id, patch)
        if columns:
            with users.keep_an_admin(tx, rbac=call.rbac):
                users.update(tx, user_id, **columns)
            if "password_hash" in columns:
                sessions.delete_logins(tx, user_id)
            call.forget_sessions(tx)
        return user_message(users.get(tx, user_id))

    return await call.write(change)


def _columns(patch: m.PatchUser) -> dict[str, Any]:
    """The columns that a patch changes, without the password's hash; a remote user loses its own."""
    given = {"username": patch.username, "display_name": patch.display_name, "remote": patch.remote}
    columns: dict[str, Any] = {name: value for name, value in given.items() if value is not UNSET}
    columns |= {name: value for name, value in (("admin", patch.admin), ("active", patch.active)) if value is not None}
    if patch.remote is True:
        columns["password_hash"] = None
    return columns | agent_columns(patch.agent_user_group)


def _check_patch(call: Call, tx: Tx, user_id: int, patch: m.PatchUser) -> None:
    """Refuse what the caller may not change, or nobody can."""
    row = users.get(tx, user_id)
    if not call.allows(tx, Right.ADMINISTRATE_USER):
        if user_id != call.who.user_id:
            call.require(tx, Right.ADMINISTRATE_USER)
        if patch.admin is not None or patch.active is not None or patch.agent_user_group is not None or patch.remote is not UNSET:
            raise Forbidden("only an administrator changes admin, active, remote and agentUserGroup")
    if isinstance(patch.password, str) and (row.remote if patch.remote is UNSET else patch.remote):
        raise Invalid(_REMOTE)
    if isinstance(patch.username, str) and patch.username != row.username:
        check_new_username(patch.username)
        _check_free(tx, patch.username)
    if isinstance(patch.display_name, str):
        _check_display_name(tx, patch.display_name, user_id)


def _check_free(tx: Tx, username: str) -> None:
    if users.by_name(tx, username) is not None:
        raise Exists(f"the user name {username!r} is taken")


def _check_display_name(tx: Tx, display_name: str, user_id: int) -> None:
    if display_name and users.name_is_of_another(tx, display_name, user_id):
        raise Invalid(f"displayName: {display_name!r} is the user name of somebody else")


def _filtered(tx: Tx, req: m.PatchUsersRequest, named: list[int]) -> list[int]:
    """Users that a filter admits and whose state would change; with ids, those among them."""
    filters = req.filters or m.UserFilters()
    rows = users.search(tx, UserFilter(filters.name, active=not req.activate, admin=given(filters.admin)))
    return [row.id for row in rows if not named or row.id in named]


def _json_value(setting: m.UserWebSetting) -> str:
    """The value with one blank after each comma and colon, as clients have always read it back."""
    size = len((setting.storage_path + setting.key).encode())
    if size > _MAX_SETTING_NAME:
        raise Invalid(f"storagePath and key have {size} bytes together; at most {_MAX_SETTING_NAME} are allowed")
    if not setting.value:
        return ""
    try:
        return spaced(loads(setting.value))
    except ValueError as error:
        raise Invalid(f"the value of setting {setting.key[:64]!r} is not JSON: {error}") from None
