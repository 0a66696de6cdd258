"""What a few routes of the oldest clients answer: flat lists with names in snake_case."""

from typing import Any

from undeterred.api.call import Call
from undeterred.base.clock import to_text
from undeterred.base.json import loads
from undeterred.core.rights import Right
from undeterred.store import queue, users
from undeterred.store.database import Tx
from undeterred.store.users import UserFilter


async def old_users(call: Call) -> list[dict[str, Any]]:
    """All users, the newest first."""
    rows = await call.read(lambda tx: users.search(tx, UserFilter(), "id", descending=True))
    return [_user(row) for row in rows]


async def old_me(call: Call) -> dict[str, Any]:
    """The caller."""
    return _user(await call.read(lambda tx: users.get(tx, call.who.user_id)))


async def old_tasks(call: Call) -> dict[str, Any]:
    """Allocation id -> what it runs and where, for all that wait or run and that the caller may see."""

    def load(tx: Tx) -> dict[str, Any]:
        trials, others = call.scope(tx, Right.VIEW_EXPERIMENT_METADATA), call.scope(tx, Right.VIEW_NSC)
        return {
            row.id: {
                "task_id": row.task_id,
                "allocation_id": row.id,
                "name": row.name,
                "task_type": row.task_type,
                "registered_time": to_text(row.queued_at),
                "resource_pool": row.resource_pool,
                "slots_needed": row.slots,
                "resources": [{"agent_devices": {agent: slots}} for agent, slots in loads(row.nodes)],
            }
            for row in queue.running(tx)
            if (trials if row.task_type == "TRIAL" else others).admits(row.workspace_id)
        }

    return await call.read(load)


def _user(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "username": row.username,
        "name": "",
        "display_name": row.display_name or None,
        "admin": row.admin,
        "active": row.active,
        "remote": row.remote,
        "modified_at": to_text(row.modified_at),
        "last_auth_at": None if row.last_auth_at is None else to_text(row.last_auth_at),
        "agent_uid": row.agent_uid,
        "agent_gid": row.agent_gid,
        "agent_user": row.agent_user,
        "agent_group": row.agent_group,
    }
