"""Basic mode lets members do what the recorded conversations show, and no more."""

import pytest

from undeterred.core.rights.basic import ADD_PROJECT_NOTE, MOVE_EXPERIMENT, PATCH_PROJECT, RULES, Rule, may
from undeterred.core.rights.permissions import Right
from undeterred.core.rights.rbac import Decision, Mode, Subject, Target, decide

MEMBER = Subject(user_id=7)
ADMIN = Subject(user_id=1, admin=True)
FOREIGN = Target(workspace_id=3, owner_id=1, workspace_owner_id=1)
OWN_IN_FOREIGN = Target(workspace_id=3, owner_id=7, workspace_owner_id=1)
FOREIGN_IN_OWN = Target(workspace_id=4, owner_id=1, workspace_owner_id=7)


@pytest.mark.parametrize("right", list(Right))
def test_an_admin_may_everything(right):
    """The admin flag is enough for each right, whoever owns the thing."""
    assert decide(Mode.BASIC, ADMIN, right, FOREIGN_IN_OWN) is Decision.ALLOW


@pytest.mark.parametrize("right", [r for r in Right if r.name.startswith("VIEW_")])
def test_members_see_everything_but_what_admins_keep(right):
    """Views are open apart from the server's configuration, agents' secrets and access tokens."""
    kept = {Right.VIEW_MASTER_CONFIG, Right.VIEW_SENSITIVE_AGENT_INFO, Right.VIEW_TOKEN, Right.VIEW_OTHER_TOKEN}
    expected = Decision.REFUSE if right in kept else Decision.ALLOW
    assert decide("basic", MEMBER, right, FOREIGN) is expected


@pytest.mark.parametrize(
    ("right", "foreign", "own_in_foreign", "foreign_in_own"),
    [
        (Right.CREATE_EXPERIMENT, True, True, True),
        (Right.UPDATE_EXPERIMENT, True, True, True),
        (Right.UPDATE_EXPERIMENT_METADATA, True, True, True),
        (Right.DELETE_EXPERIMENT, False, True, False),
        (Right.CREATE_NSC, True, True, True),
        (Right.UPDATE_NSC, True, True, True),
        (Right.CREATE_WORKSPACE, True, True, True),
        (Right.UPDATE_WORKSPACE, False, False, True),
        (Right.DELETE_WORKSPACE, False, False, True),
        (Right.SET_WORKSPACE_AGENT_USER_GROUP, False, False, False),
        (Right.CREATE_PROJECT, True, True, True),
        (Right.UPDATE_PROJECT, False, True, True),
        (Right.DELETE_PROJECT, False, True, True),
        (Right.EDIT_MODEL_REGISTRY, True, True, True),
        (Right.DELETE_MODEL_REGISTRY, False, True, False),
        (Right.DELETE_MODEL_VERSION, False, True, False),
        (Right.UPDATE_TEMPLATES, True, True, True),
        (Right.EDIT_WEBHOOKS, False, False, True),
        (Right.MODIFY_WORKSPACE_CONFIG_POLICIES, False, False, True),
        (Right.MODIFY_GLOBAL_CONFIG_POLICIES, False, False, False),
        (Right.CREATE_TOKEN, False, False, False),
        (Right.UPDATE_AGENTS, False, False, False),
        (Right.ADMINISTRATE_USER, False, False, False),
        (Right.UPDATE_GROUP, False, False, False),
        (Right.ASSIGN_ROLES, False, False, False),
    ],
)
def test_members_act_on_their_own(right, foreign, own_in_foreign, foreign_in_own):
    """Deleting and renaming belong to owners; everyday work on experiments, tasks, models and templates to all."""
    expected = [foreign, own_in_foreign, foreign_in_own]
    answers = [decide(Mode.BASIC, MEMBER, right, target) for target in (FOREIGN, OWN_IN_FOREIGN, FOREIGN_IN_OWN)]
    assert answers == [Decision.ALLOW if allowed else Decision.REFUSE for allowed in expected]


def test_acts_lighter_or_heavier_than_their_right_bring_their_own_rule():
    """A member annotates a foreign project and moves a foreign experiment, but does not rename an own project elsewhere."""
    assert decide(Mode.BASIC, MEMBER, Right.UPDATE_PROJECT, FOREIGN, ADD_PROJECT_NOTE) is Decision.ALLOW
    assert decide(Mode.BASIC, MEMBER, Right.DELETE_EXPERIMENT, FOREIGN, MOVE_EXPERIMENT) is Decision.ALLOW
    assert decide(Mode.BASIC, MEMBER, Right.UPDATE_PROJECT, OWN_IN_FOREIGN, PATCH_PROJECT) is Decision.REFUSE


def test_a_global_webhook_belongs_to_admins():
    """A thing without workspace has no workspace owner, so nobody but an admin passes a rule that asks for one."""
    assert decide(Mode.BASIC, MEMBER, Right.EDIT_WEBHOOKS, Target()) is Decision.REFUSE
    assert decide(Mode.BASIC, ADMIN, Right.EDIT_WEBHOOKS, Target()) is Decision.ALLOW


def test_each_right_has_a_rule():
    """No right is forgotten, and no rule lets a stranger in where an owner is asked for."""
    assert set(RULES) == set(Right)
    for rule in Rule:
        assert may(rule, admin=False, owner=False, workspace_owner=False) is (rule is Rule.EVERYONE)
