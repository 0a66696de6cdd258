"""Texts of paths and queries to values."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undeterred.base.errors import Invalid
from undeterred.wire import messages as m
from undeterred.wire import query
from undeterred.wire.operation import Param


def read(kind: str, text: str) -> Any:
    """A value of one kind."""
    return query.read(Param("p", "p", kind, enum=m.OrderBy if kind == "enum" else None), text)


@pytest.mark.parametrize(
    ("text", "number"), [("0", 0), ("7", 7), ("+1", 1), ("-1", -1), ("01", 1), ("010", 8), ("0x1", 1), ("0X1f", 31)]
)
def test_integers(text: str, number: int) -> None:
    """Decimal, signed, octal, hexadecimal."""
    assert read("int32", text) == read("wrapped_int32", text) == number


@pytest.mark.parametrize(
    "text", ["", "x", "1.0", "1.5", " 1", "1 ", "1e3", "--1", "08", "0x", "2147483648", "-2147483649", "9" * 100, "٣", "²"]
)
def test_other_integers_are_refused(text: str) -> None:
    """Fractions, blanks, foreign digits, what 32 bits do not hold; the message names the parameter."""
    with pytest.raises(Invalid, match="parameter p"):
        read("int32", text)


@given(st.integers(-(2**31), 2**31 - 1))
def test_every_integer_of_32_bits_is_read(number: int) -> None:
    """As it is usually written."""
    assert read("int32", str(number)) == number


def test_booleans() -> None:
    """Plain ones take Go's spellings, wrapped ones (where absence means something) only two words."""
    for text in ("1", "t", "T", "true", "TRUE", "True"):
        assert read("bool", text) is True
    for text in ("0", "f", "F", "false", "FALSE", "False"):
        assert read("bool", text) is False
    assert read("wrapped_bool", "true") is True
    assert read("wrapped_bool", "false") is False
    for kind, texts in (("bool", ("", "yes", "tRUE", "2")), ("wrapped_bool", ("", "1", "0", "T", "F", "TRUE", "yes"))):
        for text in texts:
            with pytest.raises(Invalid, match="true or false"):
                read(kind, text)


def test_enums() -> None:
    """By name or number; unknown numbers stay numbers, unknown names are told what there is."""
    assert read("enum", "ORDER_BY_DESC") is read("enum", "2") is m.OrderBy.ORDER_BY_DESC
    assert read("enum", "99") == 99
    assert read("enum", "-1") == -1
    for text in ("", "order_by_desc", "DESC", "1.0"):
        with pytest.raises(Invalid, match="ORDER_BY_ASC"):
            read("enum", text)


def test_texts_are_as_they_are() -> None:
    """Empty ones too."""
    for text in ("", " a ", "ü", "a/b"):
        assert read("string", text) == read("wrapped_string", text) == text


def test_numbers_and_times() -> None:
    """Doubles with their special texts, times in any zone."""
    assert read("double", "1.5") == 1.5
    assert read("double", "Infinity") == float("inf")
    assert read("timestamp", "1970-01-01T01:00:00+01:00") == 0
    for kind, text in (("double", ""), ("double", "x"), ("double", "1e999"), ("timestamp", "0"), ("timestamp", "2026-01-01")):
        with pytest.raises(Invalid):
            read(kind, text)


def test_values_are_put_into_nested_messages() -> None:
    """Missing ones are made, present ones kept."""
    request = m.GetExperimentsRequest()
    query.put(request, ("experiment_id_filter", "gte"), 3)
    query.put(request, ("experiment_id_filter", "incl"), [1])
    query.put(request, ("limit",), 5)
    assert request.experiment_id_filter == m.Int32FieldFilter(gte=3, incl=[1])
    assert request.limit == 5
