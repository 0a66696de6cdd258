"""Writes TensorBoard event files with nothing but the standard library (importing TensorBoard itself takes over a second).

A file is a row of records: length (8 bytes), its checksum, data, its checksum. The data is an `Event` message: time (field
1), step (2), and either the version of the format (3) or a summary (5) of values with tag (1) and number (2).
"""

import itertools
import os
import socket
import struct
import time

_POLYNOMIAL = 0x82F63B78
_counter = itertools.count()


def _table():
    rows = []
    for number in range(256):
        for _ in range(8):
            number = (number >> 1) ^ (_POLYNOMIAL if number & 1 else 0)
        rows.append(number)
    return tuple(rows)


_ROWS = _table()


def masked_crc32c(data):
    """Checksum of the record format."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _ROWS[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


class EventWriter:
    """Appends scalars to an event file below `folder`; the file is made with the first one."""

    def __init__(self, folder):
        self._folder = folder
        self._file = None

    def add_scalar(self, tag, value, step):
        """One number at one step."""
        if self._file is None:
            self._open()
        entry = _bytes_field(1, tag.encode()) + b"\x15" + struct.pack("<f", _as_float32(value))
        self._write(b"\x10" + _varint(step) + _bytes_field(5, _bytes_field(1, entry)))

    def flush(self):
        """Hand everything to the system."""
        if self._file is not None:
            self._file.flush()

    def close(self):
        """Finish the file; the next scalar begins another one."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self):
        os.makedirs(self._folder, exist_ok=True)
        parts = (int(time.time()), socket.gethostname(), os.getpid(), next(_counter))
        self._file = open(os.path.join(self._folder, "events.out.tfevents.%010d.%s.%d.%d" % parts), "ab")  # noqa: SIM115, UP031
        self._write(_bytes_field(3, b"brain.Event:2"))

    def _write(self, rest):
        event = b"\x09" + struct.pack("<d", time.time()) + rest
        length = struct.pack("<Q", len(event))
        checks = (struct.pack("<I", masked_crc32c(part)) for part in (length, event))
        self._file.write(length + next(checks) + event + next(checks))


def _as_float32(value):
    number = float(value)
    try:
        struct.pack("<f", number)
    except OverflowError:  # finite, but beyond what the format holds
        return float("inf") if number > 0 else float("-inf")
    return number


def _bytes_field(number, data):
    return bytes([number << 3 | 2]) + _varint(len(data)) + data


def _varint(number):
    number &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
