"""What becomes of configuration options that mean a container when a task is a plain process.

Each is mapped to the nearest thing a process has, warned about in one line of the task's log, or refused. `OPTIONS` says
which, in words; the documentation is made from it.
"""

import os.path
from collections.abc import Iterator, Mapping
from typing import Any

from undeterred.base.errors import Invalid, Unsupported
from undeterred.base.struct import Struct
from undeterred.launch.spec import ContainerOptions

CONTAINER_WORK_DIR = "/run/determined/workdir"
"""Where a container has its work folder; paths below it mean the task's own work folder here."""

OPTIONS: dict[str, str] = {
    "environment.image": "warned: the task runs in the server's Python environment",
    "environment.registry_auth": "warned: no image is fetched",
    "environment.ports": "mapped: the task listens on the machine's own ports",
    "environment.proxy_ports": "mapped: the proxy reaches the machine's own ports",
    "environment.add_capabilities": "mapped when tasks run as root, who has them all; otherwise warned",
    "environment.drop_capabilities": "mapped for ordinary users, who have none; refused when the task would run as root",
    "bind_mounts": "mapped: a path inside the work folder becomes a link, an absolute path equal to the host's is just there; "
    "other absolute paths and read_only are warned about",
    "work_dir": "mapped: the task runs in that folder, made when missing; inside /run/determined/workdir it is in the "
    "task's own work folder",
    "resources.shm_size": "warned: shared memory is the machine's",
    "resources.devices": "mapped when both paths are equal, otherwise warned: a process sees the machine's devices",
    "agent user group": "mapped when the server runs as root; otherwise warned unless it is the server's own user",
}


class Mapped(Struct, frozen=True):
    """What the launcher does about the options."""

    links: tuple[tuple[str, str], ...] = ()
    """Pairs of a path relative to the work folder and the host path that it leads to."""
    work_dir: str | None = None
    """Where the task starts: relative to its work folder, or absolute; None is the work folder itself."""
    warnings: tuple[str, ...] = ()

    def note(self) -> str:
        """One line for the task's log; empty when there is nothing to warn about."""
        return "WARNING: not in a container: " + "; ".join(self.warnings) if self.warnings else ""


def apply(options: ContainerOptions, *, root: bool, names: Mapping[str, str] | None = None) -> Mapped:
    """Decide about every option; `root`: the task will run as root; `names`: values of `$NAME` in `work_dir`.

    Raises Invalid for a path that leads out of the work folder, Unsupported for what is refused.
    """
    if options.drop_capabilities and root:
        raise Unsupported(
            "environment.drop_capabilities: tasks of this server run as root without a container and cannot drop capabilities"
        )
    links = []
    warnings = list(_plain_warnings(options, root))
    for mount in options.bind_mounts:
        link, warning = _mount(mount)
        links += [link] if link else []
        warnings += [warning] if warning else []
    return Mapped(tuple(links), _work_dir(options.work_dir, names or {}), tuple(warnings))


def _plain_warnings(options: ContainerOptions, root: bool) -> Iterator[str]:
    if options.image is not None:
        yield f"image {options.image} is not used, the task runs in the server's Python environment"
    if options.registry_auth:
        yield "registry_auth is not used"
    if options.shm_size is not None:
        yield "shm_size is the machine's"
    if options.add_capabilities and not root:
        yield f"add_capabilities {', '.join(options.add_capabilities)} cannot be given by an ordinary user"
    for device in options.devices:
        if device.get("host_path") != device.get("container_path"):
            yield f"device {device.get('host_path')} is not at {device.get('container_path')}"


def _mount(mount: Mapping[str, Any]) -> tuple[tuple[str, str] | None, str]:
    host, inside = str(mount["host_path"]), str(mount["container_path"])
    warning = f"bind mount {host} is not read-only" if mount.get("read_only") else ""
    if os.path.normpath(host) == os.path.normpath(inside):
        return None, warning
    relative = _inside(inside)
    if relative is None:
        return None, f"bind mount {host} is not at {inside}, use its own path"
    if relative == ".":
        raise Invalid(f"bind_mounts: {inside!r} is the work folder itself")
    return (relative, host), warning


def _work_dir(path: str | None, names: Mapping[str, str]) -> str | None:
    if not path:
        return None
    for name, value in names.items():
        path = path.replace(f"${name}", value)
    relative = _inside(path)
    return path if relative is None else relative


def _inside(path: str) -> str | None:
    """The path relative to the work folder; None for an absolute path elsewhere. Raises Invalid when it leads out."""
    if os.path.isabs(path):
        below = os.path.relpath(path, CONTAINER_WORK_DIR)
        return None if below.startswith("..") else below
    below = os.path.normpath(path)
    if below.startswith(".."):
        raise Invalid(f"{path!r} leads out of the work folder")
    return below
