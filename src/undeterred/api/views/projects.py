"""Projects as clients see them."""

from typing import Any

from undeterred.api.views.common import when
from undeterred.api.views.workspaces import space_state
from undeterred.base.json import loads
from undeterred.store.projects import Contents
from undeterred.wire import messages as m

_NOTHING = Contents()


def project_message(row: Any, contents: Contents | None = None, *, named: bool = True) -> m.Project:
    """A row of `store.projects` with what is inside it; lists and answers to a creation leave the workspace's name out."""
    inside = contents or _NOTHING
    return m.Project(
        id=row.id,
        name=row.name,
        workspace_id=row.workspace_id,
        description=row.description,
        last_experiment_started_at=when(inside.last_started),
        notes=notes_of(row.notes),
        num_experiments=inside.experiments,
        num_active_experiments=inside.active,
        archived=row.shown_archived,
        username=row.username,
        immutable=row.immutable,
        user_id=row.user_id,
        workspace_name=row.workspace_name if named else "",
        state=space_state(row.state),
        error_message=row.error_message,
        key=row.key,
        num_runs=inside.runs,
    )


def notes_of(stored: str) -> list[m.Note]:
    """Stored notes."""
    return [m.Note(name=note["name"], contents=note["contents"]) for note in loads(stored)]
