"""Who asked for what: a line of the server's log for each call, when `__internal.audit_logging_enabled` is set.

What changes something and what is refused is told at level INFO, what only reads at DEBUG. Nothing of a body is told.
"""

import logging
from typing import Any

from undeterred.api.who import Who

log = logging.getLogger("undeterred.audit")


class Audit:
    """Writes the lines, or nothing."""

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled

    def note(self, operation: str, method: str, who: Who | None, client: Any, status: int) -> None:
        """One call; `client` is the address of ASGI, `status` that of the answer (0 for a stream that was left early)."""
        if not self._enabled:
            return
        level = logging.DEBUG if method == "GET" and status < 400 else logging.INFO
        if not log.isEnabledFor(level):
            return
        user = "none" if who is None else f"{who.username} user_id={who.user_id} by={who.kind}"
        task = f" task={who.task_id}" if who is not None and who.task_id else ""
        log.log(level, "operation=%s status=%d user=%s%s ip=%s", operation, status, user, task, client[0] if client else "none")
