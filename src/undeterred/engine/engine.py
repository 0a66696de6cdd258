"""What other rooms hold of the engine."""

from dataclasses import dataclass

from undeterred.base.clock import Clock
from undeterred.base.settings import Settings
from undeterred.engine.waiters import Waiters
from undeterred.store.database import Database


@dataclass(frozen=True, slots=True)
class Engine:
    """The parts that lifecycle commands and services share; built once by `app.py`."""

    db: Database
    settings: Settings
    clock: Clock
    waiters: Waiters
    cluster_id: str
    master_id: str
