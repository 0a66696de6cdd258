"""Sort orders that the original understood are understood, others are refused with a reason."""

import pytest

from tests.core.filters.test_tree import recorded
from undeterred.base.errors import Invalid
from undeterred.core.filters.columns import ATTRIBUTES, Family, Table, metric_column, resolve
from undeterred.core.filters.sort import MAX_KEYS, SortKey, parse_sort

SORTS = [one for one in recorded("sort") if "filter" not in one[0]]


@pytest.mark.parametrize(("step", "table", "text", "accepted"), SORTS, ids=[one[0] for one in SORTS])
def test_recorded_sort_orders(step, table, text, accepted):
    """What the original accepted is accepted, and what it refused or failed on is refused."""
    if accepted or step.endswith(("bad-filter", "unknown-project")):
        parse_sort(table, text)
    else:
        with pytest.raises(Invalid, match=r"^sort: "):
            parse_sort(table, text)


def test_keys_in_their_order():
    """The first key is the strongest; names may hold dots and equals signs."""
    keys = parse_sort(Table.RUNS, "hp.a=b=desc, validation.loss.last=asc,id=asc")
    assert [(key.column.name, key.descending) for key in keys] == [
        ("hp.a=b", True),
        ("validation.loss.last", False),
        ("id", False),
    ]
    assert keys[0].column.family is Family.HYPERPARAMETER
    assert keys[1].column == metric_column("validation", "loss", "last")


def test_without_a_sort_order_ids_ascend():
    """No text is the order of ids."""
    assert parse_sort(Table.RUNS, None) == (SortKey(resolve(Table.RUNS, "id"), False),)


@pytest.mark.parametrize("table", list(Table))
def test_every_attribute_but_tags_sorts(table):
    """Each fixed column is a sort column, except the set of tags."""
    for name in ATTRIBUTES[table]:
        if name == "tags":
            with pytest.raises(Invalid, match="cannot be sorted by 'tags'"):
                parse_sort(table, "tags=asc")
        else:
            assert parse_sort(table, f"{name}=desc")[0].column.key == name


@pytest.mark.parametrize("text", ["", "id", "id=", "id=up", "=asc", "id=asc,", "nope=asc", "validation.loss=asc", "rank=asc"])
def test_mistakes(text):
    """A key needs a known column and a direction."""
    with pytest.raises(Invalid, match=r"^sort: "):
        parse_sort(Table.RUNS, text)


def test_limit():
    """So many columns and no more."""
    assert len(parse_sort(Table.RUNS, ",".join(["id=asc"] * MAX_KEYS))) == MAX_KEYS
    with pytest.raises(Invalid, match="more than"):
        parse_sort(Table.RUNS, ",".join(["id=asc"] * (MAX_KEYS + 1)))
