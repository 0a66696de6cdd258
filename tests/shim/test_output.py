"""A task's output files."""

import os
from pathlib import Path

from undeterred.shim.output import SAMPLE, STDERR, STDOUT, TIMES, Output


def samples(folder: Path) -> list[tuple[int, int, int]]:
    """What was noted."""
    return list(SAMPLE.iter_unpack((folder / TIMES).read_bytes()))


def test_a_look_is_noted_only_when_something_was_written(tmp_path: Path) -> None:
    """Sizes with their time, in growing order."""
    output = Output(str(tmp_path), None)
    assert not output.sample()
    os.write(output.stdout, b"one\n")
    assert output.sample()
    assert not output.sample()
    output.say("two")
    assert output.finish() == (4, 4)
    found = samples(tmp_path)
    assert [row[1:] for row in found] == [(4, 0), (4, 4)]
    assert found[0][0] <= found[1][0]


def test_reserved_space_is_not_part_of_the_files_and_is_given_back(tmp_path: Path) -> None:
    """Files are as long as what was written, and in the end take no more room than that."""
    output = Output(str(tmp_path), None)
    os.write(output.stdout, b"x" * 10)
    output.sample()
    assert (tmp_path / STDOUT).stat().st_size == 10
    output.finish()
    assert (tmp_path / STDOUT).read_bytes() == b"x" * 10
    assert (tmp_path / STDERR).stat().st_blocks == 0
    assert (tmp_path / STDOUT).stat().st_blocks * 512 <= 64 * 1024


def test_files_are_closed_to_others(tmp_path: Path) -> None:
    """A log may hold secrets."""
    Output(str(tmp_path), None).finish()
    assert all((tmp_path / name).stat().st_mode & 0o077 == 0 for name in (STDOUT, STDERR, TIMES))
