"""The list of rights agrees with the contract and with the recorded answers."""

import json
from pathlib import Path

from undeterred.core.rights.permissions import GLOBAL_ONLY, OF_OTHERS, VIEW_OF, Right, describe

ROOT = Path(__file__).parents[3]
LISTING = "060-ListRoles-all"


def recorded_roles() -> list[dict]:
    """The roles as the original lists them."""
    steps = json.loads((ROOT / "tests/conformance/golden/04_groups_rbac.json").read_text())["steps"]
    return next(step["body"]["roles"] for step in steps if step["id"] == LISTING)


def test_names_and_ids_are_those_of_the_contract():
    """Each right of the contract exists here under the same name and number, and no other."""
    numbers = json.loads((ROOT / "contract/contract.json").read_text())["enums"]["v1PermissionType"]["numbers"]
    numbers.pop("PERMISSION_TYPE_UNSPECIFIED")
    assert {right.wire_name: int(right) for right in Right} == numbers


def test_each_right_is_shown_as_recorded():
    """Name and scope mask of each right are what clients of the original see."""
    seen = {p["id"]: p for role in recorded_roles() for p in role["permissions"]}
    assert len(seen) == len(Right)
    for right in Right:
        shown = seen[right.wire_name]
        assert describe(right).name == shown["name"]
        assert shown["scopeTypeMask"] == {"cluster": True, "workspace": right not in GLOBAL_ONLY}


def test_each_right_has_a_title_of_its_own():
    """No two rights read the same."""
    assert len({describe(right).title for right in Right}) == len(Right)


def test_rights_on_others_things_are_rights_in_no_other_role():
    """The right on things of others never has a counterpart itself, so the step is taken once."""
    assert not set(OF_OTHERS) & set(OF_OTHERS.values())


def test_what_can_be_granted_per_workspace_says_what_shows_the_thing():
    """Rights of the whole cluster hide nothing; the others name a right to view, which names itself."""
    without = set(Right) - set(VIEW_OF)
    assert without == GLOBAL_ONLY | {Right.VIEW_GLOBAL_CONFIG_POLICIES}
    assert all(VIEW_OF[view] is view for view in VIEW_OF.values())
