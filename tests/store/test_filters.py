"""Filters and sort orders, compiled and run on real rows."""

import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import rows
from undeterred.core.filters.columns import ATTRIBUTES as KNOWN
from undeterred.core.filters.columns import Table
from undeterred.core.filters.sort import parse_sort
from undeterred.core.filters.tree import Filter, Operator, parse
from undeterred.core.rights import Scope
from undeterred.store import dialect, experiment_lists, experiments, run_lists, run_values
from undeterred.store.database import Database, Tx
from undeterred.store.paging import sql_page

EVERYWHERE = Scope(everywhere=True)
VALUES: list[Any] = [
    0.1,
    0.2,
    0.2,
    5,
    -1,
    "NaN",
    "Infinity",
    "-Infinity",
    "text",
    "Text",
    "b%",
    True,
    False,
    None,
    "",
    "5",
    [1, "a"],
    ["A"],
    [],
]
"""What the runs have as `hp.x` and `metadata.x`, one each."""


def field(name: str, operator: str, value: Any = None, kind: str | None = None) -> dict[str, Any]:
    """One field of a filter."""
    return {"kind": "field", "columnName": name, "operator": operator, "value": value, "type": kind}


def filter_of(*children: dict[str, Any], conjunction: str = "and", archived: bool = True) -> str:
    """The text of a filter."""
    group = {"kind": "group", "conjunction": conjunction, "children": list(children)}
    return json.dumps({"filterGroup": group, "showArchived": archived})


def runs_by(tx: Tx, filter_: Filter | str | None = None, sort: str | None = None, project: int | None = 1) -> list[int]:
    """Ids that a search of runs finds."""
    parsed = filter_ if isinstance(filter_, Filter) else parse(Table.RUNS, filter_)
    keys = parse_sort(Table.RUNS, sort)
    found, page = run_lists.search(tx, EVERYWHERE, project, parsed, keys, lambda total: sql_page(0, -1, total))
    assert page.total == len(found)
    assert sorted(row.id for row in found) == run_lists.ids(tx, EVERYWHERE, project, parsed)
    return [row.id for row in found]


def experiments_by(tx: Tx, filter_: str | None = None, sort: str | None = None) -> list[int]:
    """Ids that a search of experiments finds."""
    parsed, keys = parse(Table.EXPERIMENTS, filter_), parse_sort(Table.EXPERIMENTS, sort)
    found, _ = experiment_lists.search(tx, EVERYWHERE, 1, parsed, keys, lambda total: sql_page(0, -1, total))
    return [row.id for row in found]


def refresh(tx: Tx) -> None:
    """Bring every value up to date."""
    run_values.refresh(tx, run_values.RUNS, run_values.stale_runs(tx, 2**60, 1000))
    run_values.refresh(tx, run_values.EXPERIMENTS, run_values.stale_experiments(tx, 1000))


@pytest.fixture
def world(db: Database) -> Database:
    """One experiment with a run for each of VALUES, ids from 1."""
    rows.seeded(db)

    def fill(tx: Tx) -> None:
        experiment = rows.experiment(tx)
        for value in VALUES:
            rows.run(tx, experiment, hparams=json.dumps({"x": value}), metadata=json.dumps({"x": value}))

    db.write_now(fill)
    return db


@pytest.mark.parametrize("fresh", [False, True])
def test_numbers_sort_as_numbers_and_what_is_missing_comes_last(world: Database, fresh: bool) -> None:
    """Numbers, NaN, texts, truth values, then what has no value by id; directions turn the order within each kind."""

    def check(tx: Tx) -> None:
        if fresh:
            refresh(tx)
        up = [VALUES[one - 1] for one in runs_by(tx, sort="hp.x=asc")]
        down = [VALUES[one - 1] for one in runs_by(tx, sort="hp.x=desc")]
        numbers = ["-Infinity", -1, 0.1, 0.2, 0.2, [1, "a"], 5, "Infinity"]
        texts = ["5", ["A"], "Text", "b%", "text"]
        assert up == [*numbers, "NaN", *texts, False, True, None, "", []]
        assert down == [*reversed(numbers), "NaN", *reversed(texts), True, False, [], "", None]
        ids = runs_by(tx, sort="hp.x=desc")
        assert ids.index(3) < ids.index(2)  # ties by id in the direction of the sort

    world.write_now(check)


def like(text: str, part: str) -> bool:
    """The part anywhere in the text."""
    return dialect.like_matches(text, f"%{part}%")


def holds(value: Any, operator: Operator, wanted: Any) -> bool:
    """What a filter means, said once more in plain Python."""
    members = [one for one in (value if isinstance(value, list) else [value]) if one not in (None, "", [])]
    if operator is Operator.IS_EMPTY:
        return not members
    if operator is Operator.NOT_EMPTY:
        return bool(members)
    opposite = {Operator.NOT_EQUAL: Operator.EQUAL, Operator.NOT_CONTAINS: Operator.CONTAINS}.get(operator)
    if opposite is not None:
        return bool(members) and not holds(value, opposite, wanted)
    return any(compares(one, operator, wanted) for one in members)


SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def compares(value: Any, operator: Operator, wanted: Any) -> bool:
    """One value with one value."""
    value = SPECIAL.get(value, value) if isinstance(value, str) else value
    if isinstance(value, bool) or isinstance(wanted, bool):
        words = {True: "true", False: "false"}
        if isinstance(wanted, bool):
            return isinstance(value, bool) and value == wanted
        value = words[value]
    if isinstance(wanted, str):
        if isinstance(value, str):
            return like(value, wanted) if operator is Operator.CONTAINS else ORDER[operator](value, wanted)
        return operator is Operator.EQUAL and wanted == "5" and value == 5
    return not isinstance(value, str) and ORDER[operator](value, wanted)


ORDER: dict[Operator, Any] = {
    Operator.EQUAL: lambda a, b: a == b,
    Operator.LESS: lambda a, b: a < b,
    Operator.LESS_OR_EQUAL: lambda a, b: a <= b,
    Operator.GREATER: lambda a, b: a > b,
    Operator.GREATER_OR_EQUAL: lambda a, b: a >= b,
}
order = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
fields = (
    st.tuples(order, st.sampled_from([0.1, 0.2, 5, -1, 1, 1e300]))
    | st.tuples(
        order | st.sampled_from(["contains", "notContains"]), st.sampled_from(["text", "TEXT", "e", "%", "5", "a", "true"])
    )
    | st.tuples(st.sampled_from(["=", "!="]), st.booleans())
    | st.tuples(st.sampled_from(["isEmpty", "notEmpty"]), st.none())
)
columns = st.sampled_from(["hp.x", "metadata.x", "hp.unknown"])
trees = st.recursive(
    st.tuples(columns, fields).map(lambda pair: field(pair[0], *pair[1])),
    lambda inner: st.builds(
        lambda conjunction, children: {"kind": "group", "conjunction": conjunction, "children": children},
        st.sampled_from(["and", "or"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=6,
)


def meant(value: Any, node: dict[str, Any]) -> bool:
    """Whether a tree as JSON holds for a run with this value."""
    if node["kind"] == "group":
        parts = [meant(value, child) for child in node["children"]]
        return all(parts) if node["conjunction"] == "and" else any(parts)
    return holds(None if node["columnName"] == "hp.unknown" else value, Operator(node["operator"]), node["value"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=trees)
def test_filters_mean_what_they_say(world: Database, tree: dict[str, Any]) -> None:
    """For every tree SQL finds the runs that plain Python finds, whether their values are stored or newer than that."""

    def check(tx: Tx) -> None:
        expected = [place + 1 for place, value in enumerate(VALUES) if meant(value, tree)]
        assert runs_by(tx, filter_of(tree)) == expected

    world.read_now(check)
    world.write_now(lambda tx: run_values.refresh(tx, run_values.RUNS, [1, 5, 9, 13, 17]))
    world.read_now(check)


def test_numbers_beyond_all_bounds(world: Database) -> None:
    """They are compared as infinite, with attributes and with values."""
    for value in (10**30, 10**400, -(10**400), "Infinity", "NaN"):
        for name in ("id", "hp.x", "metadata.x", "duration", "searcherMetricsVal"):
            for operator in ("=", "!=", "<", ">="):
                child = field(name, operator, value, "COLUMN_TYPE_NUMBER")
                assert isinstance(world.read_now(lambda tx, child=child: runs_by(tx, filter_of(child))), list)
    huge = filter_of(field("hp.x", "<", 10**400))
    assert len(world.read_now(lambda tx: runs_by(tx, huge))) == 7


@pytest.mark.parametrize(("name", "conjunction"), [("id", "and"), ("id", "or"), ("hp.x", "and")])
def test_a_thousand_fields(world: Database, conjunction: str, name: str) -> None:
    """The largest filter that is taken runs, and means what a small one means."""
    many = filter_of(*(field(name, "!=", number) for number in range(1000)), conjunction=conjunction)
    expected = filter_of(field(name, "!=", 1), field(name, "!=", 5), conjunction=conjunction)
    if name == "id":
        expected = filter_of(field("id", "<" if conjunction == "and" else ">", 0))
    assert world.read_now(lambda tx: runs_by(tx, many)) == world.read_now(lambda tx: runs_by(tx, expected))


ATTRIBUTES = [
    (field("id", ">", 2), [3, 4]),
    (field("id", "=", 10**30), []),
    (field("state", "=", "COMPLETED"), [1, 4]),
    (field("state", "!=", "COMPLETED"), [2, 3]),
    (field("experimentName", "contains", "LPH"), [1, 2]),
    (field("experimentName", "notContains", "%p%"), [3, 4]),
    (field("experimentDescription", "isEmpty"), [3, 4]),
    (field("experimentDescription", "notEmpty"), [1, 2]),
    (field("experimentDescription", "!=", "x"), [1, 2]),
    (field("tags", "contains", "RE"), [1, 2]),
    (field("tags", "=", "re"), []),
    (field("tags", "notContains", "red"), [3, 4]),
    (field("tags", "!=", "blue"), [3, 4]),
    (field("tags", "isEmpty"), [3, 4]),
    (field("forkedFrom", "isEmpty"), [1, 2]),
    (field("forkedFrom", "=", 1), [3, 4]),
    (field("startTime", "<=", "1970-01-01T00:00:01Z"), [1, 2]),
    (field("endTime", "isEmpty"), [2, 3]),
    (field("duration", "<", 1.5), [1]),
    (field("searcherType", "=", "random"), [3, 4]),
    (field("resourcePool", "isEmpty"), [1, 2, 3, 4]),
    (field("checkpointCount", ">=", 1), [4]),
    (field("user", "=", 2), [3, 4]),
    (field("searcherMetricsVal", ">", 0.5), [2]),
    (field("searcherMetricsVal", "isEmpty"), [3, 4]),
    (field("externalRunId", "=", "r1"), [1]),
    (field("externalExperimentId", "isEmpty"), [1, 2, 3, 4]),
    (field("experimentProgress", ">", 0.1), [3, 4]),
    (field("experimentId", "=", 2), [3, 4]),
    (field("projectId", "=", 1), [1, 2, 3, 4]),
    (field("isExpMultitrial", "=", True), [1, 2, 3, 4]),
    (field("parentArchived", "=", False), [1, 2, 3, 4]),
    (field("archived", "=", True), [2, 3, 4]),
    (field("localId", "contains", "-7"), [1]),
]


@pytest.fixture
def two(db: Database) -> Database:
    """Two experiments of two runs each."""
    rows.seeded(db)

    def fill(tx: Tx) -> None:
        a = rows.experiment(tx, name="alpha", description="one", labels='["blue","red"]')
        b = rows.experiment(
            tx, name="Beta", user_id=2, parent_id=1, searcher_name="random", progress=0.5, archived=True, state="COMPLETED"
        )
        ended = {"state": "COMPLETED", "end_time": 3_000_000}
        rows.run(
            tx,
            a,
            start_time=10**6,
            **(ended | {"end_time": 1_500_000}),
            searcher_metric_value=0.5,
            external_id="r1",
            local_id=7,
        )
        rows.run(tx, a, start_time=10**6, searcher_metric_value=1.5, archived=True, local_id=8)
        rows.run(tx, b, start_time=2 * 10**6, local_id=9)
        rows.run(tx, b, start_time=2 * 10**6, checkpoint_count=2, local_id=10, **ended | {"end_time": 9_000_000})

    db.write_now(fill)
    return db


@pytest.mark.parametrize(("child", "expected"), ATTRIBUTES)
def test_attributes_of_runs(two: Database, child: dict[str, Any], expected: list[int]) -> None:
    """Every attribute of a run, and of its experiment, can be filtered by."""
    assert two.read_now(lambda tx: runs_by(tx, filter_of(child))) == expected


def test_every_attribute_of_runs_is_tried() -> None:
    """The list above leaves none out."""
    tried = {child["columnName"] for child, _ in ATTRIBUTES}
    assert tried == set(KNOWN[Table.RUNS]) - {"checkpointSize", "searcherMetric"}


@pytest.mark.parametrize("table", list(Table))
def test_every_column_sorts_both_ways(two: Database, table: Table) -> None:
    """All rows come, once each, in either direction."""

    def check(tx: Tx) -> None:
        names = [name for name, one in KNOWN[table].items() if one.sortable]
        for name in [*names, "hp.x", "validation.loss.min"] + (["metadata.m"] if table is Table.RUNS else []):
            for direction in ("asc", "desc"):
                sort = f"{name}={direction}"
                found = runs_by(tx, sort=sort) if table is Table.RUNS else experiments_by(tx, sort=sort)
                assert sorted(found) == list(range(1, 5 if table is Table.RUNS else 3)), sort

    two.read_now(check)


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        (None, [1, 2, 3, 4]),
        ("id=desc", [4, 3, 2, 1]),
        ("experimentName=asc", [3, 4, 1, 2]),
        ("experimentName=desc,id=asc", [1, 2, 3, 4]),
        ("searcherMetricsVal=desc", [2, 1, 4, 3]),
        ("user=asc,id=desc", [2, 1, 4, 3]),
        ("localId=desc", [4, 3, 2, 1]),
        ("endTime=asc", [1, 4, 2, 3]),
        ("experimentDescription=desc", [2, 1, 4, 3]),
    ],
)
def test_sort_orders_of_runs(two: Database, sort: str | None, expected: list[int]) -> None:
    """Missing values last in both directions, ties by id in the direction of the first key."""
    assert two.read_now(lambda tx: runs_by(tx, sort=sort)) == expected


def test_archived_runs_and_runs_of_archived_experiments_are_hidden(two: Database) -> None:
    """Unless the filter shows them; without any filter they are shown."""
    assert two.read_now(lambda tx: runs_by(tx, filter_of(archived=False))) == [1]
    assert two.read_now(lambda tx: runs_by(tx, filter_of())) == two.read_now(lambda tx: runs_by(tx)) == [1, 2, 3, 4]


def test_experiments_are_searched_by_their_best_run(db: Database) -> None:
    """Metrics are those of the best run; hyperparameters those of the configuration: a constant, a range, a choice."""
    rows.seeded(db)

    def fill(tx: Tx) -> None:
        for hyperparameters, loss in (
            ({"lr": {"type": "const", "val": 0.5}}, 1.0),
            (
                {"lr": {"type": "double", "minval": 0.1, "maxval": 2}, "opt": {"type": "categorical", "vals": ["sgd", "adam"]}},
                2.0,
            ),
            ({}, None),
        ):
            experiment = rows.experiment(tx, config=json.dumps({"hyperparameters": hyperparameters}))
            entry = {"type": "number", "count": 1, "sum": loss, "min": loss, "max": loss, "mean": loss, "last": loss}
            metrics = {} if loss is None else {"validation": {"loss": entry}}
            run = rows.run(tx, experiment, summary_metrics=json.dumps(metrics))
            if loss is not None:
                experiments.update(tx, experiment, best_run_id=run)

    db.write_now(fill)

    def check(tx: Tx) -> None:
        for child, expected in (
            (field("validation.loss.min", "<", 1.5), [1]),
            (field("validation.loss.min", "isEmpty"), [3]),
            (field("validation.loss.min", "!=", 1), [2]),
            (field("hp.lr", "=", 0.5), [1]),
            (field("hp.lr", "<=", 0.1), [2]),
            (field("hp.lr", ">", 1), [2]),
            (field("hp.lr", "notEmpty"), [1, 2]),
            (field("hp.lr", "isEmpty"), []),
            (field("hp.opt", "contains", "DAM"), [2]),
            (field("hp.opt", "=", "sgd"), [2]),
            (field("hp.opt", "!=", "sgd"), []),
        ):
            assert experiments_by(tx, filter_of(child)) == expected, child
        assert experiments_by(tx, sort="hp.lr=asc") == [2, 1, 3]
        assert experiments_by(tx, sort="validation.loss.last=desc") == [2, 1, 3]

    db.read_now(check)
    db.write_now(refresh)
    db.read_now(check)
