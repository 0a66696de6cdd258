"""A Python environment of its own for each task, laid over a base: `pip install` in a task never changes the base.

It is what `venv` makes (a `pyvenv.cfg`, links to the interpreter) plus a `.pth` file that adds the base's packages. The
base's console scripts are copied with the overlay's interpreter in their first line: a `pip` of the base, found further
down the PATH, would install into the base.
"""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

from undeterred.base.errors import Broken
from undeterred.base.struct import Struct

_PROBE = """
import importlib.metadata, json, os, site, sys, sysconfig
def version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
places = site.getsitepackages() + ([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])
print(json.dumps({
    "program": getattr(sys, "_base_executable", None) or sys.executable,
    "version": "%d.%d.%d" % sys.version_info[:3],
    "short": "%d.%d" % sys.version_info[:2],
    "libraries": sorted({"lib", getattr(sys, "platlibdir", "lib")}),
    "sites": [place for place in places if os.path.isdir(place)],
    "scripts": sysconfig.get_path("scripts"),
    "is_venv": sys.prefix != sys.base_prefix,
    "urllib3": version("urllib3"),
    "determined": version("determined"),
    "pip": version("pip"),
}))
"""
_SHEBANG_LIMIT = 127
_SH_EXEC = re.compile(rb"#!/bin/sh\n'''exec' \"?([^\"\n]+?)\"? \"\$0\" \"\$@\"\n' '''\n")
_PLAIN = re.compile(rb"#![ \t]*(\S+)[^\n]*\n")
_OWN_NAMES = re.compile(r"(python|activate|Activate)[\w.-]*|deactivate\.nu")


class Base(Struct, frozen=True):
    """An interpreter whose packages tasks see."""

    program: str
    """The interpreter itself, below any virtual environment."""
    version: str
    short: str
    libraries: tuple[str, ...]
    sites: tuple[str, ...]
    urllib3: tuple[int, int] | None
    determined: str | None
    """Version of the harness; None when it is not installed."""
    has_pip: bool
    scripts: tuple[tuple[str, bytes], ...]
    """Name and body, without the first line, of each console script."""
    links: tuple[tuple[str, str], ...]
    """Name and path of what is no Python script (`uv`), linked so that the base's folder need not be on the PATH."""


def inspect(python: str) -> Base:
    """Ask an interpreter about itself and read its console scripts. Raises Broken when it does not run."""
    try:
        done = subprocess.run([python, "-c", _PROBE], capture_output=True, text=True, timeout=60, check=True, env=_plain_env())
        facts = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        detail = getattr(error, "stderr", None) or error
        raise Broken(f"tasks' interpreter {python} does not run: {detail}") from None
    folder = Path(facts["scripts"])
    scripts = dict(_console_scripts(folder))
    links = dict(_other_programs(folder, scripts)) if facts["is_venv"] else {}
    return Base(
        program=facts["program"],
        version=facts["version"],
        short=facts["short"],
        libraries=tuple(facts["libraries"]),
        sites=tuple(facts["sites"]),
        urllib3=_major_minor(facts["urllib3"]),
        determined=facts["determined"],
        has_pip=facts["pip"] is not None,
        scripts=tuple(scripts.items()),
        links=tuple(links.items()),
    )


def make(base: Base, folder: Path, final: Path) -> None:
    """Make an overlay of `base` in `folder`, which will be moved to `final` before it is used. Raises OSError."""
    binaries = folder / "bin"
    binaries.mkdir(parents=True)
    home = os.path.dirname(base.program)
    (folder / "pyvenv.cfg").write_text(f"home = {home}\ninclude-system-site-packages = false\nversion = {base.version}\n")
    for library in base.libraries:
        packages = folder / library / f"python{base.short}" / "site-packages"
        packages.mkdir(parents=True)
        if library == "lib":
            adding = "".join(f"import site; site.addsitedir({site!r})\n" for site in base.sites)
            (packages / "_undeterred_base.pth").write_text(adding)
    for name in ("python", "python3", f"python{base.short}"):
        (binaries / name).symlink_to(base.program)
    first = _first_line(os.fsencode(final / "bin" / "python3"))
    for name, body in base.scripts:
        path = binaries / name
        path.write_bytes(first + body)
        path.chmod(0o755)
    for name, target in base.links:
        (binaries / name).symlink_to(target)
    for name in ("pip", "pip3"):
        if name not in dict(base.scripts):
            path = binaries / name
            path.write_text(_pip_instead(base, final))
            path.chmod(0o755)


def _pip_instead(base: Base, final: Path) -> str:
    """A `pip` where the base has no such script: without it the machine's own would be found, and change the machine."""
    if base.has_pip:
        return f'#!/bin/sh\nexec {shlex.quote(str(final / "bin" / "python3"))} -m pip "$@"\n'
    if "uv" in dict(base.links):
        return '#!/bin/sh\nexec uv pip "$@"\n'
    return "#!/bin/sh\necho 'pip: not installed in the environment of tasks' >&2\nexit 1\n"


def _console_scripts(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in _programs(folder):
        with path.open("rb") as file:
            head = file.read(2)
            text = head + file.read(1 << 20) if head == b"#!" else b""
        for pattern in (_SH_EXEC, _PLAIN):
            match = pattern.match(text)
            if match and _is_python(os.fsdecode(match[1]), folder):
                yield path.name, text[match.end() :]
                break


def _is_python(interpreter: str, folder: Path) -> bool:
    """Whether a first line names a Python of this folder (`env python` finds the overlay's by itself)."""
    return os.path.basename(interpreter).startswith("python") and Path(interpreter).parent.resolve() == folder.resolve()


def _other_programs(folder: Path, scripts: dict[str, bytes]) -> Iterator[tuple[str, str]]:
    for path in _programs(folder):
        if path.name not in scripts:
            yield path.name, str(path)


def _programs(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        return
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if not _OWN_NAMES.fullmatch(entry.name) and entry.is_file() and os.access(entry.path, os.X_OK | os.R_OK):
            yield Path(entry.path)


def _first_line(interpreter: bytes) -> bytes:
    """The line by which the system finds the interpreter; one that is long or has a blank goes by way of the shell."""
    if len(interpreter) + 3 <= _SHEBANG_LIMIT and b" " not in interpreter:
        return b"#!" + interpreter + b"\n"
    return b"#!/bin/sh\n'''exec' \"" + interpreter + b'" "$0" "$@"\n' + b"' '''\n"


def _major_minor(version: str | None) -> tuple[int, int] | None:
    match = re.match(r"(\d+)\.(\d+)", version or "")
    return (int(match[1]), int(match[2])) if match else None


def _plain_env() -> dict[str, str]:
    """Without variables that would make the interpreter see other packages than a task will."""
    return {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "HOME": os.path.expanduser("~")}
