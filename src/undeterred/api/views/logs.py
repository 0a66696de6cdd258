"""Log lines as clients see them: the fields apart, and put together in one line of text."""

from typing import Any

from undeterred.api.views.common import or_unset
from undeterred.base.clock import to_full_text
from undeterred.base.errors import Invalid
from undeterred.wire import messages as m
from undeterred.wire.leaves import Timestamp


def level_of(level: Any) -> str:
    """The stored word of a level; raises Invalid for a number that is none."""
    if not isinstance(level, m.LogLevel):
        raise Invalid(f"levels: {level} is no level; the levels are {', '.join(m.LogLevel)}")
    return level.removeprefix("LOG_LEVEL_")


def pretty(row: Any) -> str:
    """`[time] container [rank=N] || LEVEL: text`: six digits of a second, eight characters of the container."""
    container = row.container_id[:8] if row.container_id else " " * 8
    rank = "" if row.rank is None else f" [rank={row.rank}]"
    level = "" if row.level is None else f"{row.level}: "
    return f"[{to_full_text(row.time)}] {container}{rank} || {level}{row.text}"


_LEVELS = {level.removeprefix("LOG_LEVEL_"): level for level in m.LogLevel} | {None: m.LogLevel.LOG_LEVEL_UNSPECIFIED}
"""By the stored word."""


def task_line(row: Any) -> m.TaskLogsResponse:
    """A line of a task's log."""
    return m.TaskLogsResponse(
        id=str(row.id),
        timestamp=Timestamp(row.time),
        message=pretty(row),
        level=_LEVELS[row.level],
        task_id=row.task_id,
        allocation_id=or_unset(row.allocation_id),
        agent_id=or_unset(row.agent_id),
        container_id=or_unset(row.container_id),
        rank_id=or_unset(row.rank),
        log=row.text,
        source=or_unset(row.source or None),
        stdtype=or_unset(row.stdtype),
    )


def trial_line(row: Any, trial_id: int) -> m.TrialLogsResponse:
    """A line of a trial's log."""
    return m.TrialLogsResponse(
        id=str(row.id),
        timestamp=Timestamp(row.time),
        message=pretty(row),
        level=_LEVELS[row.level],
        trial_id=trial_id,
        agent_id=or_unset(row.agent_id),
        container_id=or_unset(row.container_id),
        rank_id=or_unset(row.rank),
        log=row.text,
        source=or_unset(row.source or None),
        stdtype=or_unset(row.stdtype),
    )
