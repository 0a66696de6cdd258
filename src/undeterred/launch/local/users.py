"""Unix users of tasks: who a task runs as, and whether that user can reach its folder."""

import contextlib
import os
import pwd
import struct
from pathlib import Path

from undeterred.base.errors import Refused
from undeterred.base.struct import Struct
from undeterred.launch.spec import UnixUser

_ACL = "system.posix_acl_access"
_USER_OBJ, _USER, _GROUP_OBJ, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x10, 0x20
_NOBODY = 0xFFFFFFFF
_ENTRY = struct.Struct("<HHI")


class Identity(Struct, frozen=True):
    """The user that a task runs as."""

    login: str
    home: str
    root: bool
    uid: int | None = None
    """None: the server's own user, nothing to change."""
    gid: int | None = None
    groups: tuple[int, ...] | None = None


def identity(wanted: UnixUser | None, home_fallback: str) -> tuple[Identity, str]:
    """Whom a task runs as, and a warning when that is not who was wanted (only root can start processes of others)."""
    me = os.geteuid()
    if wanted is None or (wanted.uid == me and wanted.gid == os.getegid()):
        return Identity(_login(me), _home(me, home_fallback), me == 0), ""
    if me != 0:
        return Identity(_login(me), _home(me, home_fallback), False), f"runs as {_login(me)}, not as {wanted.user or wanted.uid}"
    login = wanted.user or _login(wanted.uid)
    groups: tuple[int, ...] = (wanted.gid,)
    with contextlib.suppress(KeyError):
        if pwd.getpwnam(login).pw_uid == wanted.uid:
            groups = tuple(os.getgrouplist(login, wanted.gid))
    return Identity(login, _home(wanted.uid, home_fallback), wanted.uid == 0, wanted.uid, wanted.gid, groups), ""


def let_through(folder: Path, uid: int, inside: Path) -> None:
    """Let a user pass through `folder` and its parents without listing them: an access entry for nobody else.

    Only `inside` and what is below it is changed. Raises Refused when a folder cannot be opened that way.
    """
    inside = inside.resolve()
    for path in [*reversed(folder.resolve().parents), folder.resolve()]:
        if _can_pass(path, uid):
            continue
        reason = "it is not this server's"
        if path.is_relative_to(inside):
            try:
                _add_search_entry(path, uid)
                continue
            except OSError as error:
                reason = f"an access entry cannot be set: {error.strerror}"
        raise Refused(
            f"user {_login(uid)} cannot pass through {path} ({reason}): run 'chmod o+x {path}' or choose another data folder"
        )


def check_program(program: Path, uid: int) -> None:
    """Raises Refused when a user cannot reach a program (an interpreter below /root, say)."""
    path = program.resolve()
    closed = next((parent for parent in reversed(path.parents) if not _can_pass(parent, uid)), None)
    if closed is not None:
        raise Refused(f"user {_login(uid)} cannot run {path}, {closed} is closed to others: use an interpreter elsewhere")


def _can_pass(path: Path, uid: int) -> bool:
    """Whether the mode alone lets the user through, or an entry made earlier does."""
    status = path.stat()
    if uid == 0 or (status.st_uid == uid and status.st_mode & 0o100) or status.st_mode & 0o001:
        return True
    return any(tag == _USER and owner == uid and rights & 1 for tag, rights, owner in _acl(path))


def _acl(path: Path) -> list[tuple[int, int, int]]:
    try:
        raw = os.getxattr(path, _ACL)
    except (OSError, AttributeError):
        return []
    return [_ENTRY.unpack_from(raw, place) for place in range(4, len(raw), _ENTRY.size)]


def _add_search_entry(path: Path, uid: int) -> None:
    if not hasattr(os, "setxattr"):
        raise OSError(95, "not supported on this system")
    mode = path.stat().st_mode
    entries = _acl(path) or [
        (_USER_OBJ, mode >> 6 & 7, _NOBODY),
        (_GROUP_OBJ, mode >> 3 & 7, _NOBODY),
        (_OTHER, mode & 7, _NOBODY),
    ]
    mask = next((rights for tag, rights, _ in entries if tag == _MASK), mode >> 3 & 7) | 1
    kept = [entry for entry in entries if entry[0] != _MASK and (entry[0], entry[2]) != (_USER, uid)]
    ordered = sorted([*kept, (_USER, 1, uid), (_MASK, mask, _NOBODY)], key=lambda entry: (entry[0], entry[2]))
    os.setxattr(path, _ACL, struct.pack("<I", 2) + b"".join(_ENTRY.pack(*entry) for entry in ordered))


def _login(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _home(uid: int, fallback: str) -> str:
    try:
        home = pwd.getpwuid(uid).pw_dir
    except KeyError:
        return fallback
    return home if os.path.isdir(home) else fallback
