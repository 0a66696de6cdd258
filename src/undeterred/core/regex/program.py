"""A pattern as an automaton: numbered steps that read a character, branch, or ask for a place."""

from undeterred.base.struct import Struct
from undeterred.core.regex.charset import LAST, Ranges
from undeterred.core.regex.syntax import At, Chars, Choice, Node, PatternError, Repeat, Sequence

MAX_STEPS = 2_000

MATCH = 0
"""The step at which the pattern has matched."""


class Step(Struct):
    """Reads a character of `bounds`, or asks for `place`, then goes on at `out`; a branch goes on at `out` and `other`.

    `bounds` holds starts and ends (exclusive) of ranges by turns, so that an odd place in it means "inside".
    """

    bounds: tuple[int, ...] = ()
    place: str = ""
    out: int = MATCH
    other: int = -1


class Program(Struct, frozen=True):
    """The steps (number 0 is the match) and where they begin."""

    steps: tuple[Step, ...]
    start: int


def assemble(node: Node) -> Program:
    """The automaton of a tree. Raises PatternError when it would become too large."""
    builder = _Builder()
    start = builder.build(node, MATCH)
    return Program(tuple(builder.steps), start)


_NOTHING = (LAST + 1, LAST + 1)
"""Bounds that no character is in."""


class _Builder:
    def __init__(self) -> None:
        self.steps = [Step()]

    def add(self, step: Step) -> int:
        if len(self.steps) >= MAX_STEPS:
            raise PatternError(f"it is too large: more than {MAX_STEPS} steps, counting repetitions")
        self.steps.append(step)
        return len(self.steps) - 1

    def build(self, node: Node, after: int) -> int:
        """Steps for `node` that go on at `after`; where they begin."""
        if isinstance(node, Chars):
            return self.add(Step(bounds=_bounds(node.ranges), out=after))
        if isinstance(node, At):
            return self.add(Step(place=node.place, out=after))
        if isinstance(node, Sequence):
            for part in reversed(node.parts):
                after = self.build(part, after)
            return after
        if isinstance(node, Choice):
            entry = self.build(node.options[-1], after)
            for option in reversed(node.options[:-1]):
                entry = self.add(Step(out=self.build(option, after), other=entry))
            return entry
        return self.repeat(node, after)

    def repeat(self, node: Repeat, after: int) -> int:
        entry = after
        if node.high is None:
            entry = self.add(Step(other=after))
            self.steps[entry].out = self.build(node.part, entry)
        else:
            for _ in range(node.high - node.low):
                entry = self.add(Step(out=self.build(node.part, entry), other=after))
        for _ in range(node.low):
            entry = self.build(node.part, entry)
        return entry


def _bounds(ranges: Ranges) -> tuple[int, ...]:
    return tuple(bound for low, high in ranges for bound in (low, high + 1)) or _NOTHING


def required_text(node: Node) -> str:
    """The longest run of plain characters that every match holds: lines without it need no closer look."""
    best = run = ""
    for part in node.parts if isinstance(node, Sequence) else (node,):
        single = isinstance(part, Chars) and len(part.ranges) == 1 and part.ranges[0][0] == part.ranges[0][1]
        run = run + chr(part.ranges[0][0]) if single and isinstance(part, Chars) else ""
        best = max(best, run, key=len)
    return best
