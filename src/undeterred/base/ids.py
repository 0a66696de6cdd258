"""Ids that are no plain counters: uuids, secrets, task and allocation ids, random names."""

import secrets
import uuid
from collections.abc import Callable


def new_uuid() -> str:
    """A random version 4 uuid in lower case."""
    return str(uuid.uuid4())


def is_uuid(text: str) -> bool:
    """Whether `text` is a uuid in its 36-character form."""
    try:
        return len(text) == 36 and str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def new_secret(size: int = 32) -> str:
    """An unguessable URL-safe text of `size` random bytes."""
    return secrets.token_urlsafe(size)


def trial_task_id(experiment_id: int, request_id: str, continued: int = 0) -> str:
    """Task id of a trial: `<experiment>.<request uuid>`, with `-<n>` after the n-th continue."""
    return f"{experiment_id}.{request_id}" + (f"-{continued}" if continued else "")


def allocation_id(task_id: str, run_number: int) -> str:
    """Allocation id: `<task>.<number of the run of that task>`."""
    return f"{task_id}.{run_number}"


_WORDS = (
    "amber brisk calm dapper eager fancy gentle happy icy jolly keen lucky mellow noble odd proud quick rapid shy tidy",
    "azure bright copper dusky emerald fair golden hazel ivory jade khaki lilac misty navy ochre pearl rosy silver teal warm",
    "badger crane dolphin eagle falcon gecko heron ibis jackal koala lemur marten newt otter panda quail raven seal tapir wren",
)


def random_name(choose: Callable[[list[str]], str] = secrets.choice) -> str:
    """Three random words joined by "-", for experiments and tasks without a name."""
    return "-".join(choose(words.split()) for words in _WORDS)
