"""Running an automaton over a text: its possible steps are followed all at once, so that no text makes it slow.

Sets of steps that were met before are remembered with what each character leads to; then a character costs one look-up.
"""

from bisect import bisect_right

from undeterred.base.errors import Invalid
from undeterred.core.regex.program import MATCH, Program, assemble, required_text
from undeterred.core.regex.syntax import PatternError, parse

MAX_PATTERN = 1_000
MAX_LINE = 65_536
_MAX_REMEMBERED = 20_000
_MAX_WORK = 500_000

# What stands before or after a place.
_EDGE, _NEWLINE, _WORD, _OTHER = range(4)


class _State(dict[str, "_State"]):
    """A set of steps at some place, with what stands before it; character -> the next state."""

    __slots__ = ("before", "steps")

    def __init__(self, steps: frozenset[int], before: int) -> None:
        super().__init__()
        self.steps = steps
        self.before = before


class Pattern:
    """A compiled pattern; may be used from several threads (what one forgets or learns twice does not matter)."""

    def __init__(self, text: str, program: Program, required: str) -> None:
        self.text = text
        self._program = program
        self._required = required
        self._found = _State(frozenset(), _OTHER)
        self._forget()

    def search(self, line: str) -> bool:
        """Whether the pattern matches anywhere in `line`, of which the first 65,536 characters are looked at.

        A pattern built to have endless states is given up on a line that brings out too many new ones: no match.
        """
        if self._required not in line:
            return False
        state, patience = self._start, max(200, _MAX_WORK // len(self._program.steps))
        for char in line[:MAX_LINE]:
            following = state.get(char)
            if following is None:
                if not patience:
                    return False
                patience -= 1
                following = self._learn(state, char)
            if following is self._found:
                return True
            state = following
        return self._closure(state.steps, state.before, _EDGE)[1]

    def _forget(self) -> None:
        self._states: dict[tuple[frozenset[int], int], _State] = {}
        self._remembered = 0
        self._start = self._state(frozenset((self._program.start,)), _EDGE)

    def _state(self, steps: frozenset[int], before: int) -> _State:
        known = self._states.get((steps, before))
        if known is None:
            known = self._states[steps, before] = _State(steps, before)
        return known

    def _learn(self, state: _State, char: str) -> _State:
        if self._remembered >= _MAX_REMEMBERED:
            self._forget()
        self._remembered += 1
        kind, code = _kind(char), ord(char)
        readers, matched = self._closure(state.steps, state.before, kind)
        if matched:
            following = self._found
        else:
            steps = {step.out for step in map(self._program.steps.__getitem__, readers) if bisect_right(step.bounds, code) % 2}
            following = self._state(frozenset(steps | {self._program.start}), kind)
        state[char] = following
        return following

    def _closure(self, steps: frozenset[int], before: int, after: int) -> tuple[list[int], bool]:
        """The steps that read a character, reached without reading one at this place; and whether the match is reached."""
        todo, seen, readers = list(steps), set(steps), []
        while todo:
            number = todo.pop()
            if number == MATCH:
                return [], True
            step = self._program.steps[number]
            if step.bounds:
                readers.append(number)
                continue
            if step.place and not _is_at(step.place, before, after):
                continue
            for following in (step.out, step.other):
                if following >= 0 and following not in seen:
                    seen.add(following)
                    todo.append(following)
        return readers, False


def compile_pattern(text: str) -> Pattern:
    """A pattern ready to search lines. Raises Invalid saying what is wrong with it."""
    if len(text) > MAX_PATTERN:
        raise Invalid(f"a pattern must not be longer than {MAX_PATTERN} characters")
    try:
        tree = parse(text)
        return Pattern(text, assemble(tree), required_text(tree))
    except PatternError as error:
        raise Invalid(f'"{text[:100]}" is not a valid regular expression: {error}') from None


def _kind(char: str) -> int:
    if char == "\n":
        return _NEWLINE
    return _WORD if char == "_" or (char.isascii() and char.isalnum()) else _OTHER


def _is_at(place: str, before: int, after: int) -> bool:
    if place == "text start":
        return before == _EDGE
    if place == "text end":
        return after == _EDGE
    if place == "line start":
        return before in (_EDGE, _NEWLINE)
    if place == "line end":
        return after in (_EDGE, _NEWLINE)
    return ((before == _WORD) != (after == _WORD)) == (place == "word edge")
