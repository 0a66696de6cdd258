"""Workspaces as clients see them; the secrets of their storage are masked."""

from typing import Any

from undeterred.api.views.common import UNSET, free, when_set
from undeterred.api.views.users import agent_user_group
from undeterred.base.json import dumps, loads
from undeterred.core.config.mask import show_storage
from undeterred.store.workspaces import Contents
from undeterred.wire import messages as m

_NOTHING = Contents()


def workspace_message(row: Any, contents: Contents | None = None) -> m.Workspace:
    """A row of `store.workspaces` with what is inside it."""
    inside = contents or _NOTHING
    group = agent_user_group(row)
    return m.Workspace(
        id=row.id,
        name=row.name,
        archived=row.archived,
        username=row.username,
        immutable=row.immutable,
        num_projects=inside.projects,
        pinned=row.pinned_at is not None,
        user_id=row.user_id,
        num_experiments=inside.experiments,
        state=space_state(row.state),
        error_message=row.error_message,
        agent_user_group=UNSET if group is None else group,
        checkpoint_storage_config=_storage(row.checkpoint_storage),
        pinned_at=when_set(row.pinned_at),
        default_compute_pool=row.default_compute_pool or "",
        default_aux_pool=row.default_aux_pool or "",
    )


def space_state(state: str) -> m.WorkspaceState:
    """How the stored state of a workspace or a project is called in the API."""
    return m.WorkspaceState(f"WORKSPACE_STATE_{state or 'UNSPECIFIED'}")


def _storage(stored: str | None) -> Any:
    return UNSET if stored is None else free(dumps(show_storage(loads(stored))))
