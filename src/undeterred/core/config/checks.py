"""Finds every mistake of a configuration: reading makes a layer canonical, completeness looks at the merged whole.

Each mistake is one line, `<config>.path: message`. What cannot be read is left out of the canonical tree, so one mistake does
not cause others. Of an object with branches (searcher, checkpoint storage) only the branch that it names is judged.
"""

import difflib
from collections.abc import Mapping
from typing import Any

from undeterred.base.errors import Invalid
from undeterred.core.config import hyperparameters, rules
from undeterred.core.config.kinds import (
    Anything,
    Field,
    Flag,
    Items,
    Kind,
    Null,
    Number,
    OneOf,
    Pod,
    Record,
    Shaped,
    Size,
    Space,
    Table,
    Text,
    Tree,
    Union,
    Whole,
    branch_of,
    fields_of,
)
from undeterred.core.config.parse import describe, plain
from undeterred.core.config.problems import Problems


class _Unreadable:
    """Marks a value that was reported and is left out."""


_UNREADABLE = _Unreadable()


def read(kind: Kind, value: Any, path: str, problems: Problems) -> Any:
    """The canonical form of a value, without nulls and unreadable parts; None when nothing is left.

    Mistakes go to `problems`.
    """
    result = _read(kind, value, path, problems)
    return None if result is _UNREADABLE else result


def read_layer(schema: Record, tree: Mapping[str, Any] | None, root: str, problems: Problems) -> Tree:
    """One whole source in canonical form, {} where there is none; `root` names it in paths. Mistakes go to `problems`."""
    try:
        canonical = read(schema, plain(tree or {}), root, problems)
    except Invalid as error:
        problems.add(root, str(error))
        canonical = None
    return dict(canonical or {})


def missing(kind: Kind, value: Any, path: str, problems: Problems) -> None:
    """Report keys that are still missing in a merged value."""
    if isinstance(kind, Shaped):
        missing(kind.kind, value, path, problems)
    elif isinstance(kind, Record | Union) and isinstance(value, Mapping):
        fields = kind.fields if isinstance(kind, Record) else fields_of(kind, value)
        for key, field in fields.items():
            if field.required and value.get(key) is None:
                problems.add_new(f"{path}.{key}", f"{key} is a required property")
            missing(field.kind, value.get(key), f"{path}.{key}", problems)


def _read(kind: Kind, value: Any, path: str, problems: Problems) -> Any:
    """As `read`, with a mark for what is unreadable."""
    if value is None:
        return None
    match kind:
        case Anything():
            return value
        case Text() | Flag() | Whole() | Number() | Size():
            return _scalar(kind, value, path, problems)
        case Items():
            return _items(kind, value, path, problems)
        case Table():
            return _table(kind, value, path, problems)
        case Shaped():
            return _read(kind.kind, kind.shim(value), path, problems)
        case OneOf():
            return _one_of(kind, value, path, problems)
        case Record():
            return _record(kind, value, path, problems)
        case Union():
            return _union(kind, value, path, problems)
        case Space():
            return hyperparameters.read_space(value, path, problems)
        case Null():
            return _bad(path, f"is not allowed: {kind.hint}", problems)
        case Pod():
            return _pod(value, path, problems)


def _bad(path: str, message: str, problems: Problems) -> _Unreadable:
    problems.add(path, message)
    return _UNREADABLE


def _scalar(kind: Text | Flag | Whole | Number | Size, value: Any, path: str, problems: Problems) -> Any:
    """A text, flag or number within its limits."""
    match kind:
        case Flag():
            return value if isinstance(value, bool) else _bad(path, f"must be true or false, not {describe(value)}", problems)
        case Text():
            return _text(kind, value, path, problems)
        case Whole():
            return _whole(kind, value, path, problems)
        case Number():
            return _number(kind, value, path, problems)
        case Size():
            size = rules.size_in_bytes(value) if isinstance(value, str) else value
            if size is None:
                return _bad(path, f'must be a number of bytes or a size such as "4g", not {describe(value)}', problems)
            return _whole(Whole(0), size, path, problems)


def _text(kind: Text, value: Any, path: str, problems: Problems) -> Any:
    if not isinstance(value, str):
        return _bad(path, f"must be a text, not {describe(value)}", problems)
    if kind.choices and value not in kind.choices:
        return _bad(path, f"must be one of {', '.join(kind.choices)}, not {describe(value)}", problems)
    complaint = kind.rule(value) if kind.rule else None
    return value if complaint is None else _bad(path, complaint, problems)


def _whole(kind: Whole, value: Any, path: str, problems: Problems) -> Any:
    fraction = isinstance(value, float) and not value.is_integer()
    if isinstance(value, bool) or not isinstance(value, int | float) or fraction:
        return _bad(path, f"must be an integer, not {describe(value)}", problems)
    if value < kind.minimum:
        return _bad(path, f"must be at least {kind.minimum}, not {describe(value)}", problems)
    if value > kind.maximum:
        return _bad(path, f"must be at most {kind.maximum}, not {describe(value)}", problems)
    return int(value)


def _number(kind: Number, value: Any, path: str, problems: Problems) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _bad(path, f"must be a number, not {describe(value)}", problems)
    if kind.minimum is not None and value < kind.minimum:
        return _bad(path, f"must be at least {kind.minimum:g}, not {describe(value)}", problems)
    if kind.above is not None and value <= kind.above:
        return _bad(path, f"must be above {kind.above:g}, not {describe(value)}", problems)
    return value


def _items(kind: Items, value: Any, path: str, problems: Problems) -> Any:
    if not isinstance(value, list):
        return _bad(path, f"must be a list, not {describe(value)}", problems)
    items = []
    for index, entry in enumerate(value):
        where = f"{path}[{index}]"
        item = _bad(where, "must not be null", problems) if entry is None else _read(kind.item, entry, where, problems)
        if item is not _UNREADABLE:
            items.append(item)
    if kind.distinct and kind.key:
        _report_repeats([kind.key(item) for item in items], path, problems)
    return items


def _report_repeats(keys: list[Any], path: str, problems: Problems) -> None:
    for key in sorted({str(key) for key in keys if keys.count(key) > 1}):
        problems.add(path, f'"{key}" is given more than once')


def _table(kind: Table, value: Any, path: str, problems: Problems) -> Any:
    if not isinstance(value, Mapping):
        return _bad(path, f"must be an object, not {describe(value)}", problems)
    table = {key: _read(kind.value, item, f"{path}.{key}", problems) for key, item in value.items()}
    keep_null = isinstance(kind.value, Anything)
    return {key: item for key, item in table.items() if item is not _UNREADABLE and (keep_null or item is not None)}


def _one_of(kind: OneOf, value: Any, path: str, problems: Problems) -> Any:
    """Read by the kind whose JSON type the value has."""
    types = {Text: str, Items: list, Record: Mapping, Whole: int | float}
    for option in kind.kinds:
        if not isinstance(value, bool) and isinstance(value, types[type(option)]):
            return _read(option, value, path, problems)
    return _bad(path, f"must be {kind.expected}, not {describe(value)}", problems)


def _record(kind: Record, value: Any, path: str, problems: Problems) -> Any:
    if not isinstance(value, Mapping):
        return _bad(path, f"must be an object, not {describe(value)}", problems)
    tree = _fields(kind.fields, value, path, problems)
    if kind.open:
        tree |= {key: item for key, item in value.items() if key not in kind.fields and item is not None}
    else:
        _report_unknown(value, kind.fields, path, problems)
    return _judge(kind, tree, path, problems)


def _fields(fields: Mapping[str, Field], value: Mapping[str, Any], path: str, problems: Problems) -> Tree:
    """The known keys of an object."""
    tree: Tree = {}
    for key, field in fields.items():
        given = value.get(key)
        if given is None:
            if field.at_once:
                problems.add(f"{path}.{key}", f"{key} is a required property")
            continue
        item = _read(field.kind, given, f"{path}.{key}", problems)
        if item is not _UNREADABLE and not field.ignored:
            tree[key] = item
    return tree


def _judge(kind: Record, tree: Tree, path: str, problems: Problems) -> Any:
    """Apply the rules about keys that stand together; an entry without a key that it needs is unreadable."""
    if any(field.at_once and key not in tree for key, field in kind.fields.items()):
        return _UNREADABLE
    for rule in kind.rules:
        for below, message in rule(tree):
            problems.add(path + below, message)
    return tree


def _report_unknown(value: Mapping[str, Any], known: Mapping[str, Field], path: str, problems: Problems) -> None:
    names = sorted(name for name, field in known.items() if not field.ignored)
    for key in value:
        if key not in known:
            near = difflib.get_close_matches(key[:100], names, n=1)
            hint = f'did you mean "{near[0]}"?' if near else f"allowed are {', '.join(names)}"
            problems.add(f"{path}.{key}", f'unknown key "{key}"; {hint}')


def _union(kind: Union, value: Any, path: str, problems: Problems) -> Any:
    if not isinstance(value, Mapping):
        return _bad(path, f"must be an object whose {kind.by} is {kind.expected}, not {describe(value)}", problems)
    tree = _fields(kind.common, value, path, problems)
    chosen = value.get(kind.by)
    if chosen is None:
        _report_homeless(kind, value, path, problems)
        return tree
    if not isinstance(chosen, str) or chosen not in kind.branches:
        problems.add(f"{path}.{kind.by}", f"must be {kind.expected}, not {describe(chosen)}")
        return tree
    tree[kind.by] = chosen
    branch = branch_of(kind, tree)
    assert branch is not None
    tree |= _fields(branch.fields, value, path, problems)
    known = fields_of(kind, tree)
    if branch.open:
        tree |= {key: item for key, item in value.items() if key not in known and item is not None}
    else:
        _report_unknown(value, known, path, problems)
    return _judge(branch, tree, path, problems)


def _report_homeless(kind: Union, value: Mapping[str, Any], path: str, problems: Problems) -> None:
    """Without a discriminator only the keys that all branches share may stand."""
    for key in value:
        if key not in kind.common and key != kind.by:
            problems.add(f"{path}.{key}", f"is only known once {kind.by} says which: {kind.expected}")


def _pod(value: Any, path: str, problems: Problems) -> Any:
    if not isinstance(value, Mapping):
        return _bad(path, f"must be an object, not {describe(value)}", problems)
    for below, message in rules.pod(dict(value)):
        problems.add(path + below, message)
    return dict(value)
