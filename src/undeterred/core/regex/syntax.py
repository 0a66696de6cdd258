"""The pattern language: RE2's syntax, parsed into a tree.

Literals, `.`, classes with ranges and POSIX names, `\\d \\w \\s` (ASCII) and their opposites, `\\p{Lu}` for general categories,
groups (named or not, with flags i, m, s, U), alternatives, repetition up to 1,000 times, `^ $ \\A \\z \\b \\B`, `\\Q...\\E`.
Look-around, back-references and possessive repetition do not exist.
"""

from undeterred.base.struct import Struct, replace
from undeterred.core.regex import charset
from undeterred.core.regex.charset import Ranges

MAX_REPEAT = 1000
MAX_DEPTH = 100


class PatternError(ValueError):
    """A pattern that cannot be read; the message says what is wrong and where."""


class Chars(Struct, frozen=True):
    """One character of a set."""

    ranges: Ranges


class Sequence(Struct, frozen=True):
    """Parts one after the other; none is the empty text."""

    parts: "tuple[Node, ...]"


class Choice(Struct, frozen=True):
    """One of several."""

    options: "tuple[Node, ...]"


class Repeat(Struct, frozen=True):
    """A part `low` to `high` times; without `high` any number."""

    part: "Node"
    low: int
    high: int | None


class At(Struct, frozen=True):
    """A place rather than a character: `text start`, `text end`, `line start`, `line end`, `word edge`, `no word edge`."""

    place: str


Node = Chars | Sequence | Choice | Repeat | At


class _Flags(Struct, frozen=True):
    fold: bool = False
    lines: bool = False
    dot_all: bool = False


_SIMPLE = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_SETS = {"d": charset.DIGITS, "w": charset.WORD, "s": charset.SPACE}
_PLACES = {"A": "text start", "z": "text end", "b": "word edge", "B": "no word edge"}


def parse(text: str) -> Node:
    """The tree of a pattern. Raises PatternError."""
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.flags = _Flags()
        self.depth = 0

    def fail(self, what: str) -> PatternError:
        return PatternError(f"{what} at character {self.at + 1}")

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self) -> str:
        if self.at >= len(self.text):
            raise self.fail("it ends too early")
        self.at += 1
        return self.text[self.at - 1]

    def skip(self, prefix: str) -> bool:
        found = self.text.startswith(prefix, self.at)
        self.at += len(prefix) if found else 0
        return found

    def whole(self) -> Node:
        node = self.choice()
        if self.at < len(self.text):
            raise self.fail("a ) without its (")
        return node

    def choice(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.fail(f"groups are nested more than {MAX_DEPTH} deep")
        flags = self.flags
        options = [self.sequence()]
        while self.skip("|"):
            options.append(self.sequence())
        self.flags = flags
        self.depth -= 1
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def sequence(self) -> Node:
        parts: list[Node] = []
        while self.peek() not in ("", "|", ")"):
            node = self.quoted() if self.skip("\\Q") else self.repeated(self.atom())
            parts.extend(node.parts if isinstance(node, Sequence) else (node,))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def quoted(self) -> Node:
        end = self.text.find("\\E", self.at)
        words, self.at = (self.text[self.at :], len(self.text)) if end < 0 else (self.text[self.at : end], end + 2)
        return Sequence(tuple(self.chars(((ord(char), ord(char)),)) for char in words))

    def chars(self, ranges: Ranges) -> Node:
        return Chars(charset.folded(ranges) if self.flags.fold else ranges)

    def repeated(self, node: Node) -> Node:
        counts = self.counts()
        if counts is None:
            return node
        self.skip("?")  # lazy or greedy makes no difference to whether a line matches
        if self.peek() in ("*", "+", "?") or self.counts() is not None:
            raise self.fail("a repetition of a repetition; put the inner one into a group")
        return Repeat(node, *counts)

    def counts(self) -> tuple[int, int | None] | None:
        for sign, counts in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self.skip(sign):
                return counts
        end = self.text.find("}", self.at)
        if self.peek() != "{" or end < 0:
            return None
        low, comma, high = self.text[self.at + 1 : end].partition(",")
        if not _is_count(low) or (comma and high and not _is_count(high)):
            return None  # a brace that says no number stands for itself
        least, most = int(low), int(high) if high else None if comma else int(low)
        if max(least, most or 0) > MAX_REPEAT or (most is not None and most < least):
            raise self.fail(f"a repetition must be between 0 and {MAX_REPEAT} times, the smaller number first,")
        self.at = end + 1
        return least, most

    def atom(self) -> Node:
        char = self.take()
        if char == "(":
            return self.group()
        if char == "[":
            return self.chars(self.char_class())
        if char == "\\":
            return self.escape()
        if char == ".":
            return Chars(((0, charset.LAST),) if self.flags.dot_all else charset.negated(((10, 10),)))
        if char == "^":
            return At("line start" if self.flags.lines else "text start")
        if char == "$":
            return At("line end" if self.flags.lines else "text end")
        if char in "*+?":
            self.at -= 1
            raise self.fail("nothing to repeat")
        return self.chars(((ord(char), ord(char)),))

    def group(self) -> Node:
        outer = self.flags
        if self.skip("?"):
            if self.skip("P<") or (
                self.peek() == "<" and self.text[self.at + 1 : self.at + 2] not in ("=", "!") and self.skip("<")
            ):
                self.name()
            elif self.flag_words():
                return Sequence(())
        node = self.choice()
        if not self.skip(")"):
            raise self.fail("a ( without its )")
        self.flags = outer
        return node

    def name(self) -> None:
        end = self.text.find(">", self.at)
        if end < 0 or not self.text[self.at : end].isidentifier():
            raise self.fail("a group's name must be letters, digits and _")
        self.at = end + 1

    def flag_words(self) -> bool:
        """Read `i)`, `i:` or `:` after `(?`; whether the flags stand alone and hold for the rest of the enclosing group."""
        value, flags = True, self.flags
        while (char := self.take()) not in (":", ")"):
            if char == "-" and value:
                value = False
            elif char == "i":
                flags = replace(flags, fold=value)
            elif char == "m":
                flags = replace(flags, lines=value)
            elif char == "s":
                flags = replace(flags, dot_all=value)
            elif char != "U":
                raise self.fail("an unknown kind of group (look-around, conditions and atomic groups do not exist)")
        self.flags = flags
        return char == ")"

    def escape(self) -> Node:
        char = self.peek()
        if char in _PLACES:
            self.at += 1
            return At(_PLACES[char])
        if char and char in "123456789" and self.text[self.at + 1 : self.at + 2] not in set("01234567"):
            raise self.fail("a back-reference, which does not exist,")
        return self.chars(self.escaped())

    def escaped(self) -> Ranges:
        """The characters that an escape stands for, inside and outside of classes; the backslash is read already."""
        char = self.take()
        if char.lower() in _SETS:
            return charset.negated(_SETS[char.lower()]) if char.isupper() else _SETS[char]
        if char in ("p", "P"):
            return self.category(opposite=char == "P")
        code = _SIMPLE.get(char)
        if char == "x":
            code = self.hexadecimal()
        elif char in "01234567":
            code = self.octal(char)
        elif code is None:
            if char.isalnum():
                raise self.fail(f"an unknown escape \\{char}")
            code = ord(char)
        return ((code, code),)

    def category(self, *, opposite: bool) -> Ranges:
        name = self.take()
        if name == "{":
            end = self.text.find("}", self.at)
            name, self.at = (self.text[self.at : end], end + 1) if end >= 0 else ("", self.at)
        opposite ^= name.startswith("^")
        found = charset.category(name.removeprefix("^")) if 1 <= len(name.removeprefix("^")) <= 2 else None
        if found is None:
            raise self.fail("an unknown character category (general ones such as L or Lu exist)")
        return charset.negated(found) if opposite else found

    def hexadecimal(self) -> int:
        if self.skip("{"):
            end = self.text.find("}", self.at)
            digits, self.at = (self.text[self.at : end], end + 1) if end >= 0 else ("", self.at)
        else:
            digits = self.take() + self.take()
        if not digits or set(digits) - set("0123456789abcdefABCDEF") or int(digits, 16) > charset.LAST:
            raise self.fail("a \\x must be followed by two hexadecimal digits, or by a code in braces;")
        return int(digits, 16)

    def octal(self, digits: str) -> int:
        while len(digits) < 3 and self.peek() and self.peek() in "01234567":
            digits += self.take()
        return int(digits, 8)

    def char_class(self) -> Ranges:
        opposite = self.skip("^")
        members: list[tuple[int, int]] = []
        first = True
        while first or self.peek() != "]":
            first = False
            members.extend(self.member())
        self.take()
        ranges = charset.union(members)
        if self.flags.fold:  # before the opposite is taken: [^a] excludes A, too
            ranges = charset.folded(ranges)
        return charset.negated(ranges) if opposite else ranges

    def member(self) -> Ranges:
        if self.skip("[:"):
            return self.posix()
        low = self.class_char()
        if not (self.peek() == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", "")):
            return low
        self.take()
        high = self.class_char()
        if len(low) != 1 or len(high) != 1 or low[0][0] != low[0][1] or high[0][0] != high[0][1] or high < low:
            raise self.fail("a range of characters must go from a lower to a higher one,")
        return ((low[0][0], high[0][0]),)

    def class_char(self) -> Ranges:
        char = self.take()
        return self.escaped() if char == "\\" else ((ord(char), ord(char)),)

    def posix(self) -> Ranges:
        opposite = self.skip("^")
        end = self.text.find(":]", self.at)
        found = charset.POSIX.get(self.text[self.at : end]) if end >= 0 else None
        if found is None:
            raise self.fail(f"an unknown class; classes are {', '.join(charset.POSIX)}")
        self.at = end + 2
        return charset.negated(found) if opposite else found


def _is_count(digits: str) -> bool:
    return digits.isascii() and digits.isdigit()
