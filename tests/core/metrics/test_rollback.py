"""A restarted trial archives what it repeats, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undeterred.core.metrics.rollback import Reported, archives, first_archived

names = st.sampled_from(["training", "validation", "inference", "scores", "gpu", "cpu"])
places = st.builds(Reported, names, st.integers(-3, 6), st.integers(1, 3))


@pytest.mark.parametrize(
    ("report", "row", "expected"),
    [
        (Reported("training", 10, 2), Reported("training", 10, 1), True),
        (Reported("training", 10, 2), Reported("training", 9, 1), False),
        (Reported("training", 10, 2), Reported("training", 11, 1), True),
        (Reported("training", 10, 2), Reported("training", 11, 2), False),
        (Reported("training", 10, 2), Reported("validation", 10, 1), False),
        (Reported("training", 10, 2), Reported("validation", 11, 1), True),
        (Reported("inference", 10, 2), Reported("inference", 10, 1), True),
        (Reported("inference", 10, 2), Reported("scores", 10, 1), False),
        (Reported("inference", 10, 2), Reported("scores", 11, 1), True),
        (Reported("training", 10, 2), Reported("gpu", 50, 1), False),
        (Reported("gpu", 0, 2), Reported("training", 50, 1), False),
        (Reported("gpu", 0, 2), Reported("gpu", 50, 1), False),
    ],
)
def test_cases(report, row, expected):
    """Each row: the report, a stored row, and whether it is archived."""
    assert archives(report, row) is expected


@given(places, places)
def test_the_first_archived_step_says_the_same_as_the_rule_for_one_row(report, row):
    """A store may ask for the lowest steps instead of row by row."""
    start = first_archived(report, row.group)
    assert archives(report, row) == (start is not None and row.run_id < report.run_id and row.steps >= start)


@given(places, st.lists(places, max_size=8))
def test_a_run_never_archives_its_own_reports_or_a_profilers(report, rows):
    """Only earlier runs are rolled back, and only what belongs to results."""
    for row in rows:
        if archives(report, row):
            assert row.run_id < report.run_id
            assert row.group not in ("gpu", "cpu")
            assert row.steps > report.steps or row.group == report.group
