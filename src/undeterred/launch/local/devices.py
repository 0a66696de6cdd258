"""What this machine offers as slots: NVIDIA or AMD GPUs, else one slot per core."""

import json
import os
import subprocess
from collections.abc import Callable, Sequence

from undeterred.launch.spec import Device

Run = Callable[[Sequence[str]], str | None]
"""Output of a program, None when it is not there or fails."""


def run_program(command: Sequence[str]) -> str | None:
    """Run a program for at most 20 s (a first call of a driver's tool can be slow)."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def detect(slots: int | None, run: Run = run_program, cores: int | None = None) -> tuple[Device, ...]:
    """The slots: GPUs when there are any (the first `slots` of them), else `slots` CPU slots, one per core when None."""
    gpus = gpu_devices(run)
    if gpus:
        return gpus if slots is None else gpus[:slots]
    count = slots if slots is not None else (cores or usable_cores())
    return tuple(Device(number, "cpu", "CPU", f"cpu-{number}") for number in range(count))


def gpu_devices(run: Run = run_program) -> tuple[Device, ...]:
    """GPUs that the drivers' tools report; empty when there is no tool or no GPU."""
    return _nvidia(run(["nvidia-smi", "--query-gpu=index,name,uuid", "--format=csv,noheader"])) or _amd(
        run(["rocm-smi", "--showuniqueid", "--showproductname", "--json"])
    )


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _nvidia(text: str | None) -> tuple[Device, ...]:
    rows = [[part.strip() for part in line.split(",")] for line in (text or "").splitlines()]
    return tuple(Device(int(row[0]), "cuda", row[1], row[2]) for row in rows if len(row) == 3 and row[0].isdigit())


def _amd(text: str | None) -> tuple[Device, ...]:
    try:
        cards = json.loads(text or "{}")
    except ValueError:
        return ()
    found = []
    for name, facts in sorted(cards.items()):
        if name.startswith("card") and name[4:].isdigit() and isinstance(facts, dict):
            number = facts.get("Unique ID", "")
            uuid = f"GPU-{number.removeprefix('0x')}" if number.startswith("0x") else ""
            found.append(Device(int(name[4:]), "rocm", facts.get("Card Series") or facts.get("Card series") or "AMD", uuid))
    return tuple(sorted(found, key=lambda device: device.id))
