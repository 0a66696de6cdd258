"""Context directories: packing what a request carries into one archive, and looking into archives without unpacking them."""

import gzip
import io
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from undeterred.base.errors import Invalid, NotFound
from undeterred.launch.context import checked_path
from undeterred.launch.spec import ContextFile

LIMIT = 95 * 1024 * 1024
"""Bytes of all files of a context together, the limit of the client."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder of a context."""

    path: str
    is_dir: bool
    size: int
    mtime: int
    """Seconds since 1970."""


def pack(files: Iterable[ContextFile]) -> bytes:
    """A tar.gz of the files, the same bytes for the same files. Raises Invalid for paths that lead outside and for too much."""
    listed = list(files)
    size = sum(len(file.content) for file in listed)
    if size > LIMIT:
        raise Invalid(f"the context directory holds {size / 2**20:.1f} MB, the limit is {LIMIT // 2**20} MB")
    raw = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, compresslevel=4) as zipped,
        tarfile.open(fileobj=zipped, mode="w|") as tar,
    ):
        for file in listed:
            _add(tar, file)
    return raw.getvalue()


def _add(tar: tarfile.TarFile, file: ContextFile) -> None:
    name = checked_path(file.path)
    if name == ".":
        return
    info = tarfile.TarInfo(name)
    info.mtime, info.mode = file.mtime, file.mode & 0o777
    if file.type == ord("5"):
        info.type = tarfile.DIRTYPE
        tar.addfile(info)
    elif file.type == ord("2"):
        info.type, info.linkname = tarfile.SYMTYPE, file.content.decode("utf-8", "replace")
        tar.addfile(info)
    elif file.type in (0, ord("0")):
        info.size = len(file.content)
        tar.addfile(info, io.BytesIO(file.content))
    else:
        raise Invalid(f"context: {file.path[:200]!r} is neither a file, a directory nor a symbolic link")


def entries(archive: bytes) -> list[Entry]:
    """What an archive holds, by path, with the folders that are only named by their files."""
    found: dict[str, Entry] = {}
    for member in _members(archive):
        name = member.name.strip("/")
        found[name] = Entry(name, member.isdir(), member.size, int(member.mtime))
        parent = name.rpartition("/")[0]
        while parent and parent not in found:
            found[parent] = Entry(parent, True, 0, int(member.mtime))
            parent = parent.rpartition("/")[0]
    return [found[name] for name in sorted(found)]


def read_file(archive: bytes, path: str) -> bytes:
    """One file of an archive; links are not followed. Raises NotFound, or Invalid for a folder or a path leading outside."""
    wanted = checked_path(path)
    if not path or wanted == ".":
        raise Invalid("path: required, the path of a file inside the context directory")
    if archive:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:*") as tar:
            for member in tar:
                if member.name.strip("/") == wanted:
                    stream = tar.extractfile(member) if member.isreg() else None
                    if stream is None:
                        raise Invalid(f"{path[:200]!r} is not a file")
                    return stream.read()
    raise NotFound(f"the context directory holds no file {path[:200]!r}")


def _members(archive: bytes) -> Iterator[tarfile.TarInfo]:
    if not archive:
        return
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:*") as tar:
        yield from tar
