"""The server itself as clients see it: its settings without secrets, its log, the message of the day."""

from typing import Any

import msgspec

from undeterred.api.views.common import when, when_set
from undeterred.base.settings import Secret, Settings
from undeterred.core.config.mask import STARS
from undeterred.core.secrets import masked
from undeterred.engine.masterlog import Entry
from undeterred.wire import messages as m


def settings_tree(settings: Settings) -> dict[str, Any]:
    """All settings as plain data, with stars for secrets."""
    tree: dict[str, Any] = masked(_plain(settings))
    return tree


def log_entry(entry: Entry) -> m.LogEntry:
    """A line of the server's own log."""
    return m.LogEntry(
        id=entry.id, message=entry.message, timestamp=when(entry.time), level=m.LogLevel(f"LOG_LEVEL_{entry.level}")
    )


def cluster_message(row: Any) -> m.ClusterMessage:
    """A row of `store.cluster.message`."""
    return m.ClusterMessage(
        message=row.message,
        start_time=when(row.start_time),
        end_time=when_set(row.end_time),
        created_time=when(row.created_at),
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return STARS if value.reveal() else ""
    if isinstance(value, msgspec.Struct):
        return {field.encode_name: _plain(getattr(value, field.name)) for field in msgspec.structs.fields(value)}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
