"""Leaves whose JSON differs from Python's: large integers, floats, times, free JSON."""

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.shapes import FREE
from undeterred.base import clock
from undeterred.wire.leaves import Array, Double, Int64, Object, Timestamp, decode_leaf, encode_leaf


def read(kind: Any, text: str) -> Any:
    """A leaf from JSON text."""
    return msgspec.json.Decoder(kind, dec_hook=decode_leaf).decode(text)


def write(value: Any) -> Any:
    """The JSON of a leaf."""
    return json.loads(msgspec.json.encode(value, enc_hook=encode_leaf))


@given(st.integers(-(2**63), 2**63 - 1))
def test_large_integers_are_quoted_and_exact(number: int) -> None:
    """Read quoted or bare, written quoted."""
    assert write(Int64(number)) == str(number)
    assert read(Int64, str(number)) == read(Int64, f'"{number}"') == number
    assert type(read(Int64, f'"{number}"')) is Int64


@pytest.mark.parametrize(
    "text", ["1.0", "1e3", "true", "{}", '""', '"x"', '"1.5"', '" 1"', '"+1"', '"01"', '"٣"', str(2**63), f'"{-(2**63) - 1}"']
)
def test_other_integers_are_refused(text: str) -> None:
    """Fractions, exponents, blanks, foreign digits, and what 64 bits do not hold."""
    with pytest.raises(ValueError):
        read(Int64, text)


@given(st.floats())
def test_floats_keep_their_value(number: float) -> None:
    """NaN and infinities travel as texts."""
    written = write(Double(number))
    assert isinstance(written, str) == (not math.isfinite(number))
    back = read(Double, json.dumps(written))
    assert back == number or (math.isnan(back) and math.isnan(number))


@pytest.mark.parametrize(
    ("text", "number"), [("1", 1.0), ('"1"', 1.0), ('"-1.5e3"', -1500.0), ('".5"', 0.5), ('"+2."', 2.0), ("-0", 0.0)]
)
def test_numbers_may_be_quoted(text: str, number: float) -> None:
    """Bare or as text."""
    assert read(Double, text) == number


@pytest.mark.parametrize(
    "text", ["1e400", '"1e400"', '"nan"', '"inf"', '"+Infinity"', '" 1"', '"1_0"', '"0x1"', '"٣"', '""', "true", "[]"]
)
def test_other_floats_are_refused(text: str) -> None:
    """Out of range, other spellings of the special ones, Python's own liberties."""
    with pytest.raises(ValueError):
        read(Double, text)


@given(st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999))
def test_times_keep_their_microseconds(micros: int) -> None:
    """Written in UTC with as few groups of three digits as needed, read back the same."""
    written = write(Timestamp(micros))
    assert written == clock.to_text(micros)
    assert len(written) in (20, 24, 27)
    assert read(Timestamp, json.dumps(written)) == micros


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-01-01T09:00:00+09:00", "2026-01-01T00:00:00Z"),
        ("2026-01-01T00:00:00.1234567Z", "2026-01-01T00:00:00.123456Z"),
        ("2026-01-01t00:00:00.120z", "2026-01-01T00:00:00.120Z"),
    ],
)
def test_times_are_read_in_any_zone(text: str, utc: str) -> None:
    """Converted to UTC; digits below a microsecond are cut."""
    assert write(read(Timestamp, json.dumps(text))) == utc


@pytest.mark.parametrize(
    "text",
    [
        "5",
        '""',
        '"yesterday"',
        '"2026-01-01"',
        '"2026-01-01T00:00:00"',
        '"2026-13-01T00:00:00Z"',
        '"2026-01-01T25:00:00Z"',
        '"0001-01-01T00:00:00+01:00"',
        '"9999-12-31T23:59:59-01:00"',
        '"2026-01-01 00:00:00Z"',
    ],
)
def test_other_times_are_refused(text: str) -> None:
    """No time, no zone, no such day, or outside the years that can be written."""
    with pytest.raises(ValueError):
        read(Timestamp, text)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), FREE, max_size=4))
def test_free_json_is_kept_and_its_numbers_are_doubles(value: dict[str, Any]) -> None:
    """Every number comes back as the double nearest to it; everything else as it was."""
    back = write(read(Object, json.dumps(value)))
    assert as_doubles(back) == as_doubles(value)


def as_doubles(value: Any) -> Any:
    """All numbers as floats."""
    if isinstance(value, dict):
        return {key: as_doubles(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_doubles(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def test_whole_doubles_are_written_as_integers() -> None:
    """1.0 reads back as 1, -0 as 0, 20 digits are rounded to those that tell the double."""
    assert write(read(Object, '{"a": [1.0, -0.0, 2.5, 12345678901234567890]}')) == {"a": [1, 0, 2.5, 12345678901234567000]}


@pytest.mark.parametrize(
    ("kind", "text"), [(Object, "[]"), (Object, "5"), (Object, '"x"'), (Array, "{}"), (Array, "null"), (Object, "1e400")]
)
def test_free_json_has_its_kind(kind: Any, text: str) -> None:
    """An object is no list."""
    with pytest.raises(ValueError):
        read(kind, text)


def test_an_unknown_leaf_is_a_defect() -> None:
    """Told by its name."""
    with pytest.raises(TypeError, match="complex"):
        encode_leaf(1j)


def test_whole_floats_are_written_without_a_point() -> None:
    """As clients of the compatible API read them."""
    assert [json.dumps(write(Double(number))) for number in (5.0, -0.0, 0.5)] == ["5", "0", "0.5"]
