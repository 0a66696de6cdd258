"""What may be shown of a configuration: secrets become stars."""

import copy
from collections.abc import Mapping
from typing import Any

from undeterred.core.config.checks import missing, read
from undeterred.core.config.kinds import Tree, fields_of
from undeterred.core.config.parse import plain
from undeterred.core.config.problems import Problems
from undeterred.core.config.rules import azure_complete
from undeterred.core.config.schema import REGISTRY_SECRETS, STORAGE

STARS = "********"
STORAGE_SECRETS = ("access_key", "secret_key", "connection_string", "credential")
_ROOT = "<checkpoint_storage>"


def read_storage(tree: Mapping[str, Any]) -> Tree:
    """A checkpoint storage on its own (of a workspace, of the server) in canonical form.

    Raises Invalid with all mistakes, one per line, also when it names no type or lacks what its type needs.
    """
    problems = Problems("invalid checkpoint storage")
    storage = read(STORAGE, plain(tree), _ROOT, problems) or {}
    missing(STORAGE, storage, _ROOT, problems)
    for below, message in azure_complete(storage):
        problems.add_new(_ROOT + below, message)
    problems.raise_if_any()
    return dict(storage)


def mask_storage(storage: Mapping[str, Any]) -> Tree:
    """A checkpoint storage with stars for its secrets; keys without a value stay as they are."""
    return {key: STARS if key in STORAGE_SECRETS and value is not None else value for key, value in storage.items()}


def show_storage(storage: Mapping[str, Any]) -> Tree:
    """The storage of a workspace as it is shown: every key of its type, null where nothing was set, stars for secrets."""
    shown = {key: storage.get(key) for key, field in fields_of(STORAGE, storage).items() if not field.ignored}
    return mask_storage(dict(sorted(shown.items())))


def mask_experiment(config: Mapping[str, Any]) -> Tree:
    """A copy of an experiment's configuration with stars for secrets.

    Those are the keys of the storage, the credentials of the image registry, the tokens of Pachyderm, and every value under
    `data.secrets`.
    """
    masked: Tree = copy.deepcopy(dict(config))
    storage = masked.get("checkpoint_storage")
    if isinstance(storage, dict):
        masked["checkpoint_storage"] = mask_storage(storage)
    _star(masked, ("environment", "registry_auth"), REGISTRY_SECRETS)
    for section in ("dataset", "pachd"):
        _star(masked, ("integrations", "pachyderm", section), ("token",))
    _star(masked, ("data", "secrets"), None)
    return masked


def mask_task(config: Mapping[str, Any]) -> Tree:
    """A copy of a task's configuration with stars for the credentials of the image registry."""
    masked: Tree = copy.deepcopy(dict(config))
    _star(masked, ("environment", "registry_auth"), REGISTRY_SECRETS)
    return masked


def _star(tree: Tree, path: tuple[str, ...], keys: tuple[str, ...] | None) -> None:
    """Put stars over the set values under some keys (None: all keys) of the object at `path`, if there is one."""
    inner: Any = tree
    for name in path:
        inner = inner.get(name) if isinstance(inner, dict) else None
    if isinstance(inner, dict):
        for key, value in inner.items():
            if value is not None and (keys is None or key in keys):
                inner[key] = STARS
