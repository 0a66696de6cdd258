"""Stars for what settings must not give away, found by the names of keys."""

import re
from collections.abc import Mapping
from typing import Any

from undeterred.core.config.mask import STARS

_NAMES = re.compile(
    r"passw(or)?d|secret|credential|connection_string|private_key|signing_key|access_key|api_key|identity_?token|"
    r"registry_?token|(auth|bearer|access|refresh)_?token|segment_\w*key|^auth$|^token$",
    re.IGNORECASE,
)
_URL_PASSWORD = re.compile(r"(?<=://)([^:/@\s]*):[^@/\s]*@")


def masked(tree: Any) -> Any:
    """A copy of plain data with stars for texts and numbers under keys that name secrets, and for passwords in URLs."""
    if isinstance(tree, Mapping):
        return {key: _hidden(value) if _NAMES.search(str(key)) else masked(value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [masked(item) for item in tree]
    return _URL_PASSWORD.sub(rf"\1:{STARS}@", tree) if isinstance(tree, str) else tree


def _hidden(value: Any) -> Any:
    """Stars for a value that is set; what lies inside an object is looked at by its own names."""
    if isinstance(value, (Mapping, list, tuple)):
        return masked(value)
    return STARS if isinstance(value, (str, int, float)) and not isinstance(value, bool) and value != "" else value
