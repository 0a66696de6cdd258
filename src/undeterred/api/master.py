"""The installation itself: what it is, its settings, its log, the message for everybody."""

from collections.abc import AsyncIterator
from typing import Any

from undeterred import DETERMINED_VERSION
from undeterred.api.call import Call
from undeterred.api.operation import Needs, operation
from undeterred.api.views.common import choose, given
from undeterred.api.views.master import cluster_message, log_entry, settings_tree
from undeterred.base.clock import Micros, from_text
from undeterred.base.errors import Invalid
from undeterred.core import durations
from undeterred.core.names import storable
from undeterred.core.rights import Right
from undeterred.engine.masterlog import KEY, set_level
from undeterred.engine.waiters import wait
from undeterred.store import cluster
from undeterred.store.database import Tx
from undeterred.wire import messages as m

LONGEST_MESSAGE = 250
"""Characters of the message for everybody."""
PAGE = 500
"""Log lines that are taken from the ring at a time."""

_LAST = from_text("9999-12-31T23:59:59Z")
_LEVELS = {level: level.removeprefix("LOG_LEVEL_") for level in m.LogLevel}
_PATHS = ("log.level", "log.color")


@operation("GetMaster", needs=Needs.NOTHING)
async def get_master(call: Call, _req: m.GetMasterRequest) -> m.GetMasterResponse:
    """What clients ask first: version, cluster and switches; and the message for everybody while its time is."""
    settings = call.settings
    row = await call.read(lambda tx: cluster.message(tx, shown=True), quick=True)
    answer = m.GetMasterResponse(
        version=DETERMINED_VERSION,
        master_id=call.engine.master_id,
        cluster_id=call.engine.cluster_id,
        cluster_name=settings.cluster_name,
        rbac_enabled=call.rbac,
        user_management_enabled=True,
        strict_job_queue_control=settings.security.authz.strict_job_queue_control,
        branding="determined",
        feature_switches=list(settings.feature_switches),
    )
    if row is not None:
        answer.cluster_message = cluster_message(row)
    return answer


@operation("GetTelemetry", needs=Needs.NOTHING)
async def get_telemetry(_call: Call, _req: m.GetTelemetryRequest) -> m.GetTelemetryResponse:
    """Nothing is ever sent anywhere."""
    return m.GetTelemetryResponse()


@operation("GetMasterConfig", needs=Right.VIEW_MASTER_CONFIG)
async def get_master_config(call: Call, _req: m.GetMasterConfigRequest) -> m.GetMasterConfigResponse:
    """All settings in use; secrets are masked."""
    await call.read(lambda tx: call.require(tx, Right.VIEW_MASTER_CONFIG))
    return m.GetMasterConfigResponse(config=settings_tree(call.settings))


@operation("PatchMasterConfig", needs=Right.UPDATE_MASTER_CONFIG)
async def patch_master_config(call: Call, req: m.PatchMasterConfigRequest) -> m.PatchMasterConfigResponse:
    """Change what the server logs, until its next start; the field mask names what is changed, none changes nothing."""
    paths = _paths(req.field_mask)
    await call.read(lambda tx: call.require(tx, Right.UPDATE_MASTER_CONFIG))
    log = (req.config or m.Config()).log or m.LogConfig()
    level = choose(_LEVELS, log.level, "config.log.level")
    for path in paths:
        if path not in _PATHS:
            raise Invalid(f"fieldMask: {path[:80]!r} cannot be changed; {' and '.join(_PATHS)} can")
    if "log.level" in paths:
        if level == "UNSPECIFIED":
            raise Invalid("config.log.level: give the level to log from")
        set_level(level)
    return m.PatchMasterConfigResponse()


@operation("MasterLogs", needs=Right.VIEW_MASTER_LOGS)
async def master_logs(call: Call, req: m.MasterLogsRequest) -> AsyncIterator[m.MasterLogsResponse]:
    """The newest lines of the server's own log, from an offset (negative: from the end) on; `follow` waits for more."""
    await call.read(lambda tx: call.require(tx, Right.VIEW_MASTER_LOGS))
    log, left = call.engine.log, req.limit if req.limit > 0 else None
    kept = len(log)
    start = max(kept + req.offset, 0) if req.offset < 0 else req.offset
    following = log.next_id - kept + start
    with call.engine.waiters.on(KEY) as event:
        while left is None or left > 0:
            event.clear()
            entries = log.since(following, PAGE if left is None else min(left, PAGE))
            for entry in entries:
                yield m.MasterLogsResponse(log_entry=log_entry(entry))
            if entries:
                following = entries[-1].id + 1
                left = None if left is None else left - len(entries)
            elif req.follow:
                await wait(event, None)
                await call.go_on()
            else:
                return


@operation("GetClusterMessage", needs=Right.VIEW_MASTER_CONFIG)
async def get_cluster_message(call: Call, _req: m.GetClusterMessageRequest) -> m.GetClusterMessageResponse:
    """The message for everybody, also before its time has come."""

    def load(tx: Tx) -> Any:
        call.require(tx, Right.VIEW_MASTER_CONFIG)
        return cluster.message(tx)

    row = await call.read(load)
    return m.GetClusterMessageResponse() if row is None else m.GetClusterMessageResponse(cluster_message=cluster_message(row))


@operation("SetClusterMessage", needs=Right.UPDATE_MASTER_CONFIG)
async def set_cluster_message(call: Call, req: m.SetClusterMessageRequest) -> m.SetClusterMessageResponse:
    """Set the message for everybody, from a time on (now) to another, or for a while, or for good."""

    def put(tx: Tx) -> None:
        call.require(tx, Right.UPDATE_MASTER_CONFIG)
        if len(req.message) > LONGEST_MESSAGE:
            raise Invalid(f"message has {len(req.message)} characters; at most {LONGEST_MESSAGE} are allowed")
        start = tx.now if req.start_time is None else int(req.start_time)
        end = _end(start, given(req.end_time), given(req.duration))
        if end is not None and end <= start:
            raise Invalid("endTime must be later than startTime")
        if end is not None and end > _LAST:
            raise Invalid("endTime must not be later than the year 9999")
        if end is not None and end <= tx.now:
            raise Invalid("the message would have ended already; endTime must be in the future")
        cluster.put_message(tx, storable(req.message), call.who.user_id, start, end)

    await call.write(put)
    return m.SetClusterMessageResponse()


@operation("DeleteClusterMessage", needs=Right.UPDATE_MASTER_CONFIG)
async def delete_cluster_message(call: Call, _req: m.DeleteClusterMessageRequest) -> m.DeleteClusterMessageResponse:
    """Remove the message for everybody, if there is one."""

    def drop(tx: Tx) -> None:
        call.require(tx, Right.UPDATE_MASTER_CONFIG)
        cluster.drop_message(tx)

    await call.write(drop)
    return m.DeleteClusterMessageResponse()


def _paths(mask: Any) -> list[str]:
    """The paths of a field mask; raises Invalid for one of another form."""
    if mask is None:
        return []
    paths = mask.get("paths", []) if isinstance(mask, dict) else None
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise Invalid('fieldMask must be an object such as {"paths": ["log.level"]}')
    return paths


def _end(start: Micros, end: Micros | None, duration: str | None) -> Micros | None:
    if duration is None:
        return end
    if end is not None:
        raise Invalid("give endTime or duration, not both")
    try:
        return start + durations.parse(duration)
    except ValueError as error:
        raise Invalid(f"duration: {error}") from None
