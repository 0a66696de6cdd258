"""What a checkpoint's report must look like, and which files a glob means."""

from collections.abc import Mapping
from typing import Any

from undeterred.base.errors import Invalid

MAX_STEPS = 2**31 - 1
MAX_PATH = 4096


def check_resources(files: Mapping[str, int]) -> dict[str, int]:
    """Files of a checkpoint, path -> bytes, in the order of their paths; a path ending in a slash is a folder.

    Raises Invalid for paths that lead outside.
    """
    return {check_path(path): int(size) for path, size in sorted(files.items())}


def check_path(path: str) -> str:
    """A path relative to the checkpoint's folder, which it does not leave. Raises Invalid."""
    if not path or "\0" in path or len(path) > MAX_PATH:
        raise Invalid(f"resources: {path[:80]!r} is no path of a file: 1 to {MAX_PATH} characters, none of them NUL")
    if path.startswith("/") or ".." in path.replace("\\", "/").split("/"):
        raise Invalid(f"resources: {path[:80]!r} leads out of the checkpoint; paths are relative to its folder and without '..'")
    return path


def steps_completed(metadata: Mapping[str, Any]) -> int:
    """The steps that a checkpoint's metadata names, 0 when they name none. Raises Invalid when it is no whole number."""
    value = metadata.get("steps_completed")
    if value is None:
        return 0
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 11:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_STEPS:
        raise Invalid(f"metadata.steps_completed: must be a whole number from 0 to {MAX_STEPS}, not {str(value)[:80]}")
    return value
