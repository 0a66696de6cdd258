"""Regular expressions written by users, matched against every line of a log: none may take long, whatever it is.

They are meant for RE2, which needs time in proportion to the text. Python's engine tries alternatives one after the other, so
patterns in which a repetition repeats something that can match in several ways are refused, and only the first part of a very
long line is looked at.
"""

import re
import re._constants as c  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from undeterred.base.errors import Invalid

LOOKED_AT = 2000
"""Characters of a line in which a pattern is searched."""
LONGEST = 2000
"""Characters of a pattern."""

_REPEATS = frozenset({c.MAX_REPEAT, c.MIN_REPEAT, c.POSSESSIVE_REPEAT})
_UNSUPPORTED = {c.GROUPREF: "back references", c.ASSERT: "look-around", c.ASSERT_NOT: "look-around"}


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern."""

    text: str
    _compiled: re.Pattern[str]

    def found_in(self, line: str) -> bool:
        """Whether it matches somewhere in the line."""
        return self._compiled.search(line[:LOOKED_AT]) is not None


@lru_cache(maxsize=1024)
def compile_pattern(text: str) -> Pattern:
    """A pattern in RE2's syntax as far as Python shares it. Raises Invalid, saying what is wrong with it."""
    if len(text) > LONGEST:
        raise Invalid(f"the regular expression has {len(text)} characters; at most {LONGEST} are allowed")
    python = text.replace(r"\z", r"\Z")
    try:
        compiled = re.compile(python)
        _check(parser.parse(python), text, inside=False)
    except (re.error, RecursionError, OverflowError) as error:
        raise Invalid(f"{text[:100]!r} is not a regular expression: {error}") from None
    return Pattern(text, compiled)


def _check(tree: Any, text: str, *, inside: bool) -> None:
    """Refuse a repetition inside a repetition, or an alternative inside one, both without an upper bound."""
    for operation, argument in tree:
        if operation in _UNSUPPORTED:
            raise Invalid(f"the regular expression {text[:100]!r} uses {_UNSUPPORTED[operation]}, which is not supported")
        if operation in _REPEATS:
            _, most, body = argument
            many = most is c.MAXREPEAT or most > 100
            if inside and many:
                raise Invalid(f"the regular expression {text[:100]!r} repeats a repetition, which can take for ever")
            _check(body, text, inside=inside or many)
        elif operation is c.BRANCH:
            if inside:
                raise Invalid(f"the regular expression {text[:100]!r} repeats alternatives, which can take for ever")
            for branch in argument[1]:
                _check(branch, text, inside=inside)
        elif operation is c.SUBPATTERN:
            _check(argument[-1], text, inside=inside)
