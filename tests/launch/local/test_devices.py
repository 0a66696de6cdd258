"""Slots of this machine."""

from collections.abc import Sequence

from undeterred.launch.local.devices import detect, run_program
from undeterred.launch.spec import Device

NVIDIA = "0, NVIDIA A100-SXM4-80GB, GPU-aaa\n1, NVIDIA A100-SXM4-80GB, GPU-bbb\n"
AMD = (
    '{"card1": {"Unique ID": "0x22", "Card Series": "Instinct MI210"}, "card0": {"Unique ID": "0x11", "Card series": "MI210"}, '
    '"system": {"Driver version": "6"}}'
)


def answering(program: str, text: str) -> object:
    """A machine that has only `program`."""

    def run(command: Sequence[str]) -> str | None:
        return text if command[0] == program else None

    return run


def test_nvidia_gpus_are_slots_with_their_uuid() -> None:
    """Index, name and uuid as the driver's tool says."""
    run = answering("nvidia-smi", NVIDIA)
    assert detect(None, run) == (  # type: ignore[arg-type]
        Device(0, "cuda", "NVIDIA A100-SXM4-80GB", "GPU-aaa"),
        Device(1, "cuda", "NVIDIA A100-SXM4-80GB", "GPU-bbb"),
    )
    assert [device.uuid for device in detect(1, run)] == ["GPU-aaa"]  # type: ignore[arg-type]


def test_amd_gpus_are_slots_in_the_order_of_their_numbers() -> None:
    """Cards only, sorted, with the id that the runtime understands."""
    found = detect(None, answering("rocm-smi", AMD))  # type: ignore[arg-type]
    assert found == (Device(0, "rocm", "MI210", "GPU-11"), Device(1, "rocm", "Instinct MI210", "GPU-22"))


def test_without_gpus_each_core_is_a_slot_unless_a_number_is_given() -> None:
    """Also when a tool is there but fails or says something else."""
    for run in (lambda command: None, answering("nvidia-smi", "No devices were found\n"), answering("rocm-smi", "no JSON")):
        assert [device.kind for device in detect(None, run, cores=3)] == ["cpu"] * 3  # type: ignore[arg-type]
        assert detect(0, run, cores=3) == ()  # type: ignore[arg-type]
        assert [device.id for device in detect(5, run, cores=3)] == [0, 1, 2, 3, 4]  # type: ignore[arg-type]


def test_a_missing_or_failing_program_is_no_answer() -> None:
    """No exception leaves; a working one's output does."""
    assert run_program(["no-such-program-at-all"]) is None
    assert run_program(["false"]) is None
    assert run_program(["echo", "hi"]) == "hi\n"
