"""Mistakes are collected and told together."""

import pytest

from undeterred.base.errors import Invalid
from undeterred.core.config.problems import Problems


def test_lines_are_sorted_and_unique():
    """The heading comes first, then each mistake once, whatever the order of finding."""
    problems = Problems("wrong things")
    problems.raise_if_any()
    for path in ("<config>.b", "<config>.a", "<config>.b"):
        problems.add(path, "is odd")
    assert problems.found() == [("<config>.b", "is odd"), ("<config>.a", "is odd")]
    with pytest.raises(Invalid) as error:
        problems.raise_if_any()
    assert str(error.value) == "wrong things:\n<config>.a: is odd\n<config>.b: is odd"


@pytest.mark.parametrize(
    ("place", "news"),
    [
        ("<config>.searcher.metric", False),
        ("<config>.searcher", False),
        ("<config>.searcher.metric[0]", False),
        ("<config>", False),
        ("<config>.searcher.metrics", True),
        ("<config>.searcher.name", True),
        ("<config>.sea", True),
    ],
)
def test_a_place_is_told_once(place, news):
    """What the whole shows is told unless that place, one around it or one inside it was told for a source."""
    problems = Problems("wrong")
    problems.add("<template>.searcher.metric", "is odd")
    problems.add_new(place, "is missing")
    assert (len(problems.lines()) == 2) is news
