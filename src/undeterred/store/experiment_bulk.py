"""Experiments chosen by a filter, for actions on many of them."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from undeterred.base import json
from undeterred.base.struct import Struct
from undeterred.core.rights import Scope
from undeterred.store import dialect
from undeterred.store.database import Tx
from undeterred.store.schema.experiments import experiments
from undeterred.store.schema.spaces import projects


class Choice(Struct, frozen=True):
    """Which experiments; empty parts choose all."""

    project_id: int = 0
    name: str = ""
    """A part of the name, whatever its case."""
    description: str = ""
    labels: tuple[str, ...] = ()
    """All of them."""
    archived: bool | None = None
    states: tuple[str, ...] = ()
    user_ids: tuple[int, ...] = ()
    excluded_ids: tuple[int, ...] = ()


def ids(tx: Tx, scope: Scope, choice: Choice, allowed_states: Collection[str]) -> list[int]:
    """Ids of the chosen experiments that are in one of the states and may be seen, oldest first."""
    query = (
        sa.select(experiments.c.id, experiments.c.labels)
        .join(projects, projects.c.id == experiments.c.project_id)
        .where(experiments.c.state.in_(allowed_states))
        .order_by(experiments.c.id)
    )
    for condition in _conditions(tx, scope, choice):
        query = query.where(condition)
    wanted = set(choice.labels)
    return [row.id for row in tx.rows(query) if not wanted or wanted <= set(json.loads(row.labels))]


def _conditions(tx: Tx, scope: Scope, choice: Choice) -> list[Any]:
    found: list[Any] = []
    if not scope.everywhere:
        found.append(projects.c.workspace_id.in_(scope.workspaces))
    if choice.project_id:
        found.append(experiments.c.project_id == choice.project_id)
    if choice.name:
        found.append(dialect.ilike(tx.conn, experiments.c.name, f"%{choice.name}%"))
    if choice.description:
        found.append(dialect.ilike(tx.conn, experiments.c.description, f"%{choice.description}%"))
    if choice.archived is not None:
        found.append(experiments.c.archived.is_(choice.archived))
    if choice.states:
        found.append(experiments.c.state.in_(choice.states))
    if choice.user_ids:
        found.append(experiments.c.user_id.in_(choice.user_ids))
    if choice.excluded_ids:
        found.append(experiments.c.id.not_in(choice.excluded_ids))
    return found
