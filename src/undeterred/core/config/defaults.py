"""Completes a canonical tree: every key that a field has a default for, null where there is none, keys in alphabetical order."""

import copy
from collections.abc import Mapping
from typing import Any

from undeterred.core.config.kinds import NOTHING, Field, Items, Kind, Record, Shaped, Tree, Union, branch_of, fields_of
from undeterred.core.config.merge import merge


def fill(kind: Kind, value: Any) -> Any:
    """The complete form of a canonical value; a default joins with what is given by the rules of merging."""
    if value is None:
        return None
    match kind:
        case Shaped():
            return fill(kind.kind, value)
        case Record():
            return value if kind.whole else _filled(kind.fields, value, keep=kind.open)
        case Union():
            branch = branch_of(kind, value)
            return _filled(fields_of(kind, value), value, keep=branch is not None and branch.open)
        case Items():
            return [fill(kind.item, item) for item in value]
        case _:
            return value


def _filled(fields: Mapping[str, Field], value: Tree, *, keep: bool) -> Tree:
    tree = {key: item for key, item in value.items() if key not in fields} if keep else {}
    for key, field in fields.items():
        if field.ignored:
            continue
        default = None if field.default is NOTHING else copy.deepcopy(field.default)
        item = fill(field.kind, merge(field.kind, value.get(key), default))
        if item is not None or not field.hide_null:
            tree[key] = item
    return dict(sorted(tree.items()))
