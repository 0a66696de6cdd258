"""Checks of the names, keys and labels that people give to things (users: `usernames`). Lengths count characters."""

import re
from collections.abc import Callable, Iterable

from undeterred.base.errors import Invalid

LONGEST_NAME = 80
"""Characters in the name of a workspace or a project."""

LONGEST_KEY = 5
"""Characters in the key of a project."""

_KEY = re.compile(r"[A-Za-z0-9]{1,5}\Z")


def check_workspace_name(name: str) -> None:
    """1 to 80 characters, not only blanks; raises Invalid."""
    _check_length("workspace", name)
    if not name.strip():
        raise Invalid("the name of a workspace must not be blank")


def check_project_name(name: str) -> None:
    """1 to 80 characters; raises Invalid."""
    _check_length("project", name)


def _check_length(what: str, name: str) -> None:
    if not 1 <= len(name) <= LONGEST_NAME:
        raise Invalid(f"the name of a {what} has 1 to {LONGEST_NAME} characters, not {len(name)}")


def project_key(key: str) -> str:
    """The key of a project as it is stored, in capitals; raises Invalid unless it is 1 to 5 Latin letters or digits."""
    if not _KEY.match(key):
        raise Invalid(f'the key of a project is 1 to {LONGEST_KEY} letters (A to Z) or digits, not "{key}"')
    return key.upper()


def propose_project_key(name: str, choose: Callable[[str], str]) -> str:
    """A key for a project that was given none: three letters of its name and two more that `choose` picks from an alphabet."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    letters = [letter for letter in name.upper() if letter in alphabet][:3]
    return "".join([*letters, *(choose(alphabet) for _ in range(LONGEST_KEY - len(letters)))])


def check_experiment_name(name: str) -> None:
    """Any text that is not blank; raises Invalid."""
    if not name.strip():
        raise Invalid("the name of an experiment must not be blank")


def check_no_step(what: str, name: str) -> None:
    """Raises Invalid for "." and "..", which clients take for steps of a path; `what` begins the message."""
    if name in (".", ".."):
        raise Invalid(f'{what} must not be "{name}", which stands for a directory in a path')


def check_model_name(name: str) -> None:
    """Raises Invalid for a name that is blank, is a number (models are also found by id), or cannot stand in a path.

    Slashes, backslashes and two blanks in a row are not allowed, nor are the names "." and "..", which clients take for steps
    of a path; blanks at an end are.
    """
    if not name.strip():
        raise Invalid("the name of a model must not be blank")
    if name.isascii() and name.isdigit():
        raise Invalid(f'the name of a model must not be a number, as models are also found by number: "{name}"')
    check_no_step("the name of a model", name)
    for part, what in (("/", "a slash"), ("\\", "a backslash"), ("  ", "two blanks in a row")):
        if part in name:
            raise Invalid(f'the name of a model must not hold {what}: "{name}"')


def clean_labels(labels: Iterable[str]) -> list[str]:
    """Labels as a set: empty ones dropped, each once, in the order of their first appearance."""
    return list(dict.fromkeys(label for label in labels if label))


def storable(text: str) -> str:
    """The text without NUL characters, which not every database can hold."""
    return text.replace("\0", "")
