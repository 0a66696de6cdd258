"""Limits of the metadata of a run."""

from typing import Any

import pytest

from undeterred.base.errors import Invalid
from undeterred.core.metadata import DEEPEST, LONGEST_KEY, LONGEST_LIST, LONGEST_TEXT, MOST_KEYS, check_metadata


def nested(levels: int) -> dict[str, Any]:
    """So many objects inside one another."""
    value: dict[str, Any] = {"v": 1}
    for _ in range(levels - 1):
        value = {"k": value}
    return value


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"": None, "a": [1, "x", True, {"b": []}]},
        nested(DEEPEST),
        {str(number): number for number in range(MOST_KEYS)},
        {"k" * LONGEST_KEY: "x" * LONGEST_TEXT},
        {"a": list(range(LONGEST_LIST))},
    ],
    ids=["empty", "mixed", "deep", "many", "long", "list"],
)
def test_what_is_just_within_the_limits_is_allowed(metadata: dict[str, Any]) -> None:
    """Each limit is the last value allowed."""
    check_metadata(metadata)


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        (nested(DEEPEST + 1), "nested too deep"),
        ({"a": [nested(DEEPEST - 1)]}, "nested too deep"),
        ({"a": {str(number): number for number in range(MOST_KEYS)}}, "too many keys"),
        ({"k" * (LONGEST_KEY + 1): 1}, "too long"),
        ({"a": {"b": "x" * (LONGEST_TEXT + 1)}}, "metadata.a.b"),
        ({"a": ["x" * (LONGEST_TEXT + 1)]}, r"metadata.a\[0\]"),
        ({"a": list(range(LONGEST_LIST + 1))}, "metadata.a"),
        ({"a.b": 1}, "dot"),
        ({"a": {"b\0": 1}}, "NUL"),
    ],
)
def test_what_passes_a_limit_is_refused_and_told_where(metadata: dict[str, Any], words: str) -> None:
    """The message names the place and what is allowed."""
    with pytest.raises(Invalid, match=words):
        check_metadata(metadata)


def test_depth_of_any_size_is_refused_without_recursion() -> None:
    """A thousand levels are an answer, no crash."""
    with pytest.raises(Invalid, match="deep"):
        check_metadata(nested(5000))
