"""Changes are written into the stored configuration, and nothing else changes."""

import copy

import pytest

from undeterred.base.errors import Invalid
from undeterred.core.config.patch import patch

STORED = {
    "name": "old",
    "description": None,
    "labels": ["a"],
    "resources": {"priority": 42, "weight": 1, "max_slots": None, "resource_pool": "", "slots_per_trial": 1},
    "checkpoint_storage": {"type": "gcs", "bucket": "b", "save_experiment_best": 0, "save_trial_best": 1, "save_trial_latest": 1},
}


@pytest.mark.parametrize(
    ("change", "section", "expected"),
    [
        ({"name": "new"}, None, {"name": "new", "description": ""}),
        ({"description": ""}, None, {"description": ""}),
        ({"labels": ["x", "y", "x", ""]}, None, {"labels": ["x", "y"], "description": ""}),
        ({"labels": []}, None, {"labels": [], "description": ""}),
        ({"priority": 99, "weight": 0}, "resources", {"priority": 99, "weight": 0}),
        ({"max_slots": 3}, "resources", {"max_slots": 3}),
        ({"max_slots": -2}, "resources", {"max_slots": -2}),
        ({"max_slots": None}, "resources", {"max_slots": None}),
        ({"resource_pool": "gpu"}, "resources", {"resource_pool": "gpu"}),
        (
            {"save_experiment_best": 5, "save_trial_latest": 0},
            "checkpoint_storage",
            {"save_experiment_best": 5, "save_trial_latest": 0},
        ),
        ({"save_trial_best": 2}, "checkpoint_storage", {"save_trial_best": 2}),
        ({}, None, {}),
    ],
)
def test_changes(change, section, expected):
    """Exactly what was asked for changes, in a copy."""
    before = copy.deepcopy(STORED)
    after = {**STORED, **expected} if section is None else {**STORED, section: {**STORED[section], **expected}}
    assert patch(STORED, **change) == after
    assert before == STORED


@pytest.mark.parametrize("change", [{"name": "n"}, {"description": "d"}, {"notes_changed": True}])
def test_no_labels_are_written_as_null_with_a_new_text(change):
    """A change of name, description or notes writes an empty set of labels as null; a change of numbers does not."""
    bare = {**STORED, "labels": []}
    assert patch(bare, **change)["labels"] is None
    assert patch(bare, priority=1)["labels"] == []
    assert patch(bare, **change, labels=[])["labels"] == []
    assert patch(STORED, **change)["labels"] == ["a"]


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": " \t"},
        {"priority": 0},
        {"priority": 100},
        {"weight": -1},
        {"weight": float("nan")},
        {"weight": float("inf")},
        {"save_experiment_best": -1},
        {"save_trial_best": -1},
        {"save_trial_latest": -1},
    ],
)
def test_refused_changes(change):
    """Values out of range are refused."""
    with pytest.raises(Invalid):
        patch(STORED, **change)
