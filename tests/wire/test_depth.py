"""How deep a body may be nested."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undeterred.base.errors import Invalid
from undeterred.wire.codec import MAX_DEPTH, _check_depth


def refused(body: bytes) -> bool:
    """Whether the check refuses it."""
    try:
        _check_depth(body)
    except Invalid:
        return True
    return False


def depth(value: object) -> int:
    """Levels of lists and objects."""
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@given(st.integers(90, 110), st.integers(0, 60), st.sampled_from(["", "}", "]]", '{"', "\\"]), st.booleans())
def test_as_deep_as_allowed_and_no_deeper(levels: int, wide: int, text: str, lists: bool) -> None:
    """Whatever stands beside and in texts."""
    value: object = text
    for level in range(levels):
        value = [value] if lists and level % 2 else {text: value, "b": [{} for _ in range(wide)]}
    assert refused(json.dumps(value).encode()) == (depth(value) > MAX_DEPTH)


@pytest.mark.parametrize(("body", "too_deep"), [(b"[" * 5000, True), (b"[" * 90 + b"}" * 90, False), (b'"' + b"[" * 500, False)])
def test_broken_bodies(body: bytes, too_deep: bool) -> None:
    """What is no JSON is left to the decoder unless it is deep."""
    assert refused(body) is too_deep


def test_brackets_in_texts_do_not_count() -> None:
    """Log lines hold what they like."""
    assert not refused(json.dumps([{"log": "{[{[" * 100} for _ in range(1000)]).encode())
