"""A task's log: lines are stored in the transaction that knows them, followers are woken after its commit.

`append` is the one way in: for lines read from a task's files, for lines sent by a task, and for what the server itself says.
"""

from collections.abc import Sequence

from undeterred.core.loglines import LogLine
from undeterred.engine.facts import LinesStored
from undeterred.store import logs
from undeterred.store.database import Tx

MASTER = "master"
"""`source` of the server's own lines."""


def append(tx: Tx, task_id: str, lines: Sequence[LogLine]) -> None:
    """Store lines in their order and wake those who follow this task's log (key `("logs", task_id)`).

    Log policies look at the lines in the same transaction.
    """
    if not lines:
        return
    logs.append(tx, task_id, lines)
    tx.wake(("logs", task_id))
    if any(line.source != MASTER for line in lines):
        tx.fact(LinesStored(task_id, tuple(lines)))


def say(tx: Tx, task_id: str, text: str, *, allocation_id: str | None = None, level: str = "INFO") -> None:
    """A line of the server's own about a task."""
    append(tx, task_id, [LogLine(text, tx.now, level, MASTER, allocation_id=allocation_id)])
