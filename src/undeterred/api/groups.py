"""Groups of users: what roles can be given to at once."""

from collections.abc import Collection

from undeterred.api.call import Call
from undeterred.api.operation import Needs, operation
from undeterred.api.views.common import few, pagination
from undeterred.api.views.groups import group_details, group_found
from undeterred.base.errors import Exists, Invalid, NotFound
from undeterred.core.rights import Right
from undeterred.store import groups, users
from undeterred.store.database import Tx
from undeterred.store.paging import group_page
from undeterred.wire import messages as m

_MAX_NAME = 500
_MAX_PAIRS = 100_000
"""Most pairs of a user and a group that one request may make or break."""


@operation("GetGroup", needs=Needs.LOGIN)
async def get_group(call: Call, req: m.GetGroupRequest) -> m.GetGroupResponse:
    """A group with its users."""

    def load(tx: Tx) -> m.GroupDetails:
        shown = _shown(call, tx)
        if shown is not None and req.group_id not in shown:
            raise NotFound(f"group {req.group_id} not found")
        return _details(tx, req.group_id)

    return m.GetGroupResponse(group=await call.read(load))


@operation("GetGroups", needs=Needs.LOGIN)
async def get_groups(call: Call, req: m.GetGroupsRequest) -> m.GetGroupsResponse:
    """Groups by exact name or by a user in them; a limit is required."""

    def load(tx: Tx) -> m.GetGroupsResponse:
        shown = _shown(call, tx)
        total = groups.count(tx, name=req.name, user_id=req.user_id, among=shown)
        page = group_page(req.offset, req.limit, total)
        rows = groups.search(
            tx, name=req.name, user_id=req.user_id, among=shown, start=max(page.start, 0), limit=page.end - page.start
        )
        return m.GetGroupsResponse(groups=[group_found(row) for row in rows], pagination=pagination(page))

    return await call.read(load)


@operation("CreateGroup", needs=Right.UPDATE_GROUP)
async def create_group(call: Call, req: m.CreateGroupRequest) -> m.CreateGroupResponse:
    """Create a group, with users in it."""
    _check_name(req.name)

    def create(tx: Tx) -> m.GroupDetails:
        call.require(tx, Right.UPDATE_GROUP)
        group_id = groups.create(tx, req.name)
        _add(tx, group_id, req.add_users)
        return _details(tx, group_id)

    return m.CreateGroupResponse(group=await call.write(create))


@operation("UpdateGroup", needs=Right.UPDATE_GROUP)
async def update_group(call: Call, req: m.UpdateGroupRequest) -> m.UpdateGroupResponse:
    """Rename a group (an empty name keeps the old one), put users into it, take users out of it."""
    _check_name(req.name)

    def change(tx: Tx) -> m.GroupDetails:
        call.require(tx, Right.UPDATE_GROUP)
        groups.get(tx, req.group_id)
        if req.name:
            groups.rename(tx, req.group_id, req.name)
        with users.keep_an_admin(tx, rbac=call.rbac):
            _add(tx, req.group_id, req.add_users)
            _remove(tx, req.group_id, req.remove_users)
        call.forget_sessions(tx)
        return _details(tx, req.group_id)

    return m.UpdateGroupResponse(group=await call.write(change))


@operation("DeleteGroup", needs=Right.UPDATE_GROUP)
async def delete_group(call: Call, req: m.DeleteGroupRequest) -> m.DeleteGroupResponse:
    """Remove a group and the roles given to it."""

    def delete(tx: Tx) -> None:
        call.require(tx, Right.UPDATE_GROUP)
        groups.get(tx, req.group_id)
        with users.keep_an_admin(tx, rbac=call.rbac):
            groups.delete(tx, req.group_id)
        call.forget_sessions(tx)

    await call.write(delete)
    return m.DeleteGroupResponse()


@operation("AssignMultipleGroups", needs=Right.UPDATE_GROUP)
async def assign_multiple_groups(call: Call, req: m.AssignMultipleGroupsRequest) -> m.AssignMultipleGroupsResponse:
    """Put users into groups and take them out of others; what is so already stays so."""
    pairs = len(req.user_ids) * (len(req.add_groups) + len(req.remove_groups))
    if pairs > _MAX_PAIRS:
        raise Invalid(f"{pairs} pairs of user and group are too many; at most {_MAX_PAIRS} are allowed in one request")
    named, concerned = few(req.user_ids, "userIds"), few([*req.add_groups, *req.remove_groups], "addGroups and removeGroups")

    def change(tx: Tx) -> None:
        call.require(tx, Right.UPDATE_GROUP)
        _check_known("user", named, users.known(tx, named))
        _check_known("group", concerned, groups.known(tx, concerned))
        with users.keep_an_admin(tx, rbac=call.rbac):
            groups.add(tx, req.add_groups, named)
            groups.remove(tx, req.remove_groups, named)
        call.forget_sessions(tx)

    await call.write(change)
    return m.AssignMultipleGroupsResponse()


def _shown(call: Call, tx: Tx) -> Collection[int] | None:
    """Ids of the groups that the caller may see, None for all: who may neither change groups nor give roles sees its own."""
    if not call.rbac or call.allows(tx, Right.UPDATE_GROUP):
        return None
    giving = call.scope(tx, Right.ASSIGN_ROLES)
    return None if giving.everywhere or giving.workspaces else call.subject(tx).groups


def _details(tx: Tx, group_id: int) -> m.GroupDetails:
    return group_details(groups.get(tx, group_id), groups.members(tx, [group_id])[group_id])


def _add(tx: Tx, group_id: int, user_ids: list[int]) -> None:
    """Put users into a group; raises Exists for one that is in it or named twice."""
    _check_known("user", user_ids, users.known(tx, few(user_ids, "addUsers")))
    members = groups.member_ids(tx, group_id)
    for user_id in user_ids:
        if user_id in members:
            raise Exists(f"user {user_id} is in the group already, or named twice")
        members.add(user_id)
    groups.add(tx, [group_id], user_ids)


def _remove(tx: Tx, group_id: int, user_ids: list[int]) -> None:
    absent = [user_id for user_id in user_ids if user_id not in groups.member_ids(tx, group_id)] if user_ids else []
    if absent:
        raise NotFound(f"user {absent[0]} is not in the group")
    groups.remove(tx, [group_id], few(user_ids, "removeUsers"))


def _check_known(kind: str, named: Collection[int], known: set[int]) -> None:
    unknown = [one for one in named if one not in known]
    if unknown:
        raise NotFound(f"{kind} {unknown[0]} not found")


def _check_name(name: str) -> None:
    if len(name) > _MAX_NAME:
        raise Invalid(f"the name of a group has {len(name)} characters; at most {_MAX_NAME} are allowed")
