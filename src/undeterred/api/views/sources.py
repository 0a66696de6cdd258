"""How a trial uses a checkpoint."""

from typing import Any

from undeterred.api.views.common import choose, given
from undeterred.store import sources
from undeterred.wire import messages as m

_KINDS = {
    m.TrialSourceInfoType.TRIAL_SOURCE_INFO_TYPE_UNSPECIFIED: None,
    m.TrialSourceInfoType.TRIAL_SOURCE_INFO_TYPE_INFERENCE: sources.INFERENCE,
    m.TrialSourceInfoType.TRIAL_SOURCE_INFO_TYPE_FINE_TUNING: sources.FINE_TUNE,
}


def source_kind(value: Any) -> str | None:
    """Which way of using a checkpoint a request means, None for any; raises Invalid for an unknown one."""
    return choose(_KINDS, given(value) or m.TrialSourceInfoType.TRIAL_SOURCE_INFO_TYPE_UNSPECIFIED, "trialSourceInfoType")
