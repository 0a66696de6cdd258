"""Log lines out of a task's files."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undeterred.launch.launcher import Line, Offsets
from undeterred.launch.local.lines import CUT, LONGEST_LINE, Piece, parse, read_lines, split

NOW = 1_700_000_000_000_000


def shown(data: bytes, final: bool = True) -> list[bytes]:
    """Lines of `data`."""
    return [piece.data for piece in split(data, final=final) if piece.data is not None]


def write(folder: Path, stdout: bytes = b"", stderr: bytes = b"", samples: tuple[tuple[int, int, int], ...] = ()) -> None:
    """Files of a task."""
    (folder / "stdout.log").write_bytes(stdout)
    (folder / "stderr.log").write_bytes(stderr)
    (folder / "times.bin").write_bytes(b"".join(struct.pack("<qqq", *sample) for sample in samples))


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"a\nb\n", [b"a", b"b"]),
        (b"a\r\nb\r\n", [b"a", b"b"]),
        (b"\n\n", [b"", b""]),
        (b"\r\n", [b""]),
        (b"\r 10%\r 20%\r 30%\ndone", [b" 10%", b" 20%", b" 30%", b"done"]),
        (b"\r\r\r", []),
        (b"no end", [b"no end"]),
        (b"", []),
    ],
)
def test_lines_end_at_newlines_and_carriage_returns(data: bytes, lines: list[bytes]) -> None:
    """Progress bars become lines, and a lone carriage return makes no empty one."""
    assert shown(data) == lines


@given(st.lists(st.sampled_from([b"a", b"bc", b"\r", b"\n", b"\r\n", b"\xff", "é".encode()])), st.data())
def test_reading_in_pieces_gives_the_same_lines(parts: list[bytes], data: st.DataObject) -> None:
    """However the file grew between two looks, the lines are those of one look at the end, and all bytes are passed once."""
    whole = b"".join(parts)
    found: list[bytes] = []
    offset = size = 0
    while offset < len(whole):
        size = data.draw(st.integers(size, len(whole)), label="size")
        final = size == len(whole) and data.draw(st.booleans(), label="final")
        pieces = split(whole[offset:size], final=final, after_return=offset > 0 and whole[offset - 1 : offset] == b"\r")
        found += [piece.data for piece in pieces if piece.data is not None]
        offset += pieces[-1].end if pieces else 0
        if final:
            break
    assert found == shown(whole)
    assert offset == len(whole)


def test_a_long_line_is_cut_between_characters_and_loses_nothing() -> None:
    """Each piece but the last is marked, and together they are the line."""
    text = "é" * (LONGEST_LINE + 7)
    pieces = split(b"x" + text.encode() + b"\nnext\n", final=False)
    lines = [parse("stdout", piece, 0) for piece in pieces]
    assert [line.text.endswith(CUT) for line in lines] == [True, True, False, False]
    assert "".join(line.text.removesuffix(CUT) for line in lines[:3]) == "x" + text
    assert all(len(piece.data or b"") <= LONGEST_LINE for piece in pieces)


def test_a_line_of_a_megabyte_is_whole(tmp_path: Path) -> None:
    """1 MiB fits, even when one look reads less than that."""
    write(tmp_path, b"x" * (1 << 20) + b"\nafter\n")
    first = read_lines(tmp_path, Offsets(), 1000, False, NOW)
    assert [len(line.text) for line in first.lines] == [1 << 20, 5]


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"INFO: hello", Line("stdout", "hello", 0, "INFO")),
        (b"[rank=3] WARNING: careful", Line("stdout", "careful", 0, "WARNING", 3)),
        (b"[rank=12] plain", Line("stdout", "plain", 0, None, 12)),
        (b"INFORMATION: no level", Line("stdout", "INFORMATION: no level", 0)),
        (b"say INFO: inside", Line("stdout", "say INFO: inside", 0)),
        (b"[rank=x] no", Line("stdout", "[rank=x] no", 0)),
        (b"a\xff\x80\xc3z", Line("stdout", "a\ufffd\ufffd\ufffdz", 0)),
        (b"nul\0nul", Line("stdout", "nul\ufffdnul", 0)),
        (b"\x1b[31mred\x1b[0m", Line("stdout", "\x1b[31mred\x1b[0m", 0)),
    ],
)
def test_prefixes_and_bad_bytes(data: bytes, line: Line) -> None:
    """Rank and level are taken off where they stand first; bytes that are no text, and NUL, are shown as U+FFFD."""
    assert parse("stdout", Piece(data, len(data)), 0) == line


def test_lines_have_the_time_of_the_look_that_first_saw_them_whole(tmp_path: Path) -> None:
    """Times and the order between the files come from the supervisor's samples, also long after."""
    write(tmp_path, b"o1\no2\n", b"e1\ne2\n", ((100, 3, 0), (200, 3, 3), (300, 6, 6)))
    read = read_lines(tmp_path, Offsets(), 1 << 20, True, NOW)
    assert [(line.text, line.source, line.time) for line in read.lines] == [
        ("o1", "stdout", 100),
        ("e1", "stderr", 200),
        ("o2", "stdout", 300),
        ("e2", "stderr", 300),
    ]
    assert read.offsets == Offsets(6, 6, 72)
    assert not read.more


def test_an_unfinished_line_waits_until_the_task_has_ended(tmp_path: Path) -> None:
    """Half a line is not shown while more may come, and is shown at the end."""
    write(tmp_path, b"whole\nhalf")
    first = read_lines(tmp_path, Offsets(), 1 << 20, False, NOW)
    assert [line.text for line in first.lines] == ["whole"]
    assert read_lines(tmp_path, first.offsets, 1 << 20, False, NOW).lines == ()
    last = read_lines(tmp_path, first.offsets, 1 << 20, True, NOW)
    assert [line.text for line in last.lines] == ["half"]
    assert (last.offsets.stdout, last.more) == (10, False)


def test_a_progress_bar_is_shown_while_it_stands(tmp_path: Path) -> None:
    """What ends with a carriage return is a line at once, whether a newline or the next step follows."""
    write(tmp_path, b"10%\r20%\r")
    first = read_lines(tmp_path, Offsets(), 1 << 20, False, NOW)
    assert [line.text for line in first.lines] == ["10%", "20%"]
    write(tmp_path, b"10%\r20%\r\n30%\r")
    assert [line.text for line in read_lines(tmp_path, first.offsets, 1 << 20, False, NOW).lines] == ["30%"]


def test_a_small_limit_gives_the_same_lines_in_the_same_order(tmp_path: Path) -> None:
    """A backlog is read piece by piece without one file overtaking the other."""
    samples = tuple((1000 + number, 6 * number, 6 * number) for number in range(1, 200))
    stdout = b"".join(b"o%04d\n" % number for number in range(199))
    stderr = b"".join(b"e%04d\n" % number for number in range(199))
    write(tmp_path, stdout, stderr, samples)
    whole = read_lines(tmp_path, Offsets(), 1 << 20, True, NOW)
    found: list[Line] = []
    offsets, more = Offsets(), True
    while more:
        part = read_lines(tmp_path, offsets, 50, True, NOW)
        found += part.lines
        assert part.offsets != offsets
        offsets, more = part.offsets, part.more
    assert len(found) == 398
    assert sorted(found, key=lambda line: line.time) == found
    assert {(line.text, line.time) for line in found} == {(line.text, line.time) for line in whole.lines}


def test_lines_newer_than_the_last_look_have_the_files_time(tmp_path: Path) -> None:
    """What a killed supervisor never saw is dated by the file, not by the reader who came days later."""
    write(tmp_path, b"late\n")
    mtime = (tmp_path / "stdout.log").stat().st_mtime_ns // 1000
    far = mtime + 10**12
    assert read_lines(tmp_path, Offsets(), 1 << 20, True, far).lines[0].time == mtime


def test_missing_files_are_empty(tmp_path: Path) -> None:
    """A task that has not begun has no lines."""
    assert read_lines(tmp_path, Offsets(), 1 << 20, False, NOW).lines == ()
