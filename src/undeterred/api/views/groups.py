"""Groups as clients see them."""

from collections.abc import Iterable
from typing import Any

from undeterred.api.views.users import user_message
from undeterred.wire import messages as m


def group_details(row: Any, members: Iterable[Any]) -> m.GroupDetails:
    """A row of `groups` with rows of its users."""
    return m.GroupDetails(group_id=row.id, name=row.name, users=[user_message(user) for user in members])


def group_found(row: Any) -> m.GroupSearchResult:
    """A group in a list, with the number of its members."""
    return m.GroupSearchResult(group=m.Group(group_id=row.id, name=row.name), num_members=row.num_members)
