"""Columns are the recorded ones, and every name of the four families is understood."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undeterred.base.errors import Invalid
from undeterred.core.filters.columns import (
    AGGREGATES,
    Column,
    Family,
    Kind,
    Table,
    listed,
    location_of,
    metric_column,
    resolve,
)

GOLDEN = Path(__file__).parents[2] / "conformance/golden/00_fresh.json"


@pytest.mark.parametrize(
    ("step", "table"),
    [("020-GetProjectColumns-TABLE-TYPE-EXPERIMENT", Table.EXPERIMENTS), ("021-GetProjectColumns-TABLE-TYPE-RUN", Table.RUNS)],
)
def test_attributes_are_listed_as_recorded(step, table):
    """Names, places, types and titles of the general columns, in their order."""
    recorded = next(one for one in json.loads(GOLDEN.read_text())["steps"] if one["id"] == step)["body"]["columns"]
    ours = [
        {
            "column": one.name,
            "location": location_of(table, resolve(table, one.name)),
            "type": one.column_type,
            "displayName": one.title,
        }
        for one in listed(table)
    ]
    assert ours == recorded


@pytest.mark.parametrize(
    ("table", "name", "location", "expected"),
    [
        (Table.EXPERIMENTS, "name", "LOCATION_TYPE_EXPERIMENT", Column("name", Family.ATTRIBUTE, Kind.TEXT, "name")),
        (Table.RUNS, "state", "LOCATION_TYPE_RUN", Column("state", Family.ATTRIBUTE, Kind.TEXT, "state")),
        (Table.RUNS, "hp.a.b", "LOCATION_TYPE_RUN_HYPERPARAMETERS", Column("hp.a.b", Family.HYPERPARAMETER, Kind.ANY, "a.b")),
        (Table.RUNS, "metadata.t", "LOCATION_TYPE_RUN_METADATA", Column("metadata.t", Family.METADATA, Kind.ANY, "t")),
        (Table.RUNS, "validation.loss.last", "LOCATION_TYPE_VALIDATIONS", metric_column("validation", "loss", "last")),
        (Table.EXPERIMENTS, "training.a.b.min", "LOCATION_TYPE_TRAINING", metric_column("training", "a.b", "min")),
        (Table.RUNS, "my group/x.score.mean", "LOCATION_TYPE_CUSTOM_METRIC", metric_column("my group/x", "score", "mean")),
        (Table.RUNS, "hp.score.max", "LOCATION_TYPE_CUSTOM_METRIC", metric_column("hp", "score", "max")),
        (Table.RUNS, "hp.score.max", None, Column("hp.score.max", Family.HYPERPARAMETER, Kind.ANY, "score.max")),
        (Table.RUNS, "inference.score.max", None, metric_column("inference", "score", "max")),
        (Table.EXPERIMENTS, "id", "LOCATION_TYPE_UNSPECIFIED", Column("id", Family.ATTRIBUTE, Kind.NUMBER, "id")),
    ],
)
def test_names(table, name, location, expected):
    """A location decides the family; without one the name does, attributes and hyperparameters before metric groups."""
    assert resolve(table, name, location) == expected


@pytest.mark.parametrize(
    ("table", "name", "location"),
    [
        (Table.EXPERIMENTS, "nope", None),
        (Table.EXPERIMENTS, "projectId", "LOCATION_TYPE_EXPERIMENT"),
        (Table.EXPERIMENTS, "metadata.team", "LOCATION_TYPE_RUN_METADATA"),
        (Table.RUNS, "rank", None),
        (Table.RUNS, "validation.loss", "LOCATION_TYPE_VALIDATIONS"),
        (Table.RUNS, "validation.loss.sum", "LOCATION_TYPE_VALIDATIONS"),
        (Table.RUNS, "training.loss.last", "LOCATION_TYPE_VALIDATIONS"),
        (Table.RUNS, "hp.lr", "LOCATION_TYPE_RUN"),
        (Table.RUNS, "lr", "LOCATION_TYPE_RUN_HYPERPARAMETERS"),
        (Table.RUNS, "hp.", None),
        (Table.RUNS, "metadata.", None),
        (Table.RUNS, "..last", None),
        (Table.RUNS, "", None),
    ],
)
def test_names_that_are_none(table, name, location):
    """The message lists the columns there are."""
    with pytest.raises(Invalid, match=r"columns are id, .*hp.<hyperparameter>"):
        resolve(table, name, location)


def test_unknown_locations_are_refused():
    """The message lists the locations there are."""
    with pytest.raises(Invalid, match="LOCATION_TYPE_RUN_METADATA"):
        resolve(Table.RUNS, "id", "LOCATION_TYPE_X")


words = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=8)


@given(words.filter(lambda text: "." not in text), words, st.sampled_from(AGGREGATES))
def test_any_metric_of_any_group_has_a_column(group, metric, aggregate):
    """Group and metric come back as they were, dots in the metric's name included."""
    column = metric_column(group, metric, aggregate)
    assert resolve(Table.RUNS, column.name, location_of(Table.RUNS, column)) == column
