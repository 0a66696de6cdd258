"""Strategies for configurations, made from the schema itself, and for JSON data of any shape."""

from typing import Any

from hypothesis import strategies as st

from undeterred.core.config import ntsc, rules, shims
from undeterred.core.config.checks import read
from undeterred.core.config.kinds import (
    Anything,
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
    Union,
    Whole,
)
from undeterred.core.config.problems import Problems

WORDS = st.sampled_from(["a", "b", "c", "A=1", "A=2", "B=1"])

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=12,
)

_BY_RULE = {
    rules.absolute: st.sampled_from(["/a", "/b/c"]),
    rules.not_work_dir: st.sampled_from(["/x", "y", "z"]),
    rules.pattern: st.sampled_from([".*x", "y+"]),
    rules.no_parent: st.sampled_from(["p", "p/q"]),
    rules.not_empty: st.sampled_from(["bucket", "other"]),
    ntsc.TASK.fields["idle_timeout"].kind.kind.rule: st.sampled_from(["5m", "1h30m", "250ms", "0"]),
}


def trees(kind: Kind) -> st.SearchStrategy[Any]:
    """Valid, partial values of a kind, as a person would write them."""
    return _raw(kind).filter(lambda value: is_valid(kind, value))


def is_valid(kind: Kind, value: Any) -> bool:
    """Whether a value reads without a mistake."""
    problems = Problems("")
    read(kind, value, "<config>", problems)
    return not problems.found()


def canonical(kind: Kind, value: Any) -> Any:
    """A valid value in canonical form."""
    return read(kind, value, "<config>", Problems(""))


def _raw(kind: Kind) -> st.SearchStrategy[Any]:
    match kind:
        case Anything():
            return st.sampled_from([1, "x", None, True, {"k": [1, None]}])
        case Null():
            return st.none()
        case Flag():
            return st.booleans()
        case Text():
            return st.sampled_from(kind.choices) if kind.choices else _BY_RULE.get(kind.rule, WORDS)
        case Whole():
            return st.integers(max(kind.minimum, 0), min(kind.maximum, max(kind.minimum, 0) + 3))
        case Number():
            return st.sampled_from([2, 2.5, 4])
        case Size():
            return st.sampled_from([0, 4096, "1g", "1.5 MB"])
        case Items():
            return st.lists(_raw(kind.item), max_size=3)
        case Table():
            return st.dictionaries(st.sampled_from(["k", "l"]), _raw(kind.value), max_size=2)
        case Shaped():
            return _raw(kind.kind) | _short(kind)
        case OneOf():
            return st.one_of([_raw(option) for option in kind.kinds])
        case Record():
            return _record(kind)
        case Union():
            return st.one_of([_branch(kind, name) for name in kind.branches] + [_common(kind)])
        case Space():
            return SPACES
        case Pod():
            return st.sampled_from([{}, {"spec": {"tolerations": []}}, {"metadata": {"labels": {"a": "b"}}}])


def _record(kind: Record) -> st.SearchStrategy[Any]:
    if kind.rules == (rules.one_unit,):
        return st.one_of([st.fixed_dictionaries({key: _raw(field.kind)}) for key, field in kind.fields.items()])
    needed = {key: _raw(field.kind) for key, field in kind.fields.items() if field.at_once}
    others = {key: st.none() | _raw(field.kind) for key, field in kind.fields.items() if not field.at_once}
    if len(others) <= 8:
        return st.fixed_dictionaries(needed, optional=others)
    some = st.sets(st.sampled_from(sorted(others)), max_size=10)
    return some.flatmap(lambda keys: st.fixed_dictionaries({**needed, **{key: others[key] for key in sorted(keys)}}))


def _branch(kind: Union, name: str) -> st.SearchStrategy[Any]:
    fields = {**kind.common, **kind.branches[name].fields}
    return st.fixed_dictionaries({kind.by: st.just(name)}, optional={key: _raw(field.kind) for key, field in fields.items()})


def _common(kind: Union) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({}, optional={key: _raw(field.kind) for key, field in kind.common.items()})


def _short(kind: Shaped) -> st.SearchStrategy[Any]:
    """The shorter forms that a shim knows."""
    if kind.shim is shims.device:
        return st.sampled_from(["/dev/a:/dev/b", "/dev/a:/dev/c:r"])
    if kind.shim is shims.log_action:
        return st.just({"type": "cancel_retries"})
    if kind.shim is shims.per_device:
        field = next(iter(kind.kind.fields.values()))
        return _raw(field.kind) | st.fixed_dictionaries({"gpu": _raw(field.kind)})
    return WORDS if kind.shim is shims.strings else st.nothing()


_LEAVES = st.sampled_from(
    [
        1,
        "adam",
        [1, 2],
        None,
        {"type": "const", "val": {"a": 1}},
        {"type": "int", "minval": 1, "maxval": 3, "count": 2},
        {"type": "double", "minval": 0, "maxval": 0.5},
        {"type": "log", "minval": -3, "maxval": -1, "base": 10, "count": 2},
        {"type": "categorical", "vals": [True, "x", None]},
    ]
)

SPACES = st.recursive(
    st.dictionaries(st.sampled_from(["lr", "depth", "act"]), _LEAVES, max_size=3),
    lambda inner: st.fixed_dictionaries({}, optional={"lr": _LEAVES, "depth": _LEAVES, "nest": inner, "optim": inner}),
    max_leaves=4,
)
"""A name is always a nested map or always a leaf: only then is merging spaces associative."""
