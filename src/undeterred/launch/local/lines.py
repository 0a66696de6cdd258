"""Reads a task's two output files from stored offsets and makes log lines of them. Knows nothing between two calls."""

import os
import re
import struct
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path

from undeterred.base.clock import Micros
from undeterred.base.struct import Struct
from undeterred.launch.launcher import Line, Lines, Offsets

STDOUT, STDERR, TIMES = "stdout.log", "stderr.log", "times.bin"
LONGEST_LINE = 2 << 20
"""Bytes; a longer line is cut into several, and each cut is marked."""
CUT = " [line cut here after 2 MiB, it goes on in the next one]"

_END = re.compile(rb"[\r\n]")
_RANK = re.compile(r" ?\[rank=(\d{1,9})\] ?")
_LEVEL = re.compile(r" ?(DEBUG|INFO|WARNING|ERROR|CRITICAL): ?")
_SAMPLE = struct.Struct("<qqq")
_SAMPLES_AT_ONCE = 40_000


class Piece(Struct, frozen=True):
    """A line as bytes and where it ends in its file (or in the data given)."""

    data: bytes | None
    """None: nothing to show, but the file has been read up to `end`."""
    end: int
    cut: bool = False


def read_lines(run_dir: Path, offsets: Offsets, limit_bytes: int, final: bool, now: Micros) -> Lines:
    """The next complete lines of both files, in the order of their times, stdout first within one look.

    About `limit_bytes` are read of each file. `final`: nothing will be written any more, so an unfinished line counts as a
    line. `now` is the time of lines newer than the supervisor's last look. Missing files read as empty.
    """
    starts = {STDOUT: offsets.stdout, STDERR: offsets.stderr}
    read = {name: _read_pieces(run_dir / name, start, limit_bytes, final) for name, start in starts.items()}
    ends = tuple(pieces[-1].end if pieces else starts[name] for name, (pieces, _) in read.items())
    before, samples = _read_samples(run_dir / TIMES, offsets.times, ends)
    # The clock of the file system is coarser than that of the samples: no line is older than a sample before it.
    floor = samples[-1][0] if samples else before
    timed = {
        name: _timed(run_dir / name, pieces, [row[place] for row in samples], samples, now, floor)
        for place, (name, (pieces, _)) in enumerate(read.items(), 1)
    }
    horizon = min((rows[-1][0] for name, rows in timed.items() if read[name][1] and rows), default=None)
    if horizon is not None:
        timed = {name: [row for row in rows if row[0] <= horizon] for name, rows in timed.items()}
    reached = {name: rows[-1][1].end if rows else starts[name] for name, rows in timed.items()}
    passed = sum(1 for _, out, err in samples if out <= reached[STDOUT] and err <= reached[STDERR])
    after = Offsets(reached[STDOUT], reached[STDERR], offsets.times + passed * _SAMPLE.size)
    shown = [
        parse(name.removesuffix(".log"), piece, time)
        for name, rows in timed.items()
        for time, piece in rows
        if piece.data is not None
    ]
    more = any(more for _, more in read.values())
    return Lines(tuple(sorted(shown, key=lambda line: line.time)), after, more, complete=final and not more)


def split(data: bytes, *, final: bool, after_return: bool = False) -> list[Piece]:
    r"""Cut bytes into lines at "\n", "\r" and "\r\n"; a lone "\r" (a progress bar) makes no empty line.

    `after_return`: the byte before these was a "\r". Without `final` an unfinished last line is left for the next call.
    """
    pieces: list[Piece] = []
    begin = 0
    if after_return and data[:1] == b"\n":
        pieces.append(Piece(None, 1))
        begin = 1
    for match in _END.finditer(data, begin):
        if match.start() < begin:
            continue  # the second half of a "\r\n"
        end, lone = match.end(), match[0] == b"\r"
        if lone and data[end : end + 1] == b"\n":
            end, lone = end + 1, False
        elif lone and match.start() == begin and end == len(data) and not final:
            break  # an empty line if a "\n" follows, else nothing: the next call will know
        begin = _cut(data, begin, match.start(), pieces)
        pieces.append(Piece(None if lone and begin == match.start() else data[begin : match.start()], end))
        begin = end
    begin = _cut(data, begin, len(data), pieces)
    if final and begin < len(data):
        pieces.append(Piece(data[begin:], len(data)))
    return pieces


def parse(source: str, piece: Piece, time: Micros) -> Line:
    """A line with its rank and level taken off; bad bytes and NUL (which databases refuse) become U+FFFD."""
    text = (piece.data or b"").decode("utf-8", "replace").replace("\0", "\ufffd")
    rank = level = None
    if match := _RANK.match(text):
        rank, text = int(match[1]), text[match.end() :]
    if match := _LEVEL.match(text):
        level, text = match[1], text[match.end() :]
    return Line(source, text + CUT if piece.cut else text, time, level, rank)


def _cut(data: bytes, begin: int, end: int, pieces: list[Piece]) -> int:
    """Cut what is too long off `data[begin:end]`, never within a character; where the rest begins."""
    while end - begin > LONGEST_LINE:
        stop = begin + LONGEST_LINE
        while stop > begin + LONGEST_LINE - 3 and data[stop] & 0xC0 == 0x80:
            stop -= 1
        pieces.append(Piece(data[begin:stop], stop, cut=True))
        begin = stop
    return begin


def _read_pieces(path: Path, offset: int, limit: int, final: bool) -> tuple[list[Piece], bool]:
    """Pieces from `offset` with their ends in the file, and whether the file goes on after what was read."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return [], False
    with file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(offset - 1, 0))
        after_return = offset > 0 and file.read(1) == b"\r"
        data = file.read(limit)
        pieces, more = _split_read(data, offset, size, final, after_return)
        if more and not pieces:
            data += file.read(LONGEST_LINE + 1)
            pieces, more = _split_read(data, offset, size, final, after_return)
    return [Piece(piece.data, offset + piece.end, piece.cut) for piece in pieces], more


def _split_read(data: bytes, offset: int, size: int, final: bool, after_return: bool) -> tuple[list[Piece], bool]:
    more = offset + len(data) < size
    return split(data, final=final and not more, after_return=after_return), more


def _read_samples(path: Path, offset: int, ends: Sequence[int]) -> tuple[Micros, list[tuple[int, int, int]]]:
    """The time of the sample before `offset` (0: there is none); then time and sizes from there until both `ends` are covered."""
    samples: list[tuple[int, int, int]] = []
    before = 0
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return before, samples
    with file:
        if offset >= _SAMPLE.size:
            file.seek(offset - _SAMPLE.size)
            before = _SAMPLE.unpack(file.read(_SAMPLE.size))[0]
        file.seek(offset)
        while data := file.read(_SAMPLE.size * _SAMPLES_AT_ONCE):
            samples += _SAMPLE.iter_unpack(data[: len(data) // _SAMPLE.size * _SAMPLE.size])
            if samples and samples[-1][1] >= ends[0] and samples[-1][2] >= ends[1]:
                break
    return before, samples


def _timed(
    path: Path, pieces: list[Piece], sizes: list[int], samples: list[tuple[int, int, int]], now: Micros, floor: Micros
) -> list[tuple[Micros, Piece]]:
    """Each piece with the time of the first sample that has it whole."""
    if not pieces:
        return []
    newest = max(floor, min(now, path.stat().st_mtime_ns // 1000))
    places = (bisect_left(sizes, piece.end) for piece in pieces)
    return [(samples[place][0] if place < len(samples) else newest, piece) for place, piece in zip(places, pieces, strict=True)]
