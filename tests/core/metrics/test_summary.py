"""Summaries are the recorded ones, and equal what a recount gives."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undeterred.base import json as canonical
from undeterred.core.metrics.merge import Row, merge
from undeterred.core.metrics.summary import (
    document,
    fold,
    fold_added,
    group_of_key,
    recompute,
    summary_key,
    type_of,
)

CONFORMANCE = Path(__file__).parents[2] / "conformance"


def steps(folder: str) -> list[dict]:
    """The recorded conversation about trials and metrics."""
    return json.loads((CONFORMANCE / folder / "13_trials_metrics.json").read_text())["steps"]


def accepted_reports(trial: str) -> list[tuple[str, int, dict]]:
    """The reports for one trial that the original took: (group, steps, values), in order."""
    status = {step["id"]: step["status"] for step in steps("golden")}
    found = []
    for step in steps("scenarios"):
        body = step.get("body") or {}
        if status[step["id"]] != 200 or not step["path"].startswith(f"/api/v1/trials/{trial}/") or "etrics" not in step["path"]:
            continue
        if step["op"] == "ReportTrialMetrics":
            found.append((body["group"], body["metrics"]["stepsCompleted"], body["metrics"]["metrics"]["avgMetrics"]))
        elif step["op"] in ("ReportTrialTrainingMetrics", "ReportTrialValidationMetrics"):
            group = "training" if "Training" in step["op"] else "validation"
            found.append((group, body["stepsCompleted"], body["metrics"]["avgMetrics"]))
    return found


def close(ours, theirs) -> bool:
    """Equal, numbers within a millionth."""
    if isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(close(ours[key], theirs[key]) for key in theirs)
    if isinstance(theirs, (int, float)) and not isinstance(theirs, bool):
        return ours == pytest.approx(theirs, rel=1e-6)
    return ours == theirs


@pytest.mark.parametrize(("trial", "golden"), [("${t}", "070-GetTrial-member"), ("${t2}", "068-GetTrial-two")])
def test_recorded_summaries(trial, golden):
    """Folding the recorded reports gives the document that the original showed, special values and mixed types included."""
    groups, rows = {}, {}
    for group, at, metrics in accepted_reports(trial):
        stored = rows.get((group, at))
        if stored is None:
            rows[group, at] = Row(metrics)
            groups[group] = fold(groups.get(group, {}), metrics)
        else:
            merged = merge(stored, Row(metrics), group)
            rows[group, at] = merged.row
            groups[group] = fold_added(groups[group], merged.added, newest=True)
    shown = next(step["body"]["trial"]["summaryMetrics"] for step in steps("golden") if step["id"] == golden)
    assert close(document(groups), shown)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, "number"),
        ("NaN", "number"),
        (math.inf, "number"),
        (True, "boolean"),
        (None, "null"),
        ({"a": 1}, "object"),
        ([1], "array"),
        ("text", "string"),
        ("2020-05-05T05:05:05Z", "date"),
        ("2020-05-05T05:05:05.123456+09:00", "date"),
        ("2020-05-05", "string"),
        ("2020-13-05T05:05:05Z", "string"),
    ],
)
def test_types(value, expected):
    """Each kind of JSON has its word; a text is a date when it is a whole time."""
    assert type_of(value) == expected


def test_a_conflict_of_types_makes_a_string_for_good():
    """Once two kinds were reported the numbers are gone, whatever comes later."""
    summary = recompute([{"m": 1}, {"m": "high"}, {"m": 2}])
    assert summary == {"m": {"type": "string", "last": 2}}


def test_a_metric_missing_from_the_newest_report_has_no_last_value():
    """The rest of its summary stays, and a later report gives it a last value again."""
    summary = recompute([{"a": 1, "b": 5}, {"b": 6}])
    assert summary["a"]["last"] is None
    assert summary["a"]["count"] == 1
    assert fold(summary, {"a": 3})["a"] == {"type": "number", "count": 2, "sum": 4, "min": 1, "max": 3, "mean": 2, "last": 3}


def test_special_numbers_stand_as_texts():
    """The document is plain JSON: NaN and infinities are their texts, integers beyond a double's reach are doubles."""
    summary = recompute([{"a": math.inf, "b": math.nan, "c": 12345678901234567890}, {"a": "-Infinity", "b": 1, "c": 1}])
    assert summary["a"] == {
        "type": "number", "count": 2, "sum": "NaN", "min": "-Infinity", "max": "Infinity", "mean": "NaN", "last": "-Infinity"
    }  # fmt: skip
    assert summary["b"]["max"] == summary["b"]["sum"] == "NaN"
    assert fold({}, {"c": 12345678901234567890})["c"]["last"] == 12345678901234567000
    assert fold({}, {"c": [math.inf, {"d": math.nan}]})["c"]["last"] == ["Infinity", {"d": "NaN"}]
    json.dumps(summary, allow_nan=False)


def test_a_name_added_to_an_older_report_does_not_become_the_last_value():
    """Only the newest report of a group decides the last values."""
    summary = recompute([{"a": 1}, {"a": 2}])
    assert fold_added(summary, {"b": 7}, newest=False)["b"]["last"] is None
    assert fold_added(summary, {"b": 7}, newest=True)["b"]["last"] == 7


def test_keys_of_groups():
    """Training and validation stand under older names, and a custom group with such a name does not hide them."""
    assert [summary_key(g) for g in ("training", "validation", "x")] == ["avg_metrics", "validation_metrics", "x"]
    assert [group_of_key(k) for k in ("avg_metrics", "validation_metrics", "x")] == ["training", "validation", "x"]
    assert document({"avg_metrics": fold({}, {"a": 1}), "training": {}}) == {"avg_metrics": {}}


scalars = st.none() | st.booleans() | st.integers(-8, 8) | st.sampled_from([0.5, "NaN", "-Infinity", "x", math.inf])
reports = st.dictionaries(st.sampled_from("abc"), scalars | st.lists(scalars, max_size=1), max_size=3)


@given(st.lists(st.tuples(reports, reports), max_size=6))
def test_folding_step_by_step_equals_a_recount(history):
    """Reports that come in two parts, the second later, give the summary that the finished rows give."""
    summary, rows = {}, []
    for first, _ in history:
        rows.append(dict(first))
        summary = fold(summary, first)
    for position, (first, second) in enumerate(history):
        added = {name: value for name, value in second.items() if name not in first}
        rows[position] |= added
        summary = fold_added(summary, added, newest=position == len(history) - 1)
    assert summary == recompute(rows)


@given(st.lists(reports, max_size=6))
def test_a_summary_is_plain_json_that_folds_on_after_storage(history):
    """Written and read back in between, a summary goes on to the same result."""
    summary = {}
    for metrics in history:
        summary = json.loads(json.dumps(fold(summary, metrics), allow_nan=False))
    assert summary == json.loads(json.dumps(recompute(history), allow_nan=False))


VALUES = [
    1,
    2,
    -1,
    0,
    -0.0,
    1.5,
    math.nan,
    math.inf,
    -math.inf,
    2**53,
    2**53 - 1,
    2.0**53 - 1,
    1e300,
    "x",
    True,
    None,
    [1],
    "NaN",
    10**400,
]


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.sampled_from(VALUES)), max_size=8))
def test_plain_numbers_take_a_shorter_way_to_the_same(rows: list[dict]) -> None:
    """The quick way for finite numbers gives what the general one gives, also in changes between the two."""
    quick: dict = {}
    general: dict = {}
    for row in rows:
        quick = canonical.loads(canonical.dumps(fold(quick, row)))
        kept = {name: entry if name in row else {**entry, "last": None} for name, entry in general.items()}
        general = canonical.loads(canonical.dumps(fold_added(kept, row, newest=True)))
    assert canonical.dumps(quick) == canonical.dumps({name: general[name] for name in quick})
    assert quick.keys() == general.keys()
