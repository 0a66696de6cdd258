"""Which paths a glob means: `*` and `?` within a name, `[...]` one of some characters, `**` any folders, a folder all in it.

As in a shell a wildcard does not match a leading dot; only the glob `**/*` means everything there is.
"""

import fnmatch
import re
from collections.abc import Collection, Iterable, Sequence

from undeterred.base.errors import Invalid

EVERYTHING = "**/*"
LONGEST = 1000
MOST = 100


def check_globs(globs: Sequence[str]) -> list[str]:
    """The same globs; raises Invalid for empty ones, absolute ones, and those with `..`: none leads out of its folder."""
    if len(globs) > MOST:
        raise Invalid(f"checkpointGlobs: {len(globs)} are too many; at most {MOST} are allowed in one request")
    for glob in globs:
        if not glob or len(glob) > LONGEST or "\0" in glob:
            raise Invalid(f"checkpointGlobs: a glob has 1 to {LONGEST} characters, none of them NUL")
        if glob.startswith("/") or ".." in glob.replace("\\", "/").split("/"):
            raise Invalid(f"checkpointGlobs: {glob[:80]!r} leads out of the checkpoint; give paths relative to it, without '..'")
    return list(globs)


def matching(paths: Collection[str], globs: Iterable[str]) -> set[str]:
    """Those of the paths that a glob means, and all in the folders among them; folders end in a slash."""
    found: set[str] = set()
    for glob in globs:
        if glob == EVERYTHING:
            return set(paths)
        pattern = _pattern(glob)
        found.update(path for path in paths if _matches(pattern, path))
    return found


_Part = re.Pattern[str] | None
"""A pattern of one name; None stands for any folders."""


def _pattern(glob: str) -> list[_Part]:
    names = [name for name in glob.split("/") if name not in ("", ".")]
    if glob.endswith(("/", "/.")):  # folders only
        names.append("**")
    parts: list[_Part] = []
    for name in names:
        if name != "**":
            hidden = "" if name.startswith(".") else r"(?!\.)"
            parts.append(re.compile(hidden + fnmatch.translate(name)))
        elif not parts or parts[-1] is not None:
            parts.append(None)
    return parts


def _matches(pattern: Sequence[_Part], path: str) -> bool:
    """Whether the pattern means the path itself, or a folder that it is in."""
    names = [name for name in path.split("/") if name]
    places = {0}  # how many parts of the pattern have been used, in every way that is left
    for name in names:
        if len(pattern) in _closed(pattern, places):
            return True
        places = set(_step(pattern, places, name))
    return len(pattern) in (_closed(pattern, places) if path.endswith("/") else places)


def _step(pattern: Sequence[_Part], places: set[int], name: str) -> Iterable[int]:
    for place in _closed(pattern, places):
        if place == len(pattern):
            continue
        part = pattern[place]
        if part is None:
            if not name.startswith("."):
                yield place
        elif part.match(name):
            yield place + 1


def _closed(pattern: Sequence[_Part], places: set[int]) -> set[int]:
    """The same places, and those behind a `**` that stands for no folder."""
    return places | {place + 1 for place in places if place < len(pattern) and pattern[place] is None}
