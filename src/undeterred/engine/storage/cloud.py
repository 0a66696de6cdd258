"""A checkpoint storage in an object store (`s3`, `gcs`, `azure`), through fsspec and its plug-in for the kind.

The harness stores a file under `<prefix>/<uuid>/<path>` and a folder as an empty object whose name ends in a slash.
"""

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from importlib import import_module
from typing import Any, BinaryIO

from undeterred.base.errors import Failure, Invalid, Unsupported
from undeterred.engine.storage.base import Entry, Unreachable

_BLOCK = 4 * 1024 * 1024
"""Bytes that are fetched at once."""
_PLUGINS = {"s3": "s3fs", "gcs": "gcsfs", "azure": "adlfs"}


@contextlib.contextmanager
def _reaching(name: str) -> Iterator[None]:
    """Whatever a plug-in raises becomes Unreachable: each has exceptions of its own."""
    try:
        yield
    except Failure:
        raise
    except Exception as error:
        raise Unreachable(f"{name}: {type(error).__name__}: {error}") from error


class CloudStorage:
    """`root` is bucket and prefix, `files` an fsspec file system."""

    def __init__(self, files: Any, root: str, name: str) -> None:
        self._files = files
        self._root = root
        self.name = name
        """For messages."""
        self.at_once = 1000
        """Objects that are removed in one call, as many as S3 allows."""

    def entries(self, folder: str) -> list[Entry] | None:
        """See `Storage`. Folders that nobody stored an object for are listed, too."""
        with _reaching(self.name):
            found = [self._entry(folder, name, info) for name, info in self._found(folder).items()]
        listed = {entry.path: entry for entry in found if entry.path.strip("/")}
        for entry in list(listed.values()):
            parts = entry.path.rstrip("/").split("/")
            for depth in range(1, len(parts)):
                above = "/".join(parts[:depth]) + "/"
                listed.setdefault(above, Entry(above))
        return [listed[path] for path in sorted(listed)] if found else None

    @contextlib.contextmanager
    def open(self, folder: str, path: str) -> Iterator[BinaryIO]:
        """See `Storage`."""
        try:
            file = self._files.open(self._key(folder, path), "rb", block_size=_BLOCK, cache_type="readahead")
        except FileNotFoundError:
            raise
        except Exception as error:
            raise Unreachable(f"{self.name}: {type(error).__name__}: {error}") from error
        with file:
            yield file

    def delete(self, folder: str, paths: Collection[str]) -> None:
        """See `Storage`."""
        wanted = tuple(self._key(folder, path) for path in paths)
        folders = tuple(key for key in wanted if key.endswith("/"))
        with _reaching(self.name):
            self._remove([key for key in self._found(folder) if key in wanted or key.startswith(folders)])

    def delete_all(self, folder: str) -> None:
        """See `Storage`."""
        with _reaching(self.name):
            self._remove(list(self._found(folder)))

    def _found(self, folder: str) -> dict[str, Any]:
        """Every object below a folder, by its whole name."""
        found: dict[str, Any] = self._files.find(self._key(folder, ""), detail=True)
        return found

    def _remove(self, keys: list[str]) -> None:
        """Remove objects by their whole names. The plug-ins take a slash off the end of a name, so S3 is asked directly."""
        if hasattr(self._files, "call_s3"):
            bucket = self._root.partition("/")[0]
            for start in range(0, len(keys), self.at_once):
                objects = [{"Key": key.removeprefix(bucket + "/")} for key in keys[start : start + self.at_once]]
                answer = self._files.call_s3("delete_objects", Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
                if answer.get("Errors"):
                    raise OSError(f"{len(answer['Errors'])} objects are left, the first because of {answer['Errors'][0]}")
            return
        files = [key for key in keys if not key.endswith("/")]
        if files:
            self._files.rm(files)
        for key in keys:
            if key.endswith("/"):
                with contextlib.suppress(FileNotFoundError):
                    self._files.rm_file(key)

    def _key(self, folder: str, path: str) -> str:
        return "/".join(part for part in (self._root, folder) if part) + "/" + path

    def _entry(self, folder: str, name: str, info: Mapping[str, Any]) -> Entry:
        path = name.removeprefix(self._key(folder, ""))
        if info.get("type") == "directory" and not path.endswith("/"):
            path += "/"
        when = info.get("LastModified") or info.get("last_modified") or info.get("mtime")
        mtime = when.timestamp() if isinstance(when, datetime) else 0.0
        return Entry(path, 0 if path.endswith("/") else int(info.get("size") or 0), mtime)


def open_cloud(config: Mapping[str, Any], load: Callable[[str], Any] = import_module) -> CloudStorage:
    """The object store of a configuration; raises Invalid for one that is none, Unsupported without the plug-in.

    `load` imports fsspec.
    """
    kind = str(config.get("type") or "")
    if kind not in _PLUGINS:
        raise Invalid(f"checkpoint_storage.type: {kind[:40]!r} is not one of directory, shared_fs, {', '.join(_PLUGINS)}")
    root = str(config.get("container" if kind == "azure" else "bucket") or "").strip("/")
    if kind != "azure":
        root = "/".join(part for part in (root, _prefix(config.get("prefix"))) if part)
    return CloudStorage(_file_system(load, kind, _options(kind, config)), root, f"storage {kind}://{root}")


def _options(kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    if kind == "s3":
        options = {
            "key": config.get("access_key"),
            "secret": config.get("secret_key"),
            "endpoint_url": config.get("endpoint_url"),
        }
    elif kind == "azure":
        options = {name: config.get(name) for name in ("connection_string", "account_url", "credential")}
    else:
        options = {}
    return {name: value for name, value in options.items() if value}


def _file_system(load: Callable[[str], Any], kind: str, options: Mapping[str, Any]) -> Any:
    try:
        protocol = {"azure": "az"}.get(kind, kind)
        return load("fsspec").filesystem(protocol, skip_instance_cache=True, use_listings_cache=False, **options)
    except ImportError as error:
        raise Unsupported(f"{kind} storages need {_PLUGINS[kind]}: install undeterred[storage]") from error


def _prefix(prefix: Any) -> str:
    """A prefix as the harness reads it: without `.` and doubled slashes; raises Invalid for one with `..`."""
    names = [name for name in str(prefix or "").split("/") if name not in ("", ".")]
    if ".." in names:
        raise Invalid(f"checkpoint_storage.prefix: {str(prefix)[:80]!r} must not hold '..'")
    return "/".join(names)
