"""Whether the server can work: its database, and what starts its tasks."""

import logging

from undeterred.api.call import Call
from undeterred.api.operation import Needs, operation
from undeterred.core.pools import cluster_name
from undeterred.store import cluster
from undeterred.wire import messages as m
from undeterred.wire.operation import Empty

log = logging.getLogger(__name__)


@operation("health", needs=Needs.LOGIN)
async def health(call: Call, _req: Empty) -> m.HealthCheck:
    """Up or down, as a whole and for each part; the HTTP status is 503 when anything is down."""
    try:
        await call.read(lambda tx: cluster.get(tx, "cluster_id"))
        database = m.HealthStatus.up
    except Exception as error:
        log.warning("the database does not answer: %s", error)
        database = m.HealthStatus.down
    manager = m.ResourceManagerHealth(
        cluster_name=cluster_name(call.settings.resource_manager),
        status=m.HealthStatus.up if await _launchers_answer(call) else m.HealthStatus.down,
    )
    healthy = database is m.HealthStatus.up and manager.status is m.HealthStatus.up
    return m.HealthCheck(
        database=database, resource_managers=[manager], status=m.HealthStatus.up if healthy else m.HealthStatus.down
    )


async def _launchers_answer(call: Call) -> bool:
    """Whether every launcher knows its machines for sure."""
    try:
        return all([(await launcher.inventory()).authoritative for launcher in call.engine.launchers.all()])
    except Exception as error:
        log.warning("a launcher does not answer: %s", error)
        return False
