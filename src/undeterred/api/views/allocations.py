"""Allocations as clients see them."""

from typing import Any

import msgspec

from undeterred.base import clock
from undeterred.core.lifecycle import shown
from undeterred.core.lifecycle.allocation import AllocationState
from undeterred.wire import messages as m


def allocation_message(row: Any) -> m.Allocation:
    """A row of allocations; what is not known yet is left out."""
    return m.Allocation(
        task_id=row.task_id,
        allocation_id=row.id,
        state=m.TaskState(f"STATE_{shown.allocation(AllocationState(row.state))}"),
        slots=row.slots,
        is_ready=row.is_ready or msgspec.UNSET,
        start_time=_time(row.start_time),
        end_time=_time(row.end_time),
        exit_reason=row.exit_reason or msgspec.UNSET,
        status_code=msgspec.UNSET if row.exit_code is None else row.exit_code,
    )


def _time(value: int | None) -> str | msgspec.UnsetType:
    return msgspec.UNSET if value is None else clock.to_text(value)
