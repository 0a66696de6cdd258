"""One line of a task's log, as it travels between the rooms."""

from undeterred.base.struct import Struct


class LogLine(Struct, frozen=True):
    """A line and where it came from. `source` is `master` for what the server itself says about a task."""

    text: str
    """Without the line's end."""
    time: int
    """When it was written, in microseconds UTC."""
    level: str | None = None
    """TRACE, DEBUG, INFO, WARNING, ERROR or CRITICAL; None when the line names none."""
    source: str = "task"
    stdtype: str | None = None
    """`stdout` or `stderr`."""
    rank: int | None = None
    agent_id: str | None = None
    container_id: str | None = None
    allocation_id: str | None = None
    ended: bool = True
    """Whether the line's end followed; a task may post a line without."""
