"""What the metadata of a run may hold: free JSON that stays small enough to be searched."""

from collections.abc import Iterator
from typing import Any

from undeterred.base.errors import Invalid

DEEPEST = 10
"""Objects and lists inside one another, the metadata itself being the first."""
MOST_KEYS = 1000
LONGEST_KEY = 50
LONGEST_TEXT = 5000
LONGEST_LIST = 100


def check_metadata(metadata: dict[str, Any]) -> None:
    """Raises Invalid with the first limit that is passed, and where."""
    keys = 0
    waiting: list[tuple[str, int, Any]] = [("metadata", 1, metadata)]
    while waiting:
        path, depth, value = waiting.pop()
        if isinstance(value, str) and len(value) > LONGEST_TEXT:
            raise Invalid(f"{path}: a text of {len(value)} characters is too long; at most {LONGEST_TEXT} are allowed")
        if not isinstance(value, dict | list):
            continue
        if depth > DEEPEST:
            raise Invalid(f"{path}: objects and lists are nested too deep; at most {DEEPEST} levels are allowed")
        if isinstance(value, dict):
            keys += len(value)
        if keys > MOST_KEYS:
            raise Invalid(f"metadata: there are too many keys; at most {MOST_KEYS} are allowed in all")
        waiting.extend((name, depth + 1, item) for name, item in _members(path, value))


def _members(path: str, value: dict[str, Any] | list[Any]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list):
        if len(value) > LONGEST_LIST:
            raise Invalid(f"{path}: a list of {len(value)} items is too long; at most {LONGEST_LIST} are allowed")
        yield from ((f"{path}[{number}]", item) for number, item in enumerate(value))
        return
    for key, item in value.items():
        if len(key) > LONGEST_KEY:
            raise Invalid(f"{path}: the key {key[:LONGEST_KEY]!r}... is too long; at most {LONGEST_KEY} characters are allowed")
        if "." in key or "\0" in key:
            raise Invalid(f"{path}: the key {key!r} must hold neither a dot nor a NUL")
        yield f"{path}.{key}", item
