"""What other rooms hold of the engine.

Commands are plain functions of the modules beside this one (`experiments.create(tx, ...)`, `tasks.kill(tx, ...)`), called
inside a transaction; what they set off is applied before its commit. The object here holds what such functions cannot: live
searches, report batches, waiters, launchers and what is known of their machines.
"""

from collections.abc import Callable
from typing import Any

from undeterred.base.clock import Clock
from undeterred.base.errors import Refused
from undeterred.base.settings import Settings
from undeterred.base.tls import Certificate
from undeterred.core.pools import pools_of
from undeterred.engine import agents
from undeterred.engine.agents import AgentView
from undeterred.engine.facts import AllocationExited, ExperimentStateChanged, LinesStored
from undeterred.engine.flow import Flow
from undeterred.engine.launchers import Launchers
from undeterred.engine.masterlog import MasterLog
from undeterred.engine.meetings import Meetings
from undeterred.engine.reports import Reports
from undeterred.engine.routes import Routes
from undeterred.engine.search import Searches
from undeterred.engine.searchers import Searchers
from undeterred.engine.services.observer import ObserverService
from undeterred.engine.services.supervisor import ServiceState
from undeterred.engine.services.webhooks import Sender
from undeterred.engine.sharing import Sharing
from undeterred.engine.specs import Ground, defaults_by_pool
from undeterred.engine.waiters import Waiters
from undeterred.engine.webhooks import Webhooks
from undeterred.store import allocations, cluster
from undeterred.store.database import Database, Tx


class Engine:
    """Built once by `app.py`; from then on every transaction of `db` applies the facts it raises."""

    def __init__(
        self,
        db: Database,
        settings: Settings,
        clock: Clock,
        waiters: Waiters,
        cluster_id: str,
        master_id: str,
        *,
        launchers: Launchers | None = None,
        master_url: str = "",
        searchers: Searchers | None = None,
        certificate: Certificate | None = None,
    ) -> None:
        """`certificate` is the one that tasks must trust.

        `searchers` are search methods beside the built-in ones; those that are installed when it is not given.
        """
        self.db = db
        self.settings = settings
        self.clock = clock
        self.waiters = waiters
        self.cluster_id = cluster_id
        self.master_id = master_id
        self.launchers = launchers or Launchers()
        self.log = MasterLog(waiters)
        self.service_states: Callable[[], list[ServiceState]] = list
        self.pools = pools_of(settings.resource_manager, settings.resource_pools)
        self.ground = Ground(
            cluster_id,
            master_url,
            settings,
            defaults_by_pool(settings, self.pools),
            certificate.cert if certificate else "",
            certificate.name if certificate else "",
        )
        self.searchers = searchers or Searchers()
        self.search = Searches(self.searchers.find)
        self.sharing = Sharing()
        self.webhooks = Webhooks(settings.webhooks.base_url)
        self.sender = Sender(db, settings.webhooks, clock)
        self.reports = Reports(db, self.webhooks.metrics)
        self.routes = Routes(clock)
        self.observer = ObserverService(db, clock, self.launchers, waiters)
        self.flow = Flow(self.search, refuse_too_few_nodes=settings.launch_error)
        self.rendezvous: Meetings[int] = Meetings()
        self.gatherings: Meetings[Any] = Meetings()
        self.flow.listen(AllocationExited, self._allocation_over)
        self.flow.listen(ExperimentStateChanged, self.webhooks.experiment_state)
        self.flow.listen(LinesStored, self.webhooks.lines)
        db.apply_facts = self.flow.apply

    async def open(self) -> None:
        """Open the launchers and take over what still runs.

        Raises Broken when a launcher cannot be used, Refused when tasks live that know another address of this server.
        """
        await self.launchers.open()
        await self.db.write(self._take_over)

    async def inventory(self) -> list[AgentView]:
        """The machines with their switches and what they hold, by id."""
        nodes = self.launchers.nodes()
        return await self.db.read(lambda tx: agents.views(tx, nodes))

    async def count_tasks(self) -> int:
        """How many tasks hold slots."""
        return await self.db.read(allocations.count_open)

    def _allocation_over(self, tx: Tx, fact: AllocationExited) -> None:
        """After the commit nothing is remembered of its meetings."""
        tx.after.append(lambda: self.rendezvous.forget(fact.allocation_id))
        tx.after.append(lambda: self.gatherings.forget(fact.allocation_id))

    def _take_over(self, tx: Tx) -> None:
        known, url = cluster.get(tx, "master_url"), self.ground.master_url
        live = len(allocations.with_handle(tx))
        if known and url and known != url and live and not self.settings.undeterred.adopt_lost:
            raise Refused(
                f"{live} running tasks know this server as {known}, and it would start as {url}: start it under the old address, "
                "end them first (undeterred down --tasks), or give --adopt-lost to go on without them"
            )
        if url:
            cluster.put(tx, "master_url", url)
        agents.register(tx, self.launchers.nodes())
