"""Whether a workspace or a project may be changed."""

from undeterred.base.errors import Refused

DELETING = "DELETING"
"""Marked for deletion; a service removes what is inside, then the thing itself."""

DELETE_FAILED = "DELETE_FAILED"
"""The deletion was given up; the thing is as before except for what was removed already, and can be deleted again."""


def check_open(what: str, *, archived: bool = False, immutable: bool = False, state: str = "") -> None:
    """Raises Refused for a thing (`what` names it, such as "project 7") that is built in, archived or on its way out."""
    if immutable:
        raise Refused(f"{what} is built in and cannot be changed")
    if archived:
        raise Refused(f"{what} is archived; unarchive it first")
    if state == DELETING:
        raise Refused(f"{what} is being deleted")
