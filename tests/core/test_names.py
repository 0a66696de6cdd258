"""Names, keys and labels that people may choose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undeterred.base.errors import Invalid
from undeterred.core.names import (
    check_experiment_name,
    check_model_name,
    check_project_name,
    check_workspace_name,
    clean_labels,
    project_key,
    propose_project_key,
)

ACCEPTED = [
    (check_workspace_name, ["a", "x" * 80, "wörk/空 间", " a "]),
    (check_project_name, ["a", "x" * 80, "  "]),
    (check_experiment_name, ["a", "x" * 10_000, "\t🙂\n"]),
    (check_model_name, ["50%", "a%2Fb", "naïve 模型", "v.1", "1e3", "mod g ", "mod?n#o", "①", "..."]),
]
REFUSED = [
    (check_workspace_name, ["", "   ", "x" * 81]),
    (check_project_name, ["", "x" * 81]),
    (check_experiment_name, ["", " \n"]),
    (check_model_name, ["", "  ", "123", "a/b", "a\\b", "a  b", ".", ".."]),
]


@pytest.mark.parametrize(("check", "name"), [(check, name) for check, names in ACCEPTED for name in names])
def test_accepted_names(check, name):
    """Names within the rules pass as they are."""
    check(name)


@pytest.mark.parametrize(("check", "name"), [(check, name) for check, names in REFUSED for name in names])
def test_refused_names(check, name):
    """Names outside the rules are mistakes of the caller, told in words."""
    with pytest.raises(Invalid, match="name"):
        check(name)


@pytest.mark.parametrize(("key", "stored"), [("bet", "BET"), ("GAM01", "GAM01"), ("123", "123"), ("a", "A")])
def test_project_keys(key, stored):
    """Keys are stored in capitals."""
    assert project_key(key) == stored


@pytest.mark.parametrize("key", ["", "ABCDEF", "A-B", "ä", "A B", "A\n", "١"])
def test_refused_project_keys(key):
    """Other keys are refused."""
    with pytest.raises(Invalid, match="1 to 5"):
        project_key(key)


@given(st.text())
def test_proposed_keys_are_keys(name):
    """Whatever the project is called, a proposed key is a valid one in its stored form."""
    key = propose_project_key(name, lambda alphabet: alphabet[-1])
    assert project_key(key) == key
    assert len(key) == 5


def test_proposed_keys_begin_with_letters_of_the_name():
    """The first three letters or digits of the name are in it."""
    assert propose_project_key("my-Project", lambda alphabet: alphabet[0]) == "MYPAA"


def test_labels():
    """Labels are a set without empty texts, in the order in which they first appear."""
    assert clean_labels(["b", "", "a", "b"]) == ["b", "a"]
