"""JSON text: canonical form, and reading parts of it."""

import json as standard
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undeterred.base import json

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(NAMES, VALUES, max_size=6), st.lists(NAMES, unique=True, max_size=4))
def test_members_are_what_reading_everything_finds(value: dict[str, Any], names: list[str]) -> None:
    """Whatever the names are made of, quotes and backslashes included."""
    text = standard.dumps(value)
    wanted = tuple(value.get(name) for name in names)
    assert json.members(*names)(text) == wanted
    assert json.columns(tuple(names), [text, text]) == [[one, one] for one in wanted]


def test_a_missing_member_and_null_are_both_none() -> None:
    """In every way of reading."""
    assert json.members("a", "b")('{"a":null}') == (None, None)
    assert json.columns(("a",), ['{"a":1}', "{}"]) == [[1, None]]
    assert json.columns((), ["{}"]) == []


def test_parts_are_text_that_is_not_looked_into() -> None:
    """One level deep, or two."""
    assert {name: bytes(part) for name, part in json.parts('{"a":{"x":[1, 2]},"b":null}').items()} == {
        "a": b'{"x":[1, 2]}',
        "b": b"null",
    }
    assert {name: list(inner) for name, inner in json.inner_parts('{"a":{"x":1,"y":{}},"b":{}}').items()} == {
        "a": ["x", "y"],
        "b": [],
    }
    with pytest.raises(ValueError, match="object"):
        json.parts("[1]")
    with pytest.raises(ValueError, match="object"):
        json.inner_parts('{"a":1}')


@given(st.floats())
def test_a_number_is_written_so_that_it_reads_back_the_same(value: float) -> None:
    """Whole numbers below 1e21 have no exponent, and only the digits that tell them apart; special ones are texts."""
    written = json.special_float(value)
    if not math.isfinite(value):
        assert written == {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
        return
    text = json.dumps_finite(written)
    assert float(standard.loads(text)) == float(json.loads(text)) == value
    if 2**53 <= abs(value) < 1e21:
        assert isinstance(written, int)
        assert "e" not in text


def test_digits_beyond_a_double_are_zeros() -> None:
    """As other writers of JSON have it."""
    assert json.special_float(12345678901234567890.0) == 12345678901234567000
