"""Clients see how far something active is."""

import pytest

from undeterred.core.lifecycle import shown
from undeterred.core.lifecycle.allocation import AllocationState as A
from undeterred.core.lifecycle.experiment import ExperimentState
from undeterred.core.lifecycle.trial import TrialState


@pytest.mark.parametrize(
    ("allocations", "expected"),
    [
        ([], "QUEUED"),
        ([A.PENDING], "QUEUED"),
        ([A.ASSIGNED], "QUEUED"),
        ([A.TERMINATED], "QUEUED"),
        ([A.TERMINATED, A.PULLING], "PULLING"),
        ([A.STARTING, A.PULLING], "STARTING"),
        ([A.PENDING, A.RUNNING, A.STARTING], "RUNNING"),
        ([A.WAITING], "RUNNING"),
        ([A.TERMINATING], "RUNNING"),
    ],
)
def test_the_most_advanced_allocation_is_shown(allocations, expected):
    """Experiments and trials that are ACTIVE show the furthest allocation; ended allocations count as waiting."""
    assert shown.experiment(ExperimentState.ACTIVE, allocations) == expected
    assert shown.trial(TrialState.ACTIVE, allocations) == expected


def test_other_states_are_shown_as_they_are():
    """Allocations matter for ACTIVE only, and never for what is unmanaged."""
    assert shown.experiment(ExperimentState.PAUSED, [A.RUNNING]) == "PAUSED"
    assert shown.trial(TrialState.STOPPING_COMPLETED, [A.RUNNING]) == "STOPPING_COMPLETED"
    assert shown.experiment(ExperimentState.RUNNING, [], unmanaged=True) == "RUNNING"
    assert shown.trial(TrialState.ACTIVE, [], unmanaged=True) == "ACTIVE"


def test_tasks_and_allocations_that_wait():
    """A task without slots is QUEUED, its allocation has no state in the API; both are alike from then on."""
    assert [shown.task(state) for state in (None, A.PENDING, A.ASSIGNED)] == ["QUEUED"] * 3
    assert [shown.allocation(state) for state in (A.PENDING, A.ASSIGNED)] == ["UNSPECIFIED"] * 2
    for state in (A.PULLING, A.STARTING, A.RUNNING, A.WAITING, A.TERMINATING, A.TERMINATED):
        assert shown.task(state) == shown.allocation(state) == str(state)
