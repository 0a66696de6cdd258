"""`scripts/setup.sh` on machines that lack something: one line that says what to do, and nothing is made."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WITHOUT_VENV = f"""#!/bin/sh
case "$2" in *venv*) echo "ModuleNotFoundError: No module named 'ensurepip'" >&2; exit 1;; esac
exec {sys.executable} "$@"
"""
TOO_OLD = """#!/bin/sh
case "$1" in -V) echo "Python 3.9.2"; exit 0;; esac
exit 1
"""


def setup(folder: Path, python: str) -> "subprocess.CompletedProcess[str]":
    """Run it with this Python."""
    command = ["sh", str(ROOT / "scripts" / "setup.sh"), python, str(folder / "venv"), "."]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (WITHOUT_VENV, "This Python has no venv. Install it with:  sudo apt-get install -y python3-venv"),
        (TOO_OLD, "Python 3.11 or newer is needed, Python 3.9.2 is "),
    ],
)
def test_a_python_that_lacks_something(tmp_path: Path, script: str, says: str) -> None:
    """The first thing shown is the line that helps."""
    python = tmp_path / "python3"
    python.write_text(script)
    python.chmod(0o755)
    done = setup(tmp_path, str(python))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(says)
    assert len(done.stderr.splitlines()) == 1
    assert os.listdir(tmp_path) == ["python3"]


def test_no_python_at_all(tmp_path: Path) -> None:
    """The same for a name that means nothing."""
    done = setup(tmp_path, "python-of-nowhere")
    assert done.returncode == 1
    assert done.stderr.startswith("Python 3.11 or newer is needed: install it")
