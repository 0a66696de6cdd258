"""What a report of a checkpoint must look like."""

import pytest

from undeterred.base.errors import Invalid
from undeterred.core.checkpoints import MAX_STEPS, check_resources, steps_completed


@pytest.mark.parametrize("path", ["", "/etc/passwd", "..", "../a", "a/..", "a/../b", "a\\..\\b", "a\0", "x" * 4097])
def test_paths_that_lead_out_are_refused(path: str) -> None:
    """Files are relative to the checkpoint's folder."""
    with pytest.raises(Invalid):
        check_resources({"ok": 1, path: 1})


def test_files_come_sorted() -> None:
    """So that the same report is the same text."""
    assert list(check_resources({"b": 1, "a/": 0, "...": 2}).items()) == [("...", 2), ("a/", 0), ("b", 1)]


@pytest.mark.parametrize(("value", "steps"), [(None, 0), (0, 0), (7, 7), ("12", 12), (MAX_STEPS, MAX_STEPS)])
def test_steps_are_a_whole_number(value: object, steps: int) -> None:
    """As a number or as its digits; none counts as 0."""
    assert steps_completed({} if value is None else {"steps_completed": value}) == steps


@pytest.mark.parametrize("value", [-1, 1.5, "x", "1e3", True, MAX_STEPS + 1, [], {}, "٣", "9" * 30])
def test_other_steps_are_refused(value: object) -> None:
    """The steps decide what is newest, so they must be right."""
    with pytest.raises(Invalid):
        steps_completed({"steps_completed": value})
