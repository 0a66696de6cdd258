"""Clocks for tests."""

from undeterred.base.clock import SECOND, Micros


class Hands:
    """A clock that stands still until it is moved by hand."""

    def __init__(self, time: Micros = 10**15) -> None:
        self.time = time

    def now(self) -> Micros:
        """The time it was set to."""
        return self.time

    def monotonic(self) -> float:
        """The same in seconds."""
        return self.time / SECOND
