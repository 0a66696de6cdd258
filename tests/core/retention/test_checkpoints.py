"""A policy deletes what it says and never what somebody needs."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undeterred.base.errors import Invalid
from undeterred.base.struct import replace
from undeterred.core.retention.checkpoints import Checkpoint, Plan, Policy, plan, policy_of

NOTHING = Policy(0, 0, 0)


def made(uuid: str, trial: int, steps: int, value: float | None = None, **more) -> Checkpoint:
    """A checkpoint with its validation numbered by its steps."""
    return Checkpoint(uuid, trial, steps, value, validation_id=steps, **more)


def kept(checkpoints, policy, smaller=True) -> str:
    """The uuids that stay, joined."""
    return "".join(plan(checkpoints, policy, smaller_is_better=smaller).keep)


def test_newest_are_counted_per_trial_also_without_validation():
    """Three trials with two unvalidated checkpoints each keep one each, not one in all."""
    six = [made(uuid, trial, steps) for uuid, trial, steps in zip("abcdef", [1, 1, 2, 2, 3, 3], [10, 20] * 3, strict=True)]
    assert kept(six, Policy(0, 0, 1)) == "bdf"
    assert plan(six, Policy(0, 1, 1), smaller_is_better=True).delete == ("a", "c", "e")


@pytest.mark.parametrize(
    ("policy", "smaller", "expected"),
    [
        (NOTHING, True, ""),
        (Policy(1, 0, 0), True, "b"),
        (Policy(2, 0, 0), True, "be"),
        (Policy(0, 1, 0), True, "be"),
        (Policy(0, 1, 0), False, "ad"),
        (Policy(0, 0, 1), True, "cf"),
        (Policy(0, 1, 1), True, "bcef"),
        (Policy(1, 1, 1), False, "acdf"),
        (Policy(9, 0, 0), True, "abde"),
        (Policy(9, 9, 9), True, "abcdef"),
    ],
)
def test_policies(policy, smaller, expected):
    """Best of the experiment, best of each trial, newest of each trial; an unvalidated one is never a best one."""
    checkpoints = [
        made("a", 1, 10, 0.9),
        made("b", 1, 20, 0.1),
        made("c", 1, 30),
        made("d", 2, 10, 0.8),
        made("e", 2, 20, 0.2),
        made("f", 2, 30),
    ]
    assert kept(checkpoints, policy, smaller) == expected


def test_registered_ones_and_sources_stay():
    """Even a policy that keeps nothing leaves them."""
    checkpoints = [made("a", 1, 10, registered=True), made("b", 1, 20, warm_start_source=True), made("c", 1, 30)]
    assert plan(checkpoints, NOTHING, smaller_is_better=True) == Plan(
        ("c",), {"a": "registered as a model version", "b": "another trial was started from it"}
    )


def test_deleted_ones_are_left_out_of_everything():
    """They are not deleted again and take no place from those that exist."""
    checkpoints = [made("a", 1, 10), made("b", 1, 20, deleted=True), made("c", 1, 5)]
    assert plan(checkpoints, Policy(0, 0, 1), smaller_is_better=True) == Plan(("c",), {"a": "among the newest of its trial"})


def test_a_partly_deleted_one_takes_no_place_from_a_complete_one():
    """The newest complete one stays, and so does the newer remainder; an older remainder goes."""
    checkpoints = [made("a", 1, 10, complete=False), made("b", 1, 20), made("c", 1, 30, complete=False)]
    assert kept(checkpoints, Policy(0, 0, 1)) == "bc"


@pytest.mark.parametrize("smaller", [True, False])
def test_nan_is_never_best(smaller):
    """A checkpoint whose validation is NaN counts as not validated, even if nothing better is there."""
    checkpoints = [made("a", 1, 10, math.nan), made("b", 1, 20, 5.0), made("c", 1, 30, math.nan)]
    assert kept(checkpoints, Policy(2, 2, 0), smaller) == "b"


def test_ties_go_to_the_earlier_validation():
    """Of equal values the one validated first is the better one, in whichever order they are given."""
    checkpoints = [made("a", 1, 30, 0.5), made("b", 2, 10, 0.5), made("c", 3, 20, 0.5)]
    assert kept(checkpoints, Policy(1, 0, 0)) == "b"
    assert kept(checkpoints[::-1], Policy(1, 0, 0)) == "b"


def test_the_policy_of_a_configuration():
    """Missing numbers have their defaults; anything but a whole number from 0 on is refused."""
    assert policy_of({}) == Policy(0, 1, 1)
    assert policy_of({"save_experiment_best": 2, "save_trial_best": 0, "save_trial_latest": None}) == Policy(2, 0, 1)
    for bad in (-1, 1.5, "1", True):
        with pytest.raises(Invalid, match=r"checkpoint_storage\.save_trial_best"):
            policy_of({"save_trial_best": bad})


checkpoint_sets = st.lists(
    st.builds(
        Checkpoint,
        uuid=st.uuids().map(str),
        trial_id=st.integers(1, 3),
        steps=st.integers(0, 5),
        value=st.none() | st.sampled_from([0.0, 1.0, 2.0, math.nan, math.inf]),
        validation_id=st.integers(0, 9),
        reported_at=st.integers(0, 3),
        complete=st.booleans(),
        deleted=st.booleans(),
        registered=st.booleans(),
        warm_start_source=st.booleans(),
    ),
    max_size=12,
    unique_by=lambda one: one.uuid,
)
policies = st.builds(Policy, st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))


@given(checkpoint_sets, policies, st.booleans())
def test_everything_present_is_either_kept_or_deleted(checkpoints, policy, smaller):
    """Nothing is forgotten or named twice, and what is protected is never deleted."""
    found = plan(checkpoints, policy, smaller_is_better=smaller)
    present = {one.uuid for one in checkpoints if not one.deleted}
    assert set(found.delete) | set(found.keep) == present
    assert not set(found.delete) & set(found.keep)
    assert len(set(found.delete)) == len(found.delete)
    assert not any(one.uuid in found.delete for one in checkpoints if one.registered or one.warm_start_source)


@given(checkpoint_sets, policies, st.booleans())
def test_deleting_by_plan_once_is_enough(checkpoints, policy, smaller):
    """After the plan was carried out the same policy has nothing left to delete."""
    gone = set(plan(checkpoints, policy, smaller_is_better=smaller).delete)
    after = [replace(one, deleted=one.deleted or one.uuid in gone) for one in checkpoints]
    assert plan(after, policy, smaller_is_better=smaller).delete == ()


@given(checkpoint_sets, policies, st.booleans())
def test_a_trial_keeps_its_newest_complete_checkpoint_if_asked_to(checkpoints, policy, smaller):
    """With save_trial_latest of at least 1 every trial can be resumed afterwards."""
    found = plan(checkpoints, replace(policy, trial_latest=max(1, policy.trial_latest)), smaller_is_better=smaller)
    for trial in {one.trial_id for one in checkpoints}:
        mine = [one for one in checkpoints if one.trial_id == trial and one.complete and not one.deleted]
        if mine:
            assert max(one.steps for one in mine if one.uuid in found.keep) == max(one.steps for one in mine)


@given(checkpoint_sets, policies, st.booleans(), st.randoms())
def test_the_order_given_does_not_matter(checkpoints, policy, smaller, random):
    """Equal data give equal decisions."""
    shuffled = checkpoints[:]
    random.shuffle(shuffled)
    one, other = (plan(some, policy, smaller_is_better=smaller) for some in (checkpoints, shuffled))
    assert set(one.delete) == set(other.delete)
    assert one.keep == other.keep
