"""Packages installed by a task stay with the task."""

import base64
import hashlib
import importlib.metadata
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.launch.support import make_spec, opened, run, shell
from undeterred.base.errors import Broken
from undeterred.base.struct import replace
from undeterred.launch.local import overlay
from undeterred.launch.spec import ContextFile

DEPENDENCY = "msgspec"


def build_wheel(folder: Path, name: str, version: str) -> Path:
    """A wheel with one module and one console script."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": f"__version__ = {version!r}\ndef main() -> None:\n    print('script of', __version__)\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name}-script = {name}:main\n",
    }
    digests = {
        path: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=") for path, text in files.items()
    }
    record = "".join(f"{path},sha256={digest.decode()},{len(files[path])}\n" for path, digest in digests.items())
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for inside, text in (files | {f"{info}/RECORD": record + f"{info}/RECORD,,\n"}).items():
            wheel.writestr(inside, text)
    return path


def state_of_base() -> tuple[str, list[str]]:
    """What an installation into this environment would change."""
    site = Path(importlib.metadata.distribution(DEPENDENCY).locate_file(""))
    names = sorted(path.name for folder in (site, Path(sys.executable).parent) for path in folder.iterdir())
    return importlib.metadata.version(DEPENDENCY), names


@pytest.mark.parametrize("installer", ["pip", "pip3", "python -m pip", "uv pip"])
async def test_a_startup_hook_installs_into_the_tasks_own_environment(tmp_path: Path, installer: str) -> None:
    """Another version of one of the server's dependencies, with a script: the task has it, the server keeps its own."""
    before = state_of_base()
    wheel = build_wheel(tmp_path, DEPENDENCY, "99.1")
    hook = f"{installer} install --no-index --no-deps {wheel}\nexport HOOKED=yes\n"
    check = f"python3 -c 'import {DEPENDENCY} as m; print(m.__version__, m.__file__)'; {DEPENDENCY}-script; echo $HOOKED"
    async with opened(tmp_path) as launcher:
        spec = shell("a.1", check, context_files=(ContextFile("startup-hook.sh", hook.encode()),))
        status, lines = await run(launcher, spec)
        assert status.exit is not None
        assert status.exit.code == 0, lines
        packages = tmp_path / "runs/a.1/venv/lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
        assert f"99.1 {packages}/{DEPENDENCY}/__init__.py" in lines
        assert "script of 99.1" in lines
        assert "yes" in lines
        _, lines = await run(launcher, shell("a.2", f"python -c 'import {DEPENDENCY} as m; print(m.__version__)'"))
        assert lines == [before[0]]
    assert state_of_base() == before


async def test_a_failing_hook_ends_the_task(tmp_path: Path) -> None:
    """The hook of the defaults comes first, then the context's; what fails there is the task's end, and is said."""
    async with opened(tmp_path) as launcher:
        hooks = (ContextFile("startup-hook.sh", b"echo context $FROM\n(exit 9)\necho not reached\n"),)
        spec = shell("a.1", "echo not reached either", context_files=hooks, startup_hook="export FROM=defaults")
        status, lines = await run(launcher, spec)
        assert status.exit is not None
        assert status.exit.code == 9
        assert lines[0] == "context defaults"
        assert "startup hook failed, the task is not started (status 9)" in lines[1]
        assert len(lines) == 2


async def test_a_task_sees_the_bases_packages_and_scripts(tmp_path: Path) -> None:
    """Without installing anything: the same packages, its own prefix, scripts that run in it."""
    program = "import sys, determined, numpy; print(sys.prefix, sys.executable)"
    async with opened(tmp_path) as launcher:
        venv = tmp_path / "runs/a.1/venv"
        _, lines = await run(launcher, shell("a.1", f"python -c '{program}'; which det pip uv python3; head -c 300 $(which det)"))
        assert lines[0] == f"{venv} {venv}/bin/python"
        assert lines[1:5] == [f"{venv}/bin/{name}" for name in ("det", "pip", "uv", "python3")]
        assert lines[5] == f"#!{venv}/bin/python3"


async def test_scripts_work_below_a_long_path_with_blanks(tmp_path: Path) -> None:
    """Where the system would not take the interpreter's path as a first line, scripts go by way of the shell."""
    data = tmp_path / ("a folder with blanks and " + "x" * 120)
    data.mkdir()
    async with opened(data) as launcher:
        status, lines = await run(launcher, make_spec("a.1", "pip", "--version"))
        assert status.exit is not None
        assert status.exit.code == 0, lines
        assert lines[0].startswith("pip ")


def test_an_overlay_of_an_environment_whose_scripts_go_by_way_of_the_shell(tmp_path: Path) -> None:
    """Such scripts are recognized as the base's and copied too."""
    base = tmp_path / "base"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(base)], check=True)
    script = base / "bin" / "tool"
    script.write_text(f"#!/bin/sh\n'''exec' \"{base}/bin/python\" \"$0\" \"$@\"\n' '''\nimport sys; print(sys.prefix)\n")
    other = base / "bin" / "shell-tool"
    other.write_text("#!/bin/sh\necho shell\n")
    script.chmod(0o755)
    other.chmod(0o755)
    found = overlay.inspect(str(base / "bin" / "python"))
    assert [name for name, _ in found.scripts] == ["tool"]
    assert [name for name, _ in found.links] == ["shell-tool"]
    assert found.determined is None
    overlay.make(found, tmp_path / "over", tmp_path / "over")
    done = subprocess.run([tmp_path / "over/bin/tool"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(tmp_path / "over")
    assert os.readlink(tmp_path / "over/bin/shell-tool") == str(other)
    refused = subprocess.run([tmp_path / "over/bin/pip", "install", "x"], capture_output=True, text=True, check=False)
    assert (refused.returncode, "not installed" in refused.stderr) == (1, True)


def test_a_base_with_pip_but_without_its_script_gets_one(tmp_path: Path) -> None:
    """A bare `pip` is never the machine's own."""
    base = replace(overlay.inspect(sys.executable), scripts=(), links=())
    overlay.make(base, tmp_path / "over", tmp_path / "over")
    done = subprocess.run([tmp_path / "over/bin/pip3", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("pip ")
    with_uv = replace(base, has_pip=False, links=(("uv", "/bin/echo"),))
    overlay.make(with_uv, tmp_path / "uv", tmp_path / "uv")
    env = {"PATH": f"{tmp_path}/uv/bin:{os.defpath}"}
    done = subprocess.run([tmp_path / "uv/bin/pip", "install", "x"], capture_output=True, text=True, check=True, env=env)
    assert done.stdout == "pip install x\n"


def test_an_interpreter_that_does_not_run_is_said() -> None:
    """A wrong path and a program that is no Python are one clear error."""
    for python in ("/no/such/python", "/bin/false"):
        with pytest.raises(Broken, match=python):
            overlay.inspect(python)
