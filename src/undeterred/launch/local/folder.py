"""Makes a task's run folder: supervisor, overlay, info files, work folder, and the specification that ties them together.

Everything is made in a folder beside the final one, which a rename then puts in place: a run folder that is there is whole.
Only the launcher's user can read the folder itself; what the task needs belongs to the task's user.
"""

import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from undeterred.base.errors import Busy, Invalid
from undeterred.base.struct import Struct
from undeterred.launch import build, context, options
from undeterred.launch.local import overlay, records, users
from undeterred.launch.spec import Device, LaunchSpec

WORK, VENV, INFO, TMP, SHIM = "work", "venv", "info", "tmp", "shim"
MODEL_COPY = "train/model"
CONTEXT_HOOK = "startup-hook.sh"
_SHELLS = ("/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash", "/opt/homebrew/bin/bash", "/bin/sh")


class Ground(Struct, frozen=True):
    """What the launcher knows about this machine for one task."""

    data_dir: Path
    base: overlay.Base
    shim_source: Path
    inherited: Mapping[str, str]
    language: str
    address: str
    devices: tuple[Device, ...]
    hide_gpus: bool
    ports: Mapping[str, int]


def prepare(spec: LaunchSpec, ground: Ground, run_dir: Path) -> None:
    """Make the run folder of a task; nothing is left behind when it fails.

    Raises Invalid (context, options), Unsupported (options), Refused (a user cannot reach the folder), Busy (no space).
    """
    building = run_dir.with_name(f".new-{run_dir.name}-{secrets.token_hex(4)}")
    try:
        building.mkdir(mode=0o700)
        _fill(spec, ground, building, run_dir)
        building.rename(run_dir)
    except OSError as error:
        if not (run_dir / records.SPEC).exists():  # it does when the same task was prepared twice at a time
            raise Busy(f"cannot prepare the task's folder: {error}") from None
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _fill(spec: LaunchSpec, ground: Ground, building: Path, run_dir: Path) -> None:
    who, warning = users.identity(spec.unix_user, home_fallback=str(run_dir / WORK))
    names = {"AGENT_USER": who.login, "DET_USER": spec.user}
    mapped = options.apply(spec.options, root=who.root, names=names)
    if warning:
        mapped = options.Mapped(mapped.links, mapped.work_dir, (*mapped.warnings, warning))
    place = _place(ground, run_dir, who)
    shutil.copytree(ground.shim_source, building / SHIM, ignore=shutil.ignore_patterns("__pycache__"))
    overlay.make(ground.base, building / VENV, run_dir / VENV)
    for folder in (WORK, INFO, TMP):
        (building / folder).mkdir()
    _fill_work(spec, mapped, building / WORK)
    if spec.trial is not None:
        _copy_model(spec, building / MODEL_COPY)
    for name, content in build.info_files(spec, place).items():
        _write(building / name, content, 0o600)
    argv = _command(spec, building, run_dir)
    if spec.shared_fs:
        _make_storage(Path(spec.shared_fs), ground.data_dir, who)
    cwd = _start_folder(mapped.work_dir, building, run_dir, who)
    _hand_over(building, run_dir, who, ground)
    told = {
        "version": 1,
        "allocation_id": spec.allocation_id,
        "task_id": spec.task_id,
        "run_dir": str(run_dir),
        "argv": argv,
        "env": build.environment(spec, place),
        "cwd": str(cwd),
        "grace_s": spec.grace_s,
        "note": "\n".join(line for line in (mapped.note(), _missing(spec, ground.base)) if line),
        "uid": who.uid,
        "gid": who.gid,
        "groups": who.groups,
        "ports": dict(ground.ports),
        "address": ground.address,
        "slot_ids": [device.id for device in ground.devices],
    }
    records.write(building / records.SPEC, told)


def _missing(spec: LaunchSpec, base: overlay.Base) -> str:
    """A line for the log of a trial whose interpreter lacks the harness; its startup hook may install it."""
    if spec.trial is None or base.determined is not None:
        return ""
    return (
        f"WARNING: the package determined, which runs trials, is not installed in {', '.join(base.sites)}: "
        "pip install 'undeterred[tasks]', or name an interpreter that has it with undeterred.task_python"
    )


def _place(ground: Ground, run_dir: Path, who: users.Identity) -> build.Place:
    return build.Place(
        run_dir=str(run_dir),
        work_dir=str(run_dir / WORK),
        bin_dir=str(run_dir / VENV / "bin"),
        venv=str(run_dir / VENV),
        redirect_dir=str(run_dir / SHIM / "redirect"),
        home=who.home,
        login=who.login,
        inherited=ground.inherited,
        language=ground.language,
        address=ground.address,
        devices=ground.devices,
        hide_gpus=ground.hide_gpus,
        ports=ground.ports,
        urllib3=ground.base.urllib3,
    )


def _fill_work(spec: LaunchSpec, mapped: options.Mapped, work: Path) -> None:
    context.unpack(spec.context, work)
    context.write_files(spec.context_files, work)
    for name, content in spec.files.items():
        path = work / context.checked_path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, content, 0o600)
    for name, host in mapped.links:
        path = work / name
        if path.exists() or path.is_symlink():
            raise Invalid(f"bind_mounts: the context already holds {name!r}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(host)


def _copy_model(spec: LaunchSpec, target: Path) -> None:
    """The context as it was submitted: the harness puts it into the checkpoints of PyTorch and Keras trials."""
    target.mkdir(parents=True)
    context.unpack(spec.context, target)
    context.write_files(spec.context_files, target)


def _command(spec: LaunchSpec, building: Path, run_dir: Path) -> list[str]:
    """The task's command, behind a start script when there is a startup hook."""
    hooks = []
    if spec.startup_hook:
        _write(building / INFO / "startup-hook-of-defaults.sh", spec.startup_hook.encode(), 0o700)
        hooks.append(str(run_dir / INFO / "startup-hook-of-defaults.sh"))
    if (building / WORK / CONTEXT_HOOK).is_file():
        hooks.append(str(run_dir / WORK / CONTEXT_HOOK))
    if not hooks:
        return list(spec.argv)
    shell = next(shell for shell in _SHELLS if os.access(shell, os.X_OK))
    _write(building / INFO / "start.sh", build.start_script(hooks, shell).encode(), 0o700)
    return [shell, str(run_dir / INFO / "start.sh"), *spec.argv]


def _start_folder(wanted: str | None, building: Path, run_dir: Path, who: users.Identity) -> Path:
    """Where the command starts; made when missing."""
    if wanted is None:
        return run_dir / WORK
    relative = not os.path.isabs(wanted)
    folder = building / WORK / wanted if relative else Path(wanted)
    if not folder.is_dir():
        folder.mkdir(parents=True)
        if who.uid is not None and who.gid is not None:
            os.chown(folder, who.uid, who.gid)
    return run_dir / WORK / wanted if relative else folder


def _make_storage(folder: Path, data_dir: Path, who: users.Identity) -> None:
    """The folder of a shared_fs storage; where tasks run as several users, the server's own is open to all like /tmp."""
    folder.mkdir(parents=True, exist_ok=True)
    if who.uid is not None and folder.resolve().is_relative_to(data_dir):
        users.let_through(folder.parent, who.uid, data_dir)
        folder.chmod(0o1777)


def _hand_over(building: Path, run_dir: Path, who: users.Identity, ground: Ground) -> None:
    """Give the task's user what is theirs, and a way to it."""
    if who.uid is None or who.gid is None:
        return
    users.check_program(Path(ground.base.program), who.uid)
    users.let_through(run_dir.parent, who.uid, ground.data_dir)
    os.chmod(building, 0o711)  # noqa: S103 (pass through, not list: what is inside has modes of its own)
    for top in (building / name for name in (WORK, VENV, INFO, TMP)):
        for path in (top, *(Path(folder, name) for folder, folders, files in os.walk(top) for name in folders + files)):
            os.chown(path, who.uid, who.gid, follow_symlinks=False)
    for folder, folders, files in os.walk(building / SHIM):
        for name in (".", *folders, *files):
            path = Path(folder, name)
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))


def _write(path: Path, content: bytes, mode: int) -> None:
    path.write_bytes(content)
    path.chmod(mode)
