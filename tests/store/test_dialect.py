"""What is spelled apart for the two databases."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undeterred.base.errors import Invalid
from undeterred.store.dialect import like_matches, url_for, without_nul


@pytest.mark.parametrize(
    ("text", "pattern", "matches"),
    [
        ("Größe", "%GRÖ%", True),
        ("abc", "a_c", True),
        ("abc", "b", False),
        ("50%", r"50\%", True),
        ("500", r"50\%", False),
        ("a\nb", "a%b", True),
        ("", "%", True),
        ("a.c", "a.c", True),
        ("abc", "a.c", False),
    ],
)
def test_like(text: str, pattern: str, matches: bool) -> None:
    """Wildcards, escapes, and case of every alphabet."""
    assert like_matches(text, pattern) is matches


@given(st.text(), st.text(), st.text())
def test_a_part_is_found_wherever_it_is(before: str, part: str, after: str) -> None:
    """`%part%`, escaped, matches any text that holds the part."""
    escaped = part.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
    assert like_matches(before + part + after, f"%{escaped}%")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a\0b\0", "ab"),
        ({"a": "\0", "b": 1, "c": None}, {"a": "", "b": 1, "c": None}),
        ([{"a": "x\0"}, {"a": "y"}], [{"a": "x"}, {"a": "y"}]),
        ([("\0", 2), ("z", b"\0")], [("", 2), ("z", b"\0")]),
    ],
)
def test_nul_is_dropped_from_texts(given: object, kept: object) -> None:
    """In parameters of one statement and of many; bytes keep theirs."""
    assert without_nul(given) == kept


def test_parameters_without_nul_are_not_copied() -> None:
    """Nearly all are such."""
    rows = [{"a": "x"}, {"a": "y"}]
    assert without_nul(rows) is rows
    assert without_nul(rows[0]) is rows[0]


def test_urls() -> None:
    """A path, a SQLite URL and a PostgreSQL URL are understood; others are refused by name."""
    assert url_for("", Path("/d")) == "sqlite:////d/undeterred.db"
    assert url_for("sqlite:////x/y.db", Path("/d")) == "sqlite:////x/y.db"
    assert url_for("postgresql://u@h/n", Path("/d")) == "postgresql+psycopg://u@h/n"
    with pytest.raises(Invalid, match="mysql"):
        url_for("mysql://u@h/n", Path("/d"))
