"""Settings from a file's text, the environment and flags, the later winning over the earlier.

Errors are `Invalid` and name the key and where it came from. Unknown keys of the file, of flags and of `UNDETERRED_*` are
refused; of `DET_*` only names of master keys are read, the rest belongs to the client (`DET_MASTER`, `DET_USER`, ...).
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from undeterred.base.errors import Invalid
from undeterred.base.settings import Own, Secret, Settings

_ENVIRONMENT_WORDS = {"UNDETERRED_INITIAL_PASSWORD": ("security", "initial_user_password"), "UNDETERRED_DB": ("db_url",)}
_CLIENT_ONLY = {"MASTER", "USER", "PASS", "DEBUG"}
_CHOICES: dict[tuple[str, ...], tuple[str, ...]] = {
    ("security", "authz", "type"): ("basic", "rbac"),
    ("undeterred", "durability"): ("normal", "full"),
    ("undeterred", "isolation"): ("process", "namespace"),
    ("log", "level"): ("trace", "debug", "info", "warn", "warning", "error", "fatal"),
}


def load(
    file_text: str | None,
    environment: Mapping[str, str],
    flags: Mapping[str, Any],
    parse_yaml: Callable[[str], Any],
) -> Settings:
    """Build the settings; `flags` maps dotted keys ("undeterred.host", "port") to values, None meaning not given."""
    tree: dict[str, Any] = {}
    if file_text is not None:
        try:
            parsed = parse_yaml(file_text)
        except Exception as error:
            raise Invalid(f"configuration file: not valid YAML: {error}") from None
        if parsed is not None and not isinstance(parsed, dict):
            raise Invalid("configuration file: the top level must be a mapping of keys to values")
        tree = _merged({}, parsed or {})
        _convert(tree, "configuration file")
    _apply_environment(tree, environment, parse_yaml)
    for key, value in flags.items():
        if value is not None:
            _put(tree, tuple(key.split(".")), value)
    settings = _convert(tree, "settings")
    for path, allowed in _CHOICES.items():
        value = _get(settings, path)
        if value not in allowed:
            raise Invalid(f"settings: {'.'.join(path)}: {value!r} is not one of {', '.join(allowed)}")
    if (settings.undeterred.slots or 0) < 0:
        raise Invalid(f"settings: undeterred.slots: {settings.undeterred.slots} is not 0 or more")
    if not 0 <= settings.port <= 65535:
        raise Invalid(f"settings: port: {settings.port} is not between 0 and 65535")
    return _in_present_places(settings)


def _in_present_places(settings: Settings) -> Settings:
    """Older files name the scheduler at the top, and the pools inside the resource manager."""
    manager = dict(settings.resource_manager)
    pools = settings.resource_pools or manager.pop("resource_pools", None) or []
    if settings.scheduler:
        manager.setdefault("scheduler", settings.scheduler)
    return msgspec.structs.replace(settings, resource_manager=manager, resource_pools=pools)


def _apply_environment(tree: dict[str, Any], environment: Mapping[str, str], parse_yaml: Callable[[str], Any]) -> None:
    master_keys = {field.encode_name for field in msgspec.structs.fields(Settings)}
    own_keys = {field.encode_name for field in msgspec.structs.fields(Own)}
    for name in sorted(environment):
        if name in _ENVIRONMENT_WORDS:
            _put(tree, _ENVIRONMENT_WORDS[name], environment[name])
        elif name.startswith("UNDETERRED_"):
            key = name.removeprefix("UNDETERRED_").lower()
            if key in own_keys:
                _put(tree, ("undeterred", key), _typed(environment[name], parse_yaml))
            elif key.split("__")[0] in master_keys:
                _put(tree, tuple(key.split("__")), _typed(environment[name], parse_yaml))
            else:
                raise Invalid(f"environment: {name} is no setting of this server")
        elif name.startswith("DET_") and name[4:] not in _CLIENT_ONLY:
            key = name[4:].lower()
            path = next((p for p in _determined_paths() if "_".join(p) == key), None)
            if path is not None:
                _put(tree, path, _typed(environment[name], parse_yaml))


def _determined_paths() -> list[tuple[str, ...]]:
    """Paths of the master keys that Determined reads from `DET_<KEY>` (nested keys joined by "_")."""
    paths: list[tuple[str, ...]] = []
    for field in msgspec.structs.fields(Settings):
        if field.encode_name in ("undeterred", "db_url"):
            continue
        kind = field.type
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            paths.extend((field.encode_name, inner.encode_name) for inner in msgspec.structs.fields(kind))
        elif kind in (str, int, bool):
            paths.append((field.encode_name,))
    return paths


def _typed(text: str, parse_yaml: Callable[[str], Any]) -> Any:
    """An environment value as YAML reads it; a text that is no YAML stays a text."""
    try:
        return parse_yaml(text) if text else ""
    except Exception:
        return text


def _convert(tree: dict[str, Any], source: str) -> Settings:
    unknown = _unknown(tree, Settings)
    if unknown:
        raise Invalid(f"{source}: unknown key{'s' if len(unknown) > 1 else ''} {', '.join(unknown)}")
    try:
        return msgspec.convert(tree, Settings, dec_hook=_secret)
    except msgspec.ValidationError as error:
        raise Invalid(f"{source}: {_readable(str(error))}") from None


def _unknown(tree: dict[str, Any], kind: type[msgspec.Struct]) -> list[str]:
    """Dotted names of all keys that no setting has, in the order of the file."""
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    found = []
    for key, value in tree.items():
        inner = fields.get(key)
        if inner is None:
            found.append(str(key)[:100])
        elif isinstance(value, dict) and isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            found += [f"{key}.{name}" for name in _unknown(value, inner)]
    return found


def _secret(kind: type, value: Any) -> Any:
    if kind is Secret and isinstance(value, str):
        return value if isinstance(value, Secret) else Secret(value)
    raise ValueError("Expected `str`")


def _readable(message: str) -> str:
    """msgspec's message with the key first and without its `$`."""
    text, _, path = message.partition(" - at `$")
    key = path.rstrip("`").lstrip(".")
    return f"{key}: {text}" if key else text


def _merged(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    result = dict(low)
    for key, value in high.items():
        below = result.get(key)
        if value is None and isinstance(key, str):
            continue
        result[key] = _merged(below if isinstance(below, dict) else {}, value) if isinstance(value, dict) else value
    return result


def _put(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
    tree[path[-1]] = value


def _get(settings: Settings, path: tuple[str, ...]) -> Any:
    value: Any = settings
    for part in path:
        value = getattr(value, part)
    return value
