"""Filters that the original understood are understood, others are refused with a reason."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undeterred.base.errors import Invalid
from undeterred.core.filters.columns import Family, Kind, Table
from undeterred.core.filters.tree import EVERYTHING, MAX_DEPTH, MAX_FIELDS, All, Condition, Operator, Some, conditions, parse

CONFORMANCE = Path(__file__).parents[2] / "conformance"
SEARCHES = {"SearchExperiments": Table.EXPERIMENTS, "SearchRuns": Table.RUNS}


def recorded(name: str) -> list[tuple[str, Table, str, bool]]:
    """Recorded searches that use a parameter: (step, table, its text, whether it was accepted)."""
    status = {step["id"]: step["status"] for step in json.loads((CONFORMANCE / "golden/12_listing.json").read_text())["steps"]}
    found = []
    for step in json.loads((CONFORMANCE / "scenarios/12_listing.json").read_text())["steps"]:
        given = step.get("query") or step.get("body") or {}
        if step["op"] in SEARCHES and given.get(name) is not None and status[step["id"]] in (200, 400, 500):
            text = re.sub(r"\$\{\w+\}", "7", given[name])
            found.append((step["id"], SEARCHES[step["op"]], text, status[step["id"]] == 200))
    return found


# These were refused for their sort order, not for their filter.
FILTERS = [one for one in recorded("filter") if "sort" not in one[0]]


@pytest.mark.parametrize(("step", "table", "text", "accepted"), FILTERS, ids=[one[0] for one in FILTERS])
def test_recorded_filters(step, table, text, accepted):
    """What the original accepted is accepted, and what it failed on is refused as invalid."""
    if accepted:
        parse(table, text)
    else:
        with pytest.raises(Invalid, match=r"^filter: "):
            parse(table, text)


def field(name="name", operator="=", value="x", **more) -> dict:
    """A field child."""
    return {"kind": "field", "columnName": name, "operator": operator, "value": value, **more}


def group(*children, conjunction="and") -> dict:
    """A group child."""
    return {"kind": "group", "conjunction": conjunction, "children": list(children)}


def tree(root, table=Table.EXPERIMENTS, **more):
    """The parsed root of a filter."""
    return parse(table, json.dumps({"filterGroup": root, **more})).root


def test_no_filter_shows_everything_and_a_filter_hides_archived_rows():
    """Only a filter that says so shows what is archived."""
    assert parse(Table.RUNS, None) is EVERYTHING
    assert EVERYTHING.show_archived
    assert not parse(Table.RUNS, "{}").show_archived
    assert parse(Table.RUNS, '{"showArchived": true}').show_archived


def test_groups_nest_and_empty_ones_say_nothing():
    """A group of one is that one; an empty group inside another changes nothing, whatever joins them."""
    one, two = tree(field()), tree(field("id", ">", 3))
    assert isinstance(one, Condition)
    assert tree(group(field(), field("id", ">", 3))) == All((one, two))
    assert tree(group(field(), field("id", ">", 3), conjunction="or")) == Some((one, two))
    assert tree(group(group(field()), group(), group(group(conjunction="or")), conjunction="or")) == one
    assert tree(group()) == All()
    nested = tree(group(field(), group(field(), field("id", ">", 3), conjunction="or")))
    assert nested == All((one, Some((one, two))))
    assert list(conditions(nested)) == [one, one, two]


@pytest.mark.parametrize(
    ("given", "kind", "value"),
    [
        (field("name", "contains", "a%"), Kind.TEXT, "a%"),
        (field("id", "=", 5), Kind.NUMBER, 5),
        (field("id", "=", "5"), Kind.NUMBER, 5.0),
        (field("user", "=", 7, type="COLUMN_TYPE_TEXT"), Kind.NUMBER, 7),
        (field("startTime", ">", "2020-01-01T09:00:00.5+09:00"), Kind.DATE, 1577836800500000),
        (field("startTime", ">", "2020-01-01"), Kind.DATE, 1577836800000000),
        (field("startTime", ">", "2020-01-01T00:00:00"), Kind.DATE, 1577836800000000),
        (field("archived", "=", True), Kind.BOOLEAN, True),
        (field("archived", "!=", False, type="COLUMN_TYPE_UNSPECIFIED"), Kind.BOOLEAN, False),
        (field("tags", "contains", "red"), Kind.LIST, "red"),
        (field("hp.lr", ">=", 0.1, type="COLUMN_TYPE_NUMBER"), Kind.NUMBER, 0.1),
        (field("hp.flag", "=", True, type="COLUMN_TYPE_UNSPECIFIED"), Kind.BOOLEAN, True),
        (field("hp.opt", "contains", "sg", type="COLUMN_TYPE_UNSPECIFIED"), Kind.TEXT, "sg"),
        (field("hp.lr", "<", 2), Kind.NUMBER, 2),
        (field("validation.loss.last", "=", "Infinity", type="COLUMN_TYPE_NUMBER"), Kind.NUMBER, float("inf")),
        (field("training.name.last", "=", "5", type="COLUMN_TYPE_TEXT"), Kind.TEXT, "5"),
        (field("g.when.last", "<", "2020-01-01T00:00:00Z", type="COLUMN_TYPE_DATE"), Kind.DATE, 1577836800000000),
        (field("hp.lr", "isEmpty", None, type="COLUMN_TYPE_NUMBER"), Kind.NUMBER, None),
        (field("hp.lr", "notEmpty", None), Kind.ANY, None),
        (field("description", "isEmpty", "ignored"), Kind.TEXT, None),
    ],
)
def test_values_are_read_by_the_kind_of_their_column(given, kind, value):
    """Numbers, times (as microseconds), truth values and texts, by the column or by what the filter declares."""
    node = tree(given)
    assert (node.column.kind, node.value, type(node.value)) == (kind, value, type(value))


def test_metadata_arrays():
    """A metadata array is searched for a member, text or number."""
    given = field("metadata.k", "contains", 1, type="COLUMN_TYPE_ARRAY")
    node = tree(given, Table.RUNS)
    assert (node.column.family, node.column.kind, node.value) == (Family.METADATA, Kind.LIST, 1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (field("nope"), "have no column 'nope'; columns are id"),
        (field("name", "~"), "operators are =, !="),
        (field("name", None), "operators are"),
        (field("name", ["="]), "operators are"),
        (field("id", "=", "abc"), "compared with a number"),
        (field("id", "=", True), "compared with a number"),
        (field("id", "contains", 1), "does not apply to 'id'"),
        (field("name", "=", 5), "compared with a text"),
        (field("name", "=", None), "compared with a text"),
        (field("startTime", ">", "yesterday"), "a time such as"),
        (field("startTime", ">", 5), "a time such as"),
        (field("archived", "=", "true"), "true or false"),
        (field("archived", "=", True, type="COLUMN_TYPE_TEXT"), "COLUMN_TYPE_UNSPECIFIED"),
        (field("hp.flag", "=", True, type="COLUMN_TYPE_TEXT"), "compared with a text"),
        (field("hp.flag", "<", True), "does not apply"),
        (field("hp.x", "=", None), "compared with a text, a number"),
        (field("endTime", "isEmpty"), "isEmpty does not apply to 'endTime'"),
        (field("name", type="TEXT"), "types are COLUMN_TYPE_TEXT"),
        (field("name", location=5), "columnName and location"),
        (field(None), "columnName and location"),
        (field("name", location="LOCATION_TYPE_TRAINING"), "have no column"),
        (group(conjunction="xor"), "and or or"),
        ({"kind": "group", "children": {"a": 1}}, "must be a list"),
        ({"kind": "thing"}, "group or field"),
        (["name"], "must be objects"),
        (group("name"), "must be objects"),
    ],
)
def test_mistakes_are_named(given, message):
    """Each mistake is refused with what would be right."""
    with pytest.raises(Invalid, match=message):
        tree(given)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', '{"showArchived": 1}', "{" * 100_000, "[" * 100_000])
def test_texts_that_are_no_filter(text):
    """Anything but an object of the right shape is refused, however deep it goes."""
    with pytest.raises(Invalid, match=r"^filter: "):
        parse(Table.RUNS, text)


def test_limits():
    """Depth and number of fields are limited, and the limits themselves are allowed."""
    deep = field()
    for _ in range(MAX_DEPTH):
        deep = group(deep)
    tree(deep)
    with pytest.raises(Invalid, match="deep"):
        tree(group(deep))
    tree(group(*[field()] * MAX_FIELDS))
    with pytest.raises(Invalid, match=f"more than {MAX_FIELDS} fields"):
        tree(group(*[field()] * (MAX_FIELDS + 1)))
    with pytest.raises(Invalid, match="longer than"):
        parse(Table.RUNS, " " * 1_000_001)


leaves = st.builds(
    field, st.sampled_from(["name", "id", "hp.a"]), st.sampled_from(["=", "isEmpty", "<"]), st.sampled_from(["x", 3])
)
trees = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3).flatmap(
        lambda kids: st.sampled_from(["and", "or"]).map(lambda c: group(*kids, conjunction=c))
    ),
)


@given(trees)
def test_a_parsed_tree_has_no_idle_groups(root):
    """Groups in the result have at least two members (the root may be empty), and every condition is complete."""
    try:
        node = tree(root)
    except Invalid:
        return
    todo = [] if node == All() else [node]
    while todo:
        one = todo.pop()
        if isinstance(one, Condition):
            assert (one.value is None) == (one.operator in (Operator.IS_EMPTY, Operator.NOT_EMPTY))
        else:
            assert len(one.children) >= 2
            todo.extend(one.children)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["name", "group", "field", "and", "=", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["kind", "children", "conjunction", "columnName", "operator", "value", "type", "location"]),
            inner,
            max_size=5,
        )
    ),
)


@given(json_values)
def test_no_json_at_all_breaks_the_parser(root):
    """Whatever is sent is parsed or refused, never anything else."""
    try:
        tree(root)
    except Invalid:
        pass
