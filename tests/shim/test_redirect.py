"""What tasks find first on their PYTHONPATH."""

import importlib.util
import math
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

REDIRECT = Path(__file__).parents[2] / "src" / "undeterred" / "shim" / "redirect"


def load(name: str) -> ModuleType:
    """A module of the redirect, as no package holds it."""
    spec = importlib.util.spec_from_file_location(name, REDIRECT / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def python(text: str, *paths: Path, **env: str) -> str:
    """Output of a Python with `paths` on its PYTHONPATH."""
    variables = {"PYTHONPATH": os.pathsep.join(map(str, paths)), "PATH": os.defpath} | env
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, env=variables, check=True)
    assert done.stderr == ""
    return done.stdout.strip()


def test_a_hidden_sitecustomize_still_runs(tmp_path: Path) -> None:
    """With and without the marker variable, and a missing one is no error."""
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.hidden = __file__\n")
    for env in ({}, {"UNDETERRED_RUN_DIR": str(tmp_path)}):
        text = "import sys; print(sys.hidden, sys.modules['sitecustomize'].__file__)"
        assert python(text, REDIRECT, tmp_path, **env) == f"{tmp_path}/sitecustomize.py {tmp_path}/sitecustomize.py"
        assert python("print('fine')", REDIRECT, **env) == "fine"


def test_without_the_marker_nothing_is_hooked() -> None:
    """The import system is as it was, and with the marker the harness is only hooked, not imported."""
    hooks = "[type(finder).__module__ for finder in sys.meta_path].count('_undeterred_redirect')"
    text = f"import sys; print({hooks}, 'determined' in sys.modules)"
    assert python(text, REDIRECT) == "0 False"
    assert python(text, REDIRECT, UNDETERRED_RUN_DIR="/r") == "1 False"


def test_a_socket_path_is_short_private_and_stable() -> None:
    """Below the task's folder when that fits, else below /tmp; different for each task, the same for each caller."""
    finder = load("_undeterred_redirect").Finder
    short, long = finder("/runs/a", None), finder("/runs/" + "x" * 120, None)
    assert short._socket("/tmp/pid_server-1").startswith("/runs/a/tmp/")
    assert long._socket("/tmp/pid_server-1").startswith("/tmp/undeterred-")
    assert len(long._socket("/tmp/pid_server-1" + "y" * 200)) < 100
    assert short._socket("/tmp/pid_server-1") == finder("/runs/a", None)._socket("/tmp/pid_server-1")
    assert len({short._socket("/tmp/a"), short._socket("/tmp/b"), finder("/runs/b", None)._socket("/tmp/a")}) == 3
    assert short._socket("/elsewhere/socket") == "/elsewhere/socket"


def test_event_files_are_what_tensorboard_reads(tmp_path: Path) -> None:
    """Values, special numbers, steps and tags come back; closing begins a new file."""
    writer = load("_undeterred_events").EventWriter(str(tmp_path / "new" / "folder"))
    values = [0.5, -1e30, 1e300, math.inf, -math.inf, math.nan, 3]
    for step, value in enumerate(values):
        writer.add_scalar("Determined/ünï", value, step * 1000)
    writer.flush()
    read = EventAccumulator(str(tmp_path / "new" / "folder"))
    read.Reload()
    found = [(event.step, event.value) for event in read.Scalars("Determined/ünï")]
    assert [step for step, _ in found] == [step * 1000 for step in range(len(values))]
    assert found[0][1] == 0.5
    assert math.isclose(found[1][1], -1e30, rel_tol=1e-6)
    assert [value for _, value in found[2:5]] == [math.inf, math.inf, -math.inf]
    assert math.isnan(found[5][1])
    assert found[6][1] == 3.0
    writer.close()
    writer.add_scalar("more", 1, 1)
    writer.close()
    assert len(list((tmp_path / "new" / "folder").iterdir())) == 2


def test_nothing_is_written_before_the_first_number(tmp_path: Path) -> None:
    """Scripts without metrics leave no empty file."""
    writer = load("_undeterred_events").EventWriter(str(tmp_path / "unused"))
    writer.flush()
    writer.close()
    assert not (tmp_path / "unused").exists()
