"""Whether a workspace or a project may be changed."""

import pytest

from undeterred.base.errors import Refused
from undeterred.core.spaces import DELETE_FAILED, DELETING, check_open


def test_what_is_built_in_archived_or_going_is_closed() -> None:
    """And says which of them; one whose deletion failed is open."""
    for fields, word in (({"immutable": True}, "built in"), ({"archived": True}, "archived"), ({"state": DELETING}, "deleted")):
        with pytest.raises(Refused, match=f"project 7 .*{word}"):
            check_open("project 7", **fields)  # type: ignore[arg-type]
    check_open("project 7", state=DELETE_FAILED)
