"""The order of the queue: priority, position within the priority, submission of the job, then the request's own time."""

from collections.abc import Iterable, Mapping

from undeterred.core.schedule.model import Group, Request


def group_ranks(groups: Iterable[Group]) -> dict[str, int]:
    """Group id to its place in the queue, 0 first. Ids break ties, so any order of input gives the same ranks."""
    ordered = sorted(groups, key=lambda group: (group.priority, group.position, group.submitted, group.id))
    return {group.id: rank for rank, group in enumerate(ordered)}


def ordered(requests: Iterable[Request], ranks: Mapping[str, int]) -> list[Request]:
    """Requests, the next to start first."""
    return sorted(requests, key=lambda request: (ranks[request.group_id], request.requested, request.allocation_id))
