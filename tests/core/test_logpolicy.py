"""Lines of a log match the policies of their experiment."""

import pytest

from undeterred.base.errors import Invalid
from undeterred.core.logpolicy import PolicyAction, matches, policies_of

DEFAULTS = [
    {"name": "CUDA OOM", "pattern": ".*CUDA out of memory.*"},
    {"name": "ECC Error", "pattern": ".*uncorrectable ECC error encountered.*", "action": "exclude_node"},
]


def test_entries_old_and_new():
    """Actions come as words or as objects; an entry without a pattern is switched off; names may be missing."""
    policies = policies_of(
        {
            "log_policies": [
                *DEFAULTS,
                {"name": "CUDA OOM", "pattern": None},
                {"pattern": "old", "action": {"type": "cancel_retries"}},
                {"name": "new", "pattern": "x", "action": None},
            ]
        }
    )
    assert [(p.name, p.pattern.text, p.action) for p in policies] == [
        ("CUDA OOM", ".*CUDA out of memory.*", None),
        ("ECC Error", ".*uncorrectable ECC error encountered.*", PolicyAction.EXCLUDE_NODE),
        ("", "old", PolicyAction.CANCEL_RETRIES),
        ("new", "x", None),
    ]


def test_a_configuration_without_policies_has_none():
    """Neither a missing list nor a null one is an error."""
    assert policies_of({}) == policies_of({"log_policies": None}) == ()


@pytest.mark.parametrize("pattern", ["(", "(?=x)", r"(a)\1"])
def test_patterns_that_are_none(pattern):
    """What the pattern language lacks is refused, quoting the pattern."""
    with pytest.raises(Invalid, match="is not a valid regular expression"):
        policies_of({"log_policies": [{"name": "a", "pattern": pattern}]})


def test_matches_come_line_by_line_and_policy_by_policy():
    """Several policies may match one line, and one policy several lines."""
    policies = policies_of({"log_policies": [{"name": "a", "pattern": "A"}, {"name": "b", "pattern": "[AB]$"}]})
    found = matches(policies, ["1 A", "2", "3 B", "4 A-"])
    assert [(match.policy.name, match.line) for match in found] == [("a", 0), ("b", 0), ("b", 2), ("a", 3)]


def test_the_printed_configuration_is_passed_over():
    """The harness prints the configuration, patterns included, at each start; that is no error of the task."""
    policies = policies_of({"log_policies": DEFAULTS})
    line = 'New trial runner in (container x) on agent a: {"log_policies": [{"pattern": ".*CUDA out of memory.*"}]}'
    assert matches(policies, [line]) == []
    assert [match.policy.name for match in matches(policies, ["CUDA out of memory", line])] == ["CUDA OOM"]


def test_a_careless_pattern_and_a_long_line_do_not_hold_up_the_log():
    """A pattern that would keep a backtracking engine busy for ever is accepted and answers."""
    policies = policies_of({"log_policies": [{"name": "a", "pattern": "(a|aa)+$"}]})
    assert matches(policies, ["a" * 50_000 + "!"]) == []
