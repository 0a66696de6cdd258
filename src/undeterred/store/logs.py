"""Lines of task logs."""

from collections.abc import Sequence

from undeterred.core.loglines import LogLine
from undeterred.store import bulk
from undeterred.store.database import Tx
from undeterred.store.schema.logs import task_logs

_COLUMNS = ("task_id", "time", "text", "level", "source", "stdtype", "rank", "agent_id", "container_id", "allocation_id")


def append(tx: Tx, task_id: str, lines: Sequence[LogLine]) -> None:
    """Add lines at the end of a task's log, in their order."""
    rows = [
        (
            task_id,
            line.time,
            line.text.replace("\0", "\\u0000"),
            line.level,
            line.source,
            line.stdtype,
            line.rank,
            line.agent_id,
            line.container_id,
            line.allocation_id,
        )
        for line in lines
    ]
    bulk.insert_rows(tx, task_logs, _COLUMNS, rows)
