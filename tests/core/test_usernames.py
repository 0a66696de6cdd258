"""Names of users."""

import pytest

from undeterred.base.errors import Invalid
from undeterred.core.usernames import MAX_LENGTH, check_new_username, check_username


@pytest.mark.parametrize(
    "name", ["ann", "Ann B", "a" * MAX_LENGTH, "o'neil@example.com", "admin", "5", "CORP\\ann", "a?b#c%d", ".a", "..."]
)
def test_printable_ascii_is_allowed(name: str) -> None:
    """Blanks, capitals and punctuation are fine."""
    check_username(name)


@pytest.mark.parametrize("name", ["", "   ", "jürgen", "a\x00b", "a\nb", "a" * (MAX_LENGTH + 1), "😀", "a/b", "/", ".", ".."])
def test_other_names_are_refused(name: str) -> None:
    """Empty, blank, non-ASCII, control characters, too long, no step of a path."""
    with pytest.raises(Invalid):
        check_username(name)


@pytest.mark.parametrize("name", ["admin", "determined"])
def test_nobody_is_renamed_to_a_first_user(name: str) -> None:
    """The two names are reserved; other spellings are not."""
    with pytest.raises(Invalid):
        check_new_username(name)
    check_new_username(name.upper())
