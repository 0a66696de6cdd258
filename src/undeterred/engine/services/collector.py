"""Removes files of checkpoints and of TensorBoard, as was decided, and says in the database what is left of them.

Files are removed outside of any transaction, in worker threads. Each step may be done again: what is gone stays gone.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from undeterred.base import json
from undeterred.base.clock import SECOND, Micros
from undeterred.base.errors import Failure, Invalid, NotFound
from undeterred.core.globs import matching
from undeterred.core.lifecycle.experiment import TERMINAL
from undeterred.core.retention.checkpoints import plan, policy_of
from undeterred.engine import checkpoints, keys
from undeterred.engine.storage.base import NoStorage, Storage, sizes
from undeterred.engine.storage.open import open_storage, tensorboard_folder
from undeterred.store import checkpoints as rows
from undeterred.store import collecting, events, experiments
from undeterred.store.database import Database, Tx

log = logging.getLogger(__name__)

KINDS = (checkpoints.COLLECT, checkpoints.REMOVE, checkpoints.TENSORBOARD)
PERIOD_S = 60.0
AT_ONCE = 50
"""Checkpoints of which files are removed between two transactions."""
FIRST_DELAY, LONGEST_DELAY = 2 * SECOND, 3600 * SECOND
"""Until work that failed is tried again; four times as long after each failure."""
PATIENCE = 3
"""Failures after which a storage folder that does not exist counts as gone for good, with all in it."""
MOST_ATTEMPTS = 30
"""Failures after which work is given up: about a day."""

Open = Callable[[dict[str, Any]], Storage]


class CollectorService:
    """See the module."""

    name = "collector"
    wakes = (keys.COLLECTOR,)

    def __init__(self, db: Database, cluster_id: str, open_: Open = open_storage) -> None:
        self._db = db
        self._cluster_id = cluster_id
        self._open = open_
        self.period = PERIOD_S
        """Seconds until work that failed is due again, at most a minute."""

    async def run_once(self) -> None:
        """Do all that is due, the oldest first."""
        while due := await self._db.read(_due):
            for item in due:
                await self._one(item)
        self.period = await self._db.read(_wait)

    async def _one(self, item: Any) -> None:
        work = {checkpoints.COLLECT: self._collect, checkpoints.REMOVE: self._remove, checkpoints.TENSORBOARD: self._tensorboard}
        payload = json.loads(item.payload)
        try:
            await work[item.kind](item, payload)
        except Exception as error:  # whatever it is, the rest of the work must not wait for it
            known = isinstance(error, (Failure, OSError))
            log.warning("removal of files (%s), attempt %d: %s", item.kind, item.attempts + 1, error, exc_info=not known)
            why = str(error)
            await self._db.write(lambda tx: _failed(tx, item, payload, why))
        else:
            await self._db.write(lambda tx: _done(tx, item))

    async def _collect(self, _item: Any, payload: dict[str, Any]) -> None:
        """Leave the removal of what the policy does not keep; ranking takes its time, so it is done on a view of the data."""
        experiment_id = payload["experiment_id"]
        doomed = await self._db.read(lambda tx: _superfluous(tx, experiment_id))
        if doomed:
            await self._db.write(lambda tx: _leave(tx, experiment_id, doomed))

    async def _remove(self, item: Any, payload: dict[str, Any]) -> None:
        uuids, globs = payload["uuids"], payload["globs"]
        for start in range(0, len(uuids), AT_ONCE):
            part = uuids[start : start + AT_ONCE]
            doomed = await self._db.write(lambda tx, part=part: _begin(tx, part))  # type: ignore[misc]
            left = await asyncio.to_thread(self._remove_files, doomed, globs, lenient=item.attempts >= PATIENCE)
            await self._db.write(lambda tx, part=part, left=left: _end(tx, part, left))  # type: ignore[misc]

    def _remove_files(self, doomed: Sequence[Any], globs: list[str] | None, *, lenient: bool) -> dict[int, dict[str, int]]:
        """Checkpoint -> the files that are left; in a worker thread."""
        left: dict[int, dict[str, int]] = {}
        opened: dict[str, Storage] = {}
        for row in doomed:
            if row.state == rows.DELETED and globs is None:
                continue
            config = collecting.storage_of(row)
            if not config:
                left[row.id] = {}  # nobody ever said where it is
                continue
            key = json.dumps(config)
            try:
                if key not in opened:
                    opened[key] = self._open(config)
                now = remove_files(opened[key], row.uuid, globs)
                if not now or row.state == rows.DELETED or _fewer(json.loads(row.resources), now):
                    left[row.id] = now
            except NoStorage as error:
                if not lenient:
                    raise
                if globs is None:
                    log.warning("checkpoint %s counts as deleted: %s", row.uuid, error)
                    left[row.id] = {}
        return left

    async def _tensorboard(self, _item: Any, payload: dict[str, Any]) -> None:
        experiment_id = payload["experiment_id"]
        configs = await self._db.read(lambda tx: collecting.storages_of(tx, experiment_id))
        trials: Sequence[int | None] = [None] if payload["trial_ids"] is None else payload["trial_ids"]
        folders = [tensorboard_folder(self._cluster_id, experiment_id, trial_id) for trial_id in trials]
        for config in configs:
            await asyncio.to_thread(self._remove_folders, config, folders)

    def _remove_folders(self, config: dict[str, Any], folders: Sequence[str]) -> None:
        try:
            storage = self._open(config)
            for folder in folders:
                storage.delete_all(folder)
        except NoStorage as error:
            log.info("no TensorBoard files to remove: %s", error)


def remove_files(storage: Storage, uuid: str, globs: list[str] | None) -> dict[str, int]:
    """Remove the files of a checkpoint, or those that match one of the globs; what is left, path -> bytes.

    One without its folder has no files left. A checkpoint of which only empty folders would be left is removed as a whole.
    """
    found = storage.entries(uuid)
    if found is None:
        log.warning("checkpoint %s has no files in its storage any more", uuid)
        if globs is None:
            storage.delete_all(uuid)
        return {}
    if globs:
        storage.delete(uuid, matching(sizes(found), globs))
        found = storage.entries(uuid) or []
    left = {} if globs is None else sizes(found)
    if all(path.endswith("/") for path in left):
        storage.delete_all(uuid)
        return {}
    return left


def _fewer(before: dict[str, int], now: dict[str, int]) -> bool:
    """Whether a file is gone; folders, and files that came later, do not count."""
    return any(path not in now for path in before if not path.endswith("/"))


def _due(tx: Tx) -> list[Any]:
    return sorted((item for kind in KINDS for item in events.due(tx, kind, limit=20)), key=lambda item: item.id)


def _wait(tx: Tx) -> float:
    times = [due for kind in KINDS if (due := events.next_due(tx, kind)) is not None]
    return max(0.01, min(PERIOD_S, (min(times) - tx.now) / SECOND)) if times else PERIOD_S


def _superfluous(tx: Tx, experiment_id: int) -> tuple[str, ...]:
    """The checkpoints of an ended experiment that its policy does not keep; none of one that goes on meanwhile."""
    found = _ended(tx, experiment_id)
    if found is None:
        return ()
    try:
        policy = policy_of(json.loads(found.config).get("checkpoint_storage") or {})
    except Invalid as error:
        log.warning("experiment %d keeps all its checkpoints: %s", experiment_id, error)
        return ()
    return plan(collecting.ranked(tx, found), policy, smaller_is_better=found.smaller_is_better).delete


def _leave(tx: Tx, experiment_id: int, uuids: Sequence[str]) -> None:
    if _ended(tx, experiment_id, experiments.locked) is not None:
        checkpoints.remove(tx, uuids)


def _ended(tx: Tx, experiment_id: int, find: Callable[[Tx, int], Any] = experiments.get) -> Any | None:
    try:
        found = find(tx, experiment_id)
    except NotFound:
        return None
    return found if found.state in TERMINAL else None


def _begin(tx: Tx, uuids: Sequence[str]) -> list[Any]:
    """Those that are to go; one that was registered as a version of a model meanwhile stays."""
    collecting.doom(tx, uuids)
    return collecting.doomed(tx, uuids)


def _end(tx: Tx, uuids: Sequence[str], left: dict[int, dict[str, int]]) -> None:
    rows.set_files(tx, left)
    collecting.spare(tx, uuids)


def _done(tx: Tx, item: Any) -> None:
    events.done(tx, item.id)
    tx.wake(keys.DELETION)


def _failed(tx: Tx, item: Any, payload: dict[str, Any], why: str) -> None:
    if item.kind == checkpoints.REMOVE:
        collecting.spare(tx, payload["uuids"])
    if item.attempts + 1 >= MOST_ATTEMPTS:
        log.error("removal of files (%s) is given up: %s", item.kind, why)
        _done(tx, item)
        return
    delay: Micros = min(LONGEST_DELAY, FIRST_DELAY * 4 ** min(item.attempts, 10))
    events.again(tx, item.id, tx.now + delay, why)
    tx.wake(keys.DELETION)
