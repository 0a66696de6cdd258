"""Counts the requests that were answered, by operation and status. For the event loop's thread."""

from bisect import bisect_left
from collections.abc import Iterator

from undeterred.base.struct import Struct, field

BOUNDS = (0.001, 0.005, 0.025, 0.1, 0.5, 2.0, 10.0)
"""Upper bounds, in seconds, of the classes of durations; beyond the last there is one more."""


class Durations(Struct):
    """How long the requests of one operation took."""

    classes: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0


class Counters:
    """Numbers since the start of the server."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, int], int] = {}
        self._durations: dict[str, Durations] = {}

    def add(self, operation: str, status: int, seconds: float) -> None:
        """Count one request; status 0 means that the client went away before its answer."""
        key = (operation, status)
        self._answers[key] = self._answers.get(key, 0) + 1
        durations = self._durations.get(operation)
        if durations is None:
            durations = self._durations[operation] = Durations()
        durations.classes[bisect_left(BOUNDS, seconds)] += 1
        durations.seconds += seconds

    def answers(self) -> Iterator[tuple[str, int, int]]:
        """Operation, status, number of requests."""
        for (operation, status), count in sorted(self._answers.items()):
            yield operation, status, count

    def durations(self) -> Iterator[tuple[str, Durations]]:
        """Operation and its durations."""
        yield from sorted(self._durations.items())
