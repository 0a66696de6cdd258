"""Text is read as clients of Determined expect, and nothing in it can hurt the server."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.config.trees import JSON
from undeterred.base.errors import Invalid
from undeterred.core.config.parse import DEPTH_LIMIT, describe, parse_tree, plain, resolve_plain


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 100000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("-7", -7),
        ("+7", 7),
        ("1_000", 1000),
        ("0x1F", 31),
        ("0b101", 5),
        ("0o17", 15),
        ("017", 15),
        ("-0x10", -16),
        ("08", 8.0),
        ("0", 0),
        ("yes", True),
        ("Off", False),
        ("~", None),
        ("", None),
        ("Null", None),
        ("y", "y"),
        ("1:30", "1:30"),
        ("2020-01-01", "2020-01-01"),
        ("1.2.3", "1.2.3"),
        ("-", "-"),
        ("1e", "1e"),
        ("12345678901234567890123", 12345678901234567890123.0),
        ("9223372036854775807", 9223372036854775807),
    ],
)
def test_plain_words(word, value):
    """An unquoted word means what it means to a Go program."""
    found = resolve_plain(word)
    assert found == value
    assert type(found) is type(value)


def test_yaml_and_json_give_the_same():
    """The same configuration in both notations reads alike."""
    text = "name: x\nentrypoint: [python, 'x.py']\nsearcher:\n  {name: single, metric: loss}\nlr: 1e-3\n"
    tree = parse_tree(text)
    assert tree == {"name": "x", "entrypoint": ["python", "x.py"], "searcher": {"name": "single", "metric": "loss"}, "lr": 0.001}
    assert parse_tree(json.dumps(tree)) == tree


def test_json_with_tabs_and_trailing_remarks():
    """JSON may be indented by tabs, and what only YAML allows is read as YAML although it begins like JSON."""
    assert parse_tree('{\n\t"a": 1\n}') == {"a": 1}
    assert parse_tree("{a: 1, b: [x, y]} # why") == {"a": 1, "b": ["x", "y"]}


def test_keys_are_the_text_that_was_written():
    """A key such as 1, on or 1.0 becomes text as written; the last of repeated keys counts."""
    assert parse_tree("1: a\non: b\n1.0: c\nnull: d\n'q': e\n") == {"1": "a", "on": "b", "1.0": "c", "null": "d", "q": "e"}
    assert parse_tree("a: 1\na: 2\n") == {"a": 2}


def test_aliases_and_merge_keys():
    """Anchors are repeated where their aliases stand; merge keys fill in what is not given."""
    text = "base: &b {x: 1, y: 2}\nhere: {<<: *b, y: 3}\nboth:\n  <<: [{x: 9}, *b]\nkey: &k name\n*k : 5\n'<<': 1\n"
    assert parse_tree(text) == {
        "base": {"x": 1, "y": 2},
        "here": {"x": 1, "y": 3},
        "both": {"x": 9, "y": 2},
        "key": "name",
        "name": 5,
        "<<": 1,
    }


def test_tags_of_simple_types():
    """The tags of YAML's own simple types are kept to; a timestamp is a text."""
    assert parse_tree("a: !!str 5\nb: !!float 5\nc: !!timestamp 2020-01-01\nd: ! 5\ne: !!null ~\n") == {
        "a": "5",
        "b": 5,
        "c": "2020-01-01",
        "d": "5",
        "e": None,
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("# only a remark", "empty"),
        ("null", "empty"),
        ("[]", "a list"),
        ("hello", 'the text "hello"'),
        ("5", "the number 5"),
        ("true", "true"),
        ("{{{", "line 1"),
        ("a: [1,\nb: 2", "line 3"),
        ("a: 1\n  b: 2", "line 2"),
        ("a:\n\tb: 1", "line 2"),
        ("a: 1\n---\nb: 2", "only one document"),
        ("a: !!python/object/apply:os.system [x]", "tag"),
        ("a: !!python/name:os.system x", "tag"),
        ("a: !thing {x: 1}", "tag"),
        ("a: !!int x", "no int"),
        ("a: !!int true", "no int"),
        ("? [1, 2]\n: 3", "key"),
        ("a: &x [1]\n*x : 2", "key"),
        ("a: *nobody", "anchor nobody"),
        ("a: &x [*x]", "anchor x"),
        ("<<: 5", "<<"),
        ("a: .inf", ".a: inf"),
        ("a: [.nan]", ".a[0]: nan"),
        ("a: 1e999", ".a: inf"),
        ("a: " + "9" * 5000, ".a: inf"),
        ("a: 0x" + "f" * 5000, ".a: inf"),
        ("a: \x00", "YAML"),
    ],
)
def test_refused_texts(text, said):
    """What is no configuration is refused with a sentence that says where and why."""
    with pytest.raises(Invalid) as error:
        parse_tree(text)
    assert said in str(error.value)


@pytest.mark.parametrize("text", ["[" * 200, "a: " + "[" * 100_000, '{"a":' * 3000 + "1" + "}" * 3000, "- " * 5000])
def test_deep_nesting_is_refused(text):
    """Text nested deeper than the limit ends in a sentence, not in a crash."""
    with pytest.raises(Invalid):
        parse_tree(text)


def test_depth_up_to_the_limit():
    """Nesting right up to the limit is accepted in both notations, one more level is not."""
    for opening, closing in (('{"a":', "}"), ("{a: ", "}")):
        assert parse_tree(opening * DEPTH_LIMIT + "1" + closing * DEPTH_LIMIT)
        with pytest.raises(Invalid, match="deeper"):
            parse_tree(opening * (DEPTH_LIMIT + 1) + "1" + closing * (DEPTH_LIMIT + 1))


def test_growing_aliases_are_refused():
    """Nine levels of nine-fold aliases do not grow into a billion values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    with pytest.raises(Invalid, match="aliases"):
        parse_tree("\n".join(lines))


def test_lone_surrogates_become_replacement_characters():
    """Half a surrogate pair in the text is replaced."""
    assert parse_tree("a: x\ud800y") == {"a": "x\ufffdy"}


def test_numbers_beyond_64_bits_become_floats():
    """An integer that does not fit 64 bits is kept as the nearest number that JSON clients can hold."""
    assert parse_tree('{"a": 12345678901234567890123}') == {"a": 12345678901234567890123.0}
    assert plain({"a": 2**63 - 1, "b": -(2**63)}) == {"a": 2**63 - 1, "b": -(2**63)}
    with pytest.raises(Invalid):
        plain({"a": 10**400})


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_plain_never_fails_otherwise(tree):
    """Any JSON data is copied or refused, and a copy copies to itself."""
    try:
        copy = plain(tree)
    except Invalid:
        return
    assert plain(copy) == copy


@given(st.text(alphabet=st.sampled_from("ab:-[]{}&*!<>\n \t'\"#,?|%@`~1.e0xy"), max_size=60))
def test_no_text_does_anything_but_parse_or_be_refused(text):
    """Arbitrary text gives an object or Invalid."""
    try:
        tree = parse_tree(text)
    except Invalid:
        return
    assert isinstance(tree, dict)


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "null"), (True, "true"), (1.5, "the number 1.5"), (10**30, "a number"), ("x" * 50, "a text"), ({}, "an object")],
)
def test_description_of_values(value, words):
    """Messages name a value shortly."""
    assert describe(value) == words
