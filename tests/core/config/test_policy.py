"""Policies are kept as written, checked before they are kept, and hold against workloads and later changes."""

import pytest

from undeterred.base.errors import Invalid
from undeterred.core.config.policy import (
    Constraints,
    check_constraints,
    check_unfixed,
    check_workload,
    constraints,
    invariant,
    parse_policy,
)


def test_policies_are_kept_as_written():
    """YAML or JSON, the objects come back as given; null parts and an empty policy hold nothing."""
    text = "invariant_config: {hyperparameters: {lr: 1e-3}}\nconstraints:\n"
    assert parse_policy(text, "EXPERIMENT") == {"invariant_config": {"hyperparameters": {"lr": 0.001}}}
    assert parse_policy('{"constraints": {"priority_limit": 5}}', "NTSC") == {"constraints": {"priority_limit": 5}}
    assert parse_policy("{}", "EXPERIMENT") == {}


@pytest.mark.parametrize(
    ("text", "workload", "said"),
    [
        ("", "EXPERIMENT", "must not be empty"),
        ("  \n", "NTSC", "must not be empty"),
        ("{{", "EXPERIMENT", "line 1"),
        ("[]", "EXPERIMENT", "a list"),
        ("nope: 1", "EXPERIMENT", "<policy>.nope: unknown key"),
        ("constraints: 5", "EXPERIMENT", "<policy>.constraints: must be an object"),
        ("constraints: {priority_limit: 100}", "EXPERIMENT", "<policy>.constraints.priority_limit: must be at most 99"),
        ("constraints: {resources: {max_slots: -1}}", "NTSC", "<policy>.constraints.resources.max_slots: must be at least 0"),
        ("invariant_config: {nope: 1}", "EXPERIMENT", "<policy>.invariant_config.nope: unknown key"),
        ("invariant_config: {debug: true}", "NTSC", "EXPERIMENT workloads only"),
        ("invariant_config: {}", "NTSC", "EXPERIMENT workloads only"),
        ("invariant_config: {searcher: {name: grid, max_trials: 1}}", "EXPERIMENT", ".searcher.max_trials: unknown key"),
        (
            "invariant_config: {resources: {slots_per_trial: 5, priority: 1}}\n"
            "constraints: {resources: {max_slots: 4}, priority_limit: 2}",
            "EXPERIMENT",
            "slots is 5, the config policy allows at most 4; priority is 1, the config policy allows no better one than 2",
        ),
    ],
)
def test_refused_policies(text, workload, said):
    """What is wrong with a policy is told with its path, invariants that its own constraints forbid included."""
    with pytest.raises(Invalid) as error:
        parse_policy(text, workload)
    assert said in str(error.value)


def test_workloads():
    """There are two, in capitals."""
    assert check_workload("NTSC") == "NTSC"
    for other in ("experiment", "NOPE", ""):
        with pytest.raises(Invalid, match="EXPERIMENT or NTSC"):
            check_workload(other)


def test_each_limit_of_the_server_beats_that_of_the_workspace():
    """Limits combine one by one, also a limit of zero."""
    server = {"constraints": {"resources": {"max_slots": 0}}}
    workspace = {"constraints": {"resources": {"max_slots": 3}, "priority_limit": 40}}
    assert constraints(server, workspace) == Constraints(0, 40)
    assert constraints(None, workspace) == Constraints(3, 40)
    assert constraints(workspace, server) == Constraints(3, 40)
    assert constraints({}, {"constraints": None}) == Constraints(None, None)


def test_invariants_of_a_policy():
    """An empty invariant is none."""
    assert invariant({"invariant_config": {"debug": True}}) == {"debug": True}
    for policy in (None, {}, {"invariant_config": {}}):
        assert invariant(policy) is None


@pytest.mark.parametrize(
    ("asked", "higher_is_better", "broken"),
    [
        ({"slots": 4, "max_slots": 4, "priority": 40}, False, 0),
        ({"slots": 0}, False, 0),
        ({"slots": 5}, False, 1),
        ({"max_slots": 5}, False, 1),
        ({"priority": 39}, False, 1),
        ({"priority": 41}, False, 0),
        ({"priority": 41}, True, 1),
        ({"priority": 39}, True, 0),
        ({"slots": 5, "max_slots": 9, "priority": 1}, False, 3),
    ],
)
def test_constraints(asked, higher_is_better, broken):
    """Slots stay below the limit, priorities on its worse side; all broken limits are told, with their numbers."""
    limits = Constraints(max_slots=4, priority_limit=40)
    check_constraints(Constraints(), **asked, higher_is_better=higher_is_better)
    if not broken:
        check_constraints(limits, **asked, higher_is_better=higher_is_better)
        return
    with pytest.raises(Invalid) as error:
        check_constraints(limits, **asked, higher_is_better=higher_is_better)
    assert len(str(error.value).split("\n")) == broken


def test_what_a_policy_fixes_cannot_be_changed():
    """A later change to another value is refused, one to the same value or of something else is not."""
    policies = (None, {"invariant_config": {"resources": {"priority": 50}}})
    check_unfixed(policies, ("resources", "priority"), 50)
    check_unfixed(policies, ("resources", "weight"), 2)
    check_unfixed(policies, ("resources", "priority", "deep"), 2)
    with pytest.raises(Invalid, match=r"resources\.priority is fixed to 50"):
        check_unfixed(policies, ("resources", "priority"), 40)
