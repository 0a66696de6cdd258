"""Carries deletions out: of experiments with their files, then of projects, then of workspaces, each once it is empty.

What is to go is marked in the database, and every step leaves it so that the next one can go on: a server that dies in
between goes on after its start. Files are removed by the collector; a step that waits for it is looked at again soon.
"""

import logging
from typing import Any

from undeterred.base import json
from undeterred.base.errors import Failure
from undeterred.base.struct import Struct
from undeterred.core.lifecycle.experiment import DELETABLE, ExperimentState
from undeterred.core.spaces import DELETE_FAILED, DELETING
from undeterred.engine import checkpoints, experiments, keys, spaces
from undeterred.store import blobs, erase, events, projects, workspaces
from undeterred.store import experiments as experiment_rows
from undeterred.store.database import Database, Tx

log = logging.getLogger(__name__)

KIND = "experiment.delete"
"""In the outbox: an experiment whose files are being removed, and which rows of the outbox that is left to."""
MOST_ATTEMPTS = 5
"""Attempts to remove files after which the deletion of an experiment is given up."""
MARKED_AT_ONCE = 50
SOON_S, IDLE_S = 0.25, 60.0


class DeletionService:
    """See the module."""

    name = "deletion"
    wakes = (keys.DELETION,)

    def __init__(self, db: Database) -> None:
        self._db = db
        self._period = IDLE_S

    @property
    def period(self) -> float:
        """Short while files are waited for."""
        return self._period

    async def run_once(self) -> None:
        """Go as far as it goes."""
        waiting = going = True
        while going:
            waiting = await self._experiments()
            going = await self._spaces()
        self._period = SOON_S if waiting else IDLE_S

    async def _experiments(self) -> bool:
        """Delete experiments; whether the files of any are still to be waited for."""
        doomed = await self._db.read(_doomed)
        for one in doomed:
            try:
                await self._experiment(one)
            except Failure as failure:
                why = str(failure)
                await self._db.write(lambda tx, one=one, why=why: _give_up(tx, one, why))  # type: ignore[misc]
        return any(one.mark is None or (one.waits_for and one.broken is None) for one in doomed)

    async def _experiment(self, one: "Doomed") -> None:
        """Go one step on with one experiment: leave its files to the collector, or wait for that, or remove its rows."""
        if one.mark is None:
            await self._db.write(lambda tx: _begin(tx, one))
        elif one.broken is not None:
            await self._db.write(lambda tx: _give_up(tx, one, f"its files could not be removed: {one.broken}"))
        elif not one.waits_for and await self._db.write(lambda tx: not _is_registered(tx, one)):
            while await self._db.write(lambda tx: _alive(tx, one.id) and erase.slice_of(tx, one.id)):
                pass
            await self._db.write(lambda tx: _last_row(tx, one))

    async def _spaces(self) -> bool:
        """Delete projects and workspaces; whether that has set more going."""
        going = False
        for row in await self._db.read(lambda tx: projects.in_state(tx, DELETING)):
            going |= await self._db.write(lambda tx, row=row: _project(tx, row.id))  # type: ignore[misc]
        for workspace_id in await self._db.read(lambda tx: workspaces.in_state(tx, DELETING)):
            await self._db.write(lambda tx, workspace_id=workspace_id: _workspace(tx, workspace_id))  # type: ignore[misc]
        return going


class Doomed(Struct, frozen=True):
    """An experiment that is being deleted."""

    id: int
    mark: int | None
    """The row of the outbox that says that the removal of its files was begun."""
    waits_for: tuple[int, ...] = ()
    """Rows of the outbox that stand for work on its files which is not done."""
    broken: str | None = None
    """Why its files cannot be removed."""


def _doomed(tx: Tx) -> list[Doomed]:
    marks = {}
    for row in events.due(tx, KIND, limit=1_000_000):
        payload = json.loads(row.payload)
        marks[payload["experiment_id"]] = (row.id, payload["waits_for"])
    left = erase.pending(tx, {one for _, waits in marks.values() for one in waits})
    found = []
    for row in experiment_rows.in_states(tx, [ExperimentState.DELETING]):
        mark, waits = marks.get(row.id, (None, []))
        open_rows = [left[one] for one in waits if one in left]
        errors = [one.error for one in open_rows if one.attempts >= MOST_ATTEMPTS]
        found.append(Doomed(row.id, mark, tuple(one.id for one in open_rows), errors[0] if errors else None))
    return found


def _begin(tx: Tx, one: Doomed) -> None:
    """Leave the removal of its files to the collector."""
    if not _alive(tx, one.id) or _is_registered(tx, one):
        return
    uuids = erase.stored_checkpoints(tx, one.id)
    waits = [checkpoints.remove_tensorboard(tx, one.id)] + ([checkpoints.remove(tx, uuids)] if uuids else [])
    events.put(tx, KIND, {"experiment_id": one.id, "waits_for": waits})


def _is_registered(tx: Tx, one: Doomed) -> bool:
    """Whether a checkpoint became a version of a model after the deletion was asked for; then that is given up."""
    model = erase.registered_as(tx, one.id)
    if model is not None:
        _give_up(tx, one, f"one of its checkpoints is registered as a version of the model {model}")
    return model is not None


def _give_up(tx: Tx, one: Doomed, why: str) -> None:
    _unmark(tx, one)
    if _alive(tx, one.id):
        log.warning("experiment %d is not deleted: %s", one.id, why)
        experiment_rows.update(tx, one.id, state=ExperimentState.DELETE_FAILED, error=why)
        tx.wake(keys.experiment(one.id))


def _last_row(tx: Tx, one: Doomed) -> None:
    _unmark(tx, one)
    if not _alive(tx, one.id):
        return
    digest = erase.finish(tx, one.id)
    if digest is not None:
        blobs.drop_unused(tx, digest)
    tx.wake(keys.experiment(one.id))


def _unmark(tx: Tx, one: Doomed) -> None:
    for row in (one.mark, *one.waits_for):
        if row is not None:
            events.done(tx, row)


def _alive(tx: Tx, experiment_id: int) -> bool:
    """Whether the experiment is still to be deleted (that may have failed meanwhile)."""
    return bool(experiment_rows.locked(tx, experiment_id).state == ExperimentState.DELETING)


def _project(tx: Tx, project_id: int) -> bool:
    """Delete a project that is empty, else see to its experiments; whether anything was set going."""
    inside = projects.experiments_in(tx, [project_id])
    if not inside:
        projects.delete(tx, project_id)
        return True
    failed = [row for row in inside if row.state == ExperimentState.DELETE_FAILED]
    stuck = [row for row in inside if not spaces.can_go(row.state, unmanaged=row.unmanaged)]
    fresh = [row for row in inside if row.state not in (ExperimentState.DELETING, ExperimentState.DELETE_FAILED)]
    if failed and len(failed) == len(inside):
        projects.update(tx, project_id, state=DELETE_FAILED, error_message=_told(failed))
    elif stuck:
        why = f"experiment {stuck[0].id} is {stuck[0].state} and has to end first"
        projects.update(tx, project_id, state=DELETE_FAILED, error_message=why)
    for row in fresh[:MARKED_AT_ONCE] if not stuck else []:
        _mark(tx, row)
    return bool(fresh) and not stuck


def _told(failed: list[Any]) -> str:
    return "; ".join(f"experiment {row.id}: {row.error}" for row in failed[:5])


def _mark(tx: Tx, row: Any) -> None:
    if row.state in DELETABLE:
        experiments.mark_deleting(tx, row.id)
    else:
        experiment_rows.update(tx, row.id, state=ExperimentState.DELETING)


def _workspace(tx: Tx, workspace_id: int) -> None:
    """Delete a workspace that is empty; give up on one with a project that cannot be deleted."""
    inside = [projects.get(tx, project_id) for project_id in projects.of_workspace(tx, workspace_id)]
    models = workspaces.count_models(tx, workspace_id)
    why = next((f"project {row.id}: {row.error_message}" for row in inside if row.state == DELETE_FAILED), "")
    if not inside and models:
        why = f"it holds {models} models, which were moved into it meanwhile"
    if why:
        workspaces.update(tx, workspace_id, state=DELETE_FAILED, error_message=why)
    elif not inside:
        workspaces.delete(tx, workspace_id)
