"""Users as clients see them."""

from typing import Any

from undeterred.api.views.common import given, when, when_set
from undeterred.base.errors import Invalid
from undeterred.wire import messages as m


def user_message(row: Any) -> m.User:
    """A row of `users`."""
    return m.User(
        id=row.id,
        username=row.username,
        admin=row.admin,
        active=row.active,
        agent_user_group=agent_user_group(row),
        display_name=row.display_name,
        modified_at=when(row.modified_at),
        remote=row.remote,
        last_auth_at=when_set(row.last_auth_at),
    )


def agent_user_group(row: Any) -> m.AgentUserGroup | None:
    """The Unix identity of a user's or a workspace's tasks; null when none was given."""
    if row.agent_uid is None and row.agent_user is None:
        return None
    return m.AgentUserGroup(
        agent_uid=row.agent_uid or 0,
        agent_gid=row.agent_gid or 0,
        agent_user=row.agent_user or "",
        agent_group=row.agent_group or "",
    )


def agent_columns(group: m.AgentUserGroup | None) -> dict[str, Any]:
    """The columns that a request's agentUserGroup sets: none for null, zeros and empty names for `{}`.

    Raises Invalid for a half-filled group and for negative numbers.
    """
    if group is None:
        return {}
    values = (given(group.agent_uid), given(group.agent_gid), given(group.agent_user), given(group.agent_group))
    if None in values and any(value is not None for value in values):
        raise Invalid("agentUserGroup needs all of agentUid, agentGid, agentUser and agentGroup")
    uid, gid, user, name = values
    if (uid or 0) < 0 or (gid or 0) < 0:
        raise Invalid("agentUserGroup: agentUid and agentGid must not be negative")
    return {"agent_uid": uid or 0, "agent_gid": gid or 0, "agent_user": user or "", "agent_group": name or ""}
