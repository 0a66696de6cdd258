"""Every background service, in the order of their start."""

from undeterred.engine.engine import Engine
from undeterred.engine.services.collector import CollectorService
from undeterred.engine.services.deletion import DeletionService
from undeterred.engine.services.launcher import LauncherService
from undeterred.engine.services.orphans import OrphanService
from undeterred.engine.services.retention import RetentionService
from undeterred.engine.services.run_deletion import RunDeletionService
from undeterred.engine.services.scheduler import SchedulerService
from undeterred.engine.services.sessions import SessionService
from undeterred.engine.services.snapshots import SnapshotService
from undeterred.engine.services.supervisor import Service
from undeterred.engine.services.usage import UsageService
from undeterred.engine.services.values import ValuesService
from undeterred.engine.services.watchdog import WatchdogService
from undeterred.engine.services.webhooks import WebhookService


def build(engine: Engine) -> list[Service]:
    """All of them for one engine."""
    db, clock, launchers = engine.db, engine.clock, engine.launchers
    return [
        engine.observer,
        OrphanService(db, launchers),
        SchedulerService(db, launchers, engine.pools),
        LauncherService(db, clock, launchers, engine.ground),
        WatchdogService(db, engine.routes, clock),
        SessionService(db),
        SnapshotService(db, engine.search),
        RetentionService(db, clock, engine.settings.retention_policy),
        CollectorService(db, engine.cluster_id),
        DeletionService(db),
        RunDeletionService(db),
        UsageService(db),
        ValuesService(db),
        WebhookService(db, engine.sender, clock),
    ]
