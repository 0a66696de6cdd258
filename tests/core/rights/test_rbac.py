"""Grants decide in rbac mode, and what may not be seen is hidden."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undeterred.core.rights.permissions import GLOBAL_ONLY, VIEW_OF, Right
from undeterred.core.rights.rbac import EVERYWHERE, NOWHERE, Decision, Grant, Mode, Scope, Subject, Target, decide, scope
from undeterred.core.rights.roles import ROLES

CLUSTER_ADMIN, WORKSPACE_ADMIN, WORKSPACE_CREATOR, VIEWER, EDITOR, REGISTRY_VIEWER, RESTRICTED, GEN_AI, PROJECTLESS, TOKENS = (
    range(1, 11)
)

grants = st.builds(Grant, st.integers(1, 11), st.none() | st.integers(1, 3))
subjects = st.builds(Subject, user_id=st.integers(1, 3), admin=st.booleans(), grants=st.lists(grants, max_size=4).map(tuple))
targets = st.builds(Target, workspace_id=st.none() | st.integers(1, 3), owner_id=st.none() | st.integers(1, 3))
rights = st.sampled_from(list(Right))


def who(*granted: tuple[int, int | None], user_id: int = 5, admin: bool = False) -> Subject:
    """A user with roles (role id, workspace or None for the cluster)."""
    return Subject(user_id, admin, tuple(Grant(role, workspace) for role, workspace in granted))


@pytest.mark.parametrize(
    ("subject", "right", "target", "expected"),
    [
        (who((VIEWER, 3)), Right.VIEW_EXPERIMENT_METADATA, Target(3), Decision.ALLOW),
        (who((VIEWER, 3)), Right.VIEW_EXPERIMENT_METADATA, Target(4), Decision.HIDE),
        (who((VIEWER, 3)), Right.UPDATE_EXPERIMENT, Target(3), Decision.REFUSE),
        (who((VIEWER, 3)), Right.UPDATE_EXPERIMENT, Target(4), Decision.HIDE),
        (who((VIEWER, None)), Right.UPDATE_EXPERIMENT, Target(4), Decision.REFUSE),
        (who((EDITOR, None)), Right.UPDATE_EXPERIMENT, Target(4), Decision.ALLOW),
        (who((RESTRICTED, 3)), Right.CREATE_NSC, Target(3), Decision.REFUSE),
        (who((RESTRICTED, 3)), Right.UPDATE_NSC, Target(3, owner_id=5), Decision.REFUSE),
        (who((PROJECTLESS, 3)), Right.CREATE_PROJECT, Target(3), Decision.REFUSE),
        (who((PROJECTLESS, 3)), Right.CREATE_PROJECT, Target(4), Decision.HIDE),
        (who((WORKSPACE_ADMIN, 3)), Right.SET_WORKSPACE_AGENT_USER_GROUP, Target(3), Decision.REFUSE),
        (who((WORKSPACE_CREATOR, None)), Right.CREATE_WORKSPACE, Target(), Decision.ALLOW),
        (who((CLUSTER_ADMIN, 3)), Right.CREATE_WORKSPACE, Target(), Decision.REFUSE),
        (who((CLUSTER_ADMIN, 3)), Right.VIEW_MASTER_LOGS, Target(3), Decision.REFUSE),
        (who((EDITOR, 3)), Right.DELETE_MODEL_REGISTRY, Target(3, owner_id=5), Decision.ALLOW),
        (who((EDITOR, 3)), Right.DELETE_MODEL_REGISTRY, Target(3, owner_id=6), Decision.REFUSE),
        (who((WORKSPACE_ADMIN, 3)), Right.DELETE_MODEL_VERSION, Target(3, owner_id=6), Decision.ALLOW),
        (who((TOKENS, None)), Right.CREATE_TOKEN, Target(owner_id=5), Decision.ALLOW),
        (who((TOKENS, None)), Right.CREATE_TOKEN, Target(owner_id=6), Decision.REFUSE),
        (who((TOKENS, None)), Right.VIEW_TOKEN, Target(), Decision.REFUSE),
        (who((CLUSTER_ADMIN, None)), Right.UPDATE_TOKEN, Target(owner_id=6), Decision.ALLOW),
        (who((GEN_AI, None)), Right.VIEW_WEBHOOKS, Target(3), Decision.HIDE),
        (who((EDITOR, 3)), Right.EDIT_WEBHOOKS, Target(), Decision.HIDE),
        (who((VIEWER, 3)), Right.VIEW_GLOBAL_CONFIG_POLICIES, Target(), Decision.ALLOW),
        (who((TOKENS, None)), Right.VIEW_GLOBAL_CONFIG_POLICIES, Target(), Decision.REFUSE),
        (who((REGISTRY_VIEWER, 3)), Right.MODIFY_WORKSPACE_CONFIG_POLICIES, Target(3), Decision.HIDE),
        (who(admin=True), Right.VIEW_WORKSPACE, Target(3, workspace_owner_id=5), Decision.HIDE),
    ],
)
def test_decisions(subject, right, target, expected):
    """Each row is one situation: roles held, right asked, place and owner, answer."""
    assert decide(Mode.RBAC, subject, right, target) is expected


def test_scope_of_a_right_is_where_it_was_granted():
    """Grants for workspaces give their ids, one for the cluster gives everything, none gives nothing."""
    assert scope("rbac", who((VIEWER, 3), (EDITOR, 4), (REGISTRY_VIEWER, 6)), Right.VIEW_PROJECT) == Scope(
        False, frozenset({3, 4})
    )
    assert scope("rbac", who((VIEWER, 3), (VIEWER, None)), Right.VIEW_PROJECT) == EVERYWHERE
    assert scope("rbac", who((CLUSTER_ADMIN, 3)), Right.VIEW_OTHER_TOKEN) == NOWHERE
    assert scope("rbac", who(admin=True), Right.VIEW_PROJECT) == NOWHERE


def test_scope_in_basic_mode_shows_everything_but_what_admins_keep():
    """Members list all things; what belongs to admins only is an empty list for them."""
    assert scope("basic", who(), Right.VIEW_EXPERIMENT_METADATA) == EVERYWHERE
    assert scope("basic", who(), Right.VIEW_TOKEN) == NOWHERE
    assert scope("basic", who(admin=True), Right.VIEW_TOKEN) == EVERYWHERE


@given(subjects, targets)
def test_what_cannot_be_seen_is_hidden_and_what_is_hidden_cannot_be_seen(subject, target):
    """A refusal never tells that a thing exists to somebody who may not view it, and nothing visible is called missing."""
    for right, view in VIEW_OF.items():
        answer = decide(Mode.RBAC, subject, right, target)
        visible = scope(Mode.RBAC, subject, view).admits(target.workspace_id)
        assert (answer is not Decision.HIDE) if visible else (answer is not Decision.REFUSE)


@given(subjects, rights, targets)
def test_a_list_and_a_single_thing_agree(subject, right, target):
    """A thing is in the list of a right exactly when the right holds on it (rights on things of others apart)."""
    if right is Right.VIEW_GLOBAL_CONFIG_POLICIES:
        return
    own = Target(target.workspace_id, subject.user_id)
    allowed = decide(Mode.RBAC, subject, right, own) is Decision.ALLOW
    assert allowed == scope(Mode.RBAC, subject, right).admits(target.workspace_id)


@given(subjects, rights, targets, grants)
def test_one_grant_more_never_takes_anything_away(subject, right, target, more):
    """Rights only add up."""
    before = decide(Mode.RBAC, subject, right, target)
    after = decide(Mode.RBAC, Subject(subject.user_id, subject.admin, (*subject.grants, more)), right, target)
    order = [Decision.HIDE, Decision.REFUSE, Decision.ALLOW]
    assert order.index(after) >= order.index(before)


@given(subjects, st.sampled_from(sorted(GLOBAL_ONLY)), targets)
def test_rights_of_the_cluster_need_a_grant_for_the_cluster(subject, right, target):
    """Without a role for the whole cluster none of them is held."""
    local = Subject(subject.user_id, subject.admin, tuple(g for g in subject.grants if g.workspace_id is not None))
    assert decide(Mode.RBAC, local, right, target) is Decision.REFUSE


def test_every_right_of_a_role_is_held_where_the_role_is_granted():
    """A role for the cluster gives each of its rights in any workspace, on one's own things."""
    for role in ROLES.values():
        for right in role.permissions:
            assert decide(Mode.RBAC, who((role.id, None)), right, Target(9, owner_id=5)) is Decision.ALLOW
