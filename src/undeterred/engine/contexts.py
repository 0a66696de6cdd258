"""Context directories: packing what a request carries into one archive, and looking into archives without unpacking them."""

import gzip
import io
import posixpath
import tarfile
from collections.abc import Iterable

from undeterred.base.errors import Invalid, NotFound
from undeterred.base.struct import Struct
from undeterred.launch.context import checked_link, checked_path, link_outside
from undeterred.launch.spec import ContextFile

LIMIT = 95 * 1024 * 1024
"""Bytes of all files of a context together, the limit of the client."""


class Entry(Struct, frozen=True):
    """A file or folder of a context."""

    path: str
    is_dir: bool
    size: int
    mtime: int
    """Seconds since 1970."""
    head: bytes = b""
    """The first 512 bytes of a file."""


def pack(files: Iterable[ContextFile]) -> bytes:
    """A tar.gz of the files, the same bytes for the same files.

    Raises Invalid for paths and links that lead outside, for what is neither file, directory nor link, and for too much.
    """
    listed = list(files)
    size = sum(len(file.content) for file in listed)
    if size > LIMIT:
        raise Invalid(f"the context directory holds {size / 2**20:.1f} MB, the limit is {LIMIT // 2**20} MB")
    raw = io.BytesIO()
    with gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, compresslevel=6) as zipped:
        for file in listed:
            name = checked_path(file.path)
            if name != ".":
                zipped.write(_member(name, file))
        zipped.write(bytes(2 * tarfile.BLOCKSIZE))
    return raw.getvalue()


def _member(name: str, file: ContextFile) -> bytes:
    """A file, folder or link as it stands in a tar archive."""
    if file.type == ord("5"):
        return _header(name, file, tarfile.DIRTYPE)
    if file.type == ord("2"):
        return _header(name, file, tarfile.SYMTYPE, link=_checked_link(name, file.content.decode("utf-8", "replace")))
    if file.type not in (0, ord("0")):
        raise Invalid(f"context: {file.path[:200]!r} is neither a file, a directory nor a symbolic link")
    size = len(file.content)
    return _header(name, file, tarfile.REGTYPE, size=size) + file.content + bytes(-size % tarfile.BLOCKSIZE)


def _checked_link(name: str, target: str) -> str:
    """Where a link points, if that is inside; ways out through other links are found when the context is unpacked."""
    end = posixpath.normpath(posixpath.join(posixpath.dirname(name), checked_link(name, target)))
    if end.split("/")[0] == "..":
        raise link_outside(name, target)
    return target


def _header(name: str, file: ContextFile, kind: bytes, *, size: int = 0, link: str = "") -> bytes:
    """The block before a member. The common short ones are written byte for byte as Determined's server does, which shows in
    the size of the archive that clients are told."""
    mode, mtime = file.mode & 0o7777777, max(file.mtime, 0)
    if not (name + link).isascii() or len(name) > 100 or len(link) > 100:
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.mtime, info.size, info.linkname = kind, mode, mtime, size, link
        return info.tobuf(tarfile.PAX_FORMAT)
    block = bytearray(tarfile.BLOCKSIZE)
    fields = (
        (0, name.encode()),
        (100, b"%07o" % mode),
        (108, b"0000000"),  # owner
        (116, b"0000000"),  # group
        (124, b"%011o" % size),
        (136, b"%011o" % mtime),
        (148, b" " * 8),
        (156, kind),
        (157, link.encode()),
        (257, tarfile.POSIX_MAGIC),
        (329, b"0000000"),  # device
        (337, b"0000000"),
    )
    for offset, value in fields:
        block[offset : offset + len(value)] = value
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def entries(archive: bytes) -> list[Entry]:
    """What an archive holds, in its order; folders that are only named by their files come before the first of those."""
    found: dict[str, Entry] = {}
    if archive:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:*") as tar:
            for member in tar:
                name = posixpath.normpath(member.name).strip("/")
                if name != ".":
                    _name_folders(found, name, int(member.mtime))
                    stream = tar.extractfile(member) if member.isreg() else None
                    head = stream.read(512) if stream is not None else b""
                    found[name] = Entry(name, member.isdir(), member.size, int(member.mtime), head)
    return list(found.values())


def _name_folders(found: dict[str, Entry], name: str, mtime: int) -> None:
    parts = name.split("/")[:-1]
    for depth in range(1, len(parts) + 1):
        folder = "/".join(parts[:depth])
        found.setdefault(folder, Entry(folder, True, 0, mtime))


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
