"""What other rooms hold of the engine.

Commands are plain functions of the modules beside this one (`experiments.create(tx, ...)`, `tasks.kill(tx, ...)`), called inside a
transaction; what they set off is applied before its commit. The object here holds what such functions cannot: live searches,
report batches, waiters, launchers.
"""

from undeterred.base.clock import Clock
from undeterred.base.settings import Settings
from undeterred.engine.flow import Flow
from undeterred.engine.search import Searches
from undeterred.engine.waiters import Waiters
from undeterred.store.database import Database


class Engine:
    """Built once by `app.py`; from then on every transaction of `db` applies the facts it raises."""

    def __init__(self, db: Database, settings: Settings, clock: Clock, waiters: Waiters, cluster_id: str, master_id: str) -> None:
        self.db = db
        self.settings = settings
        self.clock = clock
        self.waiters = waiters
        self.cluster_id = cluster_id
        self.master_id = master_id
        self.search = Searches()
        self.flow = Flow(self.search, refuse_too_few_nodes=settings.launch_error)
        db.apply_facts = self.flow.apply
