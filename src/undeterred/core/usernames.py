"""Which names a user may have. Users who got theirs before a rule was made keep it."""

from undeterred.base.errors import Invalid
from undeterred.core.names import check_no_step

RESERVED = ("admin", "determined")
"""The first users of every installation: nobody else may be renamed to one of these."""
MAX_LENGTH = 1_000
"""Characters of a user name."""


def check_username(name: str) -> None:
    """Raise `Invalid` unless `name` can be a user name: 1 to 1,000 printable ASCII characters, not all of them blank.

    Users are also found by name in a path, so it holds no slash, and is not "." or "..", which clients take for steps of a path.
    """
    if not name.strip():
        raise Invalid("username must not be empty")
    if len(name) > MAX_LENGTH:
        raise Invalid(f"username has {len(name)} characters; at most {MAX_LENGTH} are allowed")
    if not (name.isascii() and name.isprintable()):
        raise Invalid("username may hold printable ASCII characters only")
    if "/" in name:
        raise Invalid(f'username must not hold a slash, as users are also found by name in a path: "{name}"')
    check_no_step("username", name)


def check_new_username(name: str) -> None:
    """The same for a user that is renamed: the names of the first users are not given away."""
    check_username(name)
    if name in RESERVED:
        raise Invalid(f"no user can be renamed to {name}: that name stands for a user of every installation")
