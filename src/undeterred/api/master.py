"""The installation itself: what it is, and whether it counts anything."""

from undeterred import DETERMINED_VERSION
from undeterred.api.call import Call
from undeterred.api.operation import Needs, operation
from undeterred.wire import messages as m


@operation("GetMaster", needs=Needs.NOTHING)
async def get_master(call: Call, _req: m.GetMasterRequest) -> m.GetMasterResponse:
    """What clients ask first: version, cluster and switches."""
    settings = call.settings
    return m.GetMasterResponse(
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


@operation("GetTelemetry", needs=Needs.NOTHING)
async def get_telemetry(_call: Call, _req: m.GetTelemetryRequest) -> m.GetTelemetryResponse:
    """Nothing is ever sent anywhere."""
    return m.GetTelemetryResponse()
