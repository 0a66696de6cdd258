"""Unpacks a task's context directory, which is a stranger's archive, without ever leaving the target folder.

Refused: absolute paths, "..", entries below a link, links that lead outside, devices. Kept: contents, the permission bits
below 0o777, modification times.
"""

import io
import os
import shutil
import tarfile
from collections.abc import Iterable
from pathlib import Path

from undeterred.base.errors import Invalid
from undeterred.launch.spec import ContextFile


def checked_path(path: str) -> str:
    """`path` relative to the context, normalized; "." for the context itself. Raises Invalid when it would lead outside."""
    if path.startswith("/") or "\0" in path or ".." in path.split("/"):
        raise Invalid(f"context: {path[:200]!r} is not a path inside the context directory")
    return os.path.normpath(path) if path else "."


def checked_link(name: str, target: str) -> str:
    """Where the link `name` points, if that can be inside. Raises Invalid for an empty or absolute target."""
    if not target or target.startswith("/") or "\0" in target:
        raise link_outside(name, target)
    return target


def link_outside(name: str, target: str) -> Invalid:
    """What is said of a link that leads out of the context."""
    return Invalid(f"context: {name[:200]!r} is a link to {target[:200]!r}, outside the context directory")


def unpack(archive: bytes, target: Path) -> None:
    """Unpack a tar archive (gzip or plain; empty bytes are an empty context) into `target`.

    Raises Invalid for what is no archive or holds a refused entry; `target` is then half filled and must be thrown away.
    """
    if not archive:
        return
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:*") as tar:
            _unpack_members(tar, target)
    except (tarfile.TarError, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's fault, not the archive's
        raise Invalid(f"context: not a readable tar archive: {error}") from None
    _check_links(target)


def write_files(files: Iterable[ContextFile], target: Path) -> None:
    """Write a context given as a list into `target`; the same rules as `unpack`."""
    for entry in files:
        name = checked_path(entry.path)
        if entry.type == ord("5"):
            _make_folder(target, name, entry.mode)
        elif entry.type == ord("2"):
            _link(target, name, os.fsdecode(entry.content))
        elif entry.type in (0, ord("0")):
            _write(target, name, entry.content, entry.mode, entry.mtime)
        else:
            raise Invalid(f"context: {entry.path[:200]!r} is neither a file, a directory nor a symbolic link")
    _check_links(target)


def _unpack_members(tar: tarfile.TarFile, target: Path) -> None:
    for member in tar:
        name = checked_path(member.name)
        if member.isdir():
            _make_folder(target, name, member.mode)
        elif member.issym():
            _link(target, name, member.linkname)
        elif member.islnk():
            _copy(target, name, checked_path(member.linkname))
        elif member.isreg():
            stream = tar.extractfile(member)
            _write(target, name, stream.read() if stream else b"", member.mode, int(member.mtime))
        else:
            raise Invalid(f"context: {member.name[:200]!r} is neither a file, a directory nor a link")


def _below_folders(target: Path, name: str) -> Path:
    """The path of `name`, after its folders have been made; each of them is a real folder, not a link."""
    path = target
    for part in Path(name).parts[:-1]:
        path = path / part
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            raise Invalid(f"context: {name[:200]!r} lies below something that is no directory")
        path.mkdir(exist_ok=True)
    return target / name


def _place(target: Path, name: str) -> Path:
    """Where the file or link `name` goes; what stood there before is gone."""
    if name == ".":
        raise Invalid("context: an entry has no name")
    path = _below_folders(target, name)
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        raise Invalid(f"context: {name[:200]!r} is a directory and something else")
    return path


def _make_folder(target: Path, name: str, mode: int) -> None:
    if name == ".":
        return
    path = _below_folders(target, name)
    if path.is_symlink() or not path.is_dir():
        _place(target, name).mkdir()
    path.chmod(mode & 0o777 | 0o700)


def _write(target: Path, name: str, content: bytes, mode: int, mtime: int) -> None:
    path = _place(target, name)
    path.write_bytes(content)
    path.chmod(mode & 0o777 | 0o600)
    if 0 < mtime < 1 << 33:
        os.utime(path, (mtime, mtime))


def _copy(target: Path, name: str, source: str) -> None:
    """A hard link of the archive becomes a copy of the file unpacked earlier."""
    origin = target / source
    if origin.is_symlink() or not origin.is_file() or origin.resolve() != target.resolve() / source:
        raise Invalid(f"context: {name[:200]!r} is a link to {source[:200]!r}, which is no file of the context")
    if name != source:
        shutil.copy2(origin, _place(target, name))


def _link(target: Path, name: str, destination: str) -> None:
    _place(target, name).symlink_to(checked_link(name, destination))


def _check_links(target: Path) -> None:
    """Every link must end inside `target`, also by way of other links and whatever the order of the entries was."""
    root = target.resolve()
    for folder, folders, files in os.walk(target):
        for entry in folders + files:
            path = Path(folder, entry)
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(root):
                raise Invalid(f"context: {os.path.relpath(path, target)!r} is a link that leads outside the context directory")
