"""The two files that a task writes its output to, and a third that says when they had which size.

The task writes the files itself (no pipe: a dead reader must cost no line and kill no writer). A few blocks beyond the end
are kept reserved, so that a task that prints little lives through a full disk.
"""

import contextlib
import ctypes
import os
import struct
import sys

from . import record

STDOUT = "stdout.log"
STDERR = "stderr.log"
TIMES = "times.bin"
SAMPLE = struct.Struct("<qqq")
"""Microseconds since 1970, bytes in stdout, bytes in stderr."""
RESERVE = 256 * 1024
_KEEP_SIZE = 1


class Output:
    """Opened files of one task."""

    def __init__(self, run_dir: str, owner: tuple[int, int] | None) -> None:
        """Create the files below `run_dir`; `owner` is given the task's two. Raises OSError."""
        self.stdout, self.stderr, self._times = (_create(os.path.join(run_dir, name)) for name in (STDOUT, STDERR, TIMES))
        if owner is not None:
            os.fchown(self.stdout, *owner)
            os.fchown(self.stderr, *owner)
        self._sizes = (0, 0)
        self._reserved = {self.stdout: 0, self.stderr: 0, self._times: 0}
        self._reserve()

    def sizes(self) -> tuple[int, int]:
        """Bytes in stdout and stderr now."""
        return os.fstat(self.stdout).st_size, os.fstat(self.stderr).st_size

    def sample(self) -> bool:
        """Note time and sizes if something was written since the last call; whether there was."""
        moment, sizes = record.now(), self.sizes()
        if sizes == self._sizes:
            return False
        before = os.fstat(self._times).st_size
        with contextlib.suppress(OSError):  # no space: these lines get the time of the next sample
            if os.write(self._times, SAMPLE.pack(moment, *sizes)) == SAMPLE.size:
                self._sizes = sizes
            else:
                os.ftruncate(self._times, before)
        self._reserve()
        return True

    def say(self, text: str) -> None:
        """A line of our own in the task's stderr."""
        with contextlib.suppress(OSError):
            os.write(self.stderr, (text.rstrip("\n") + "\n").encode(errors="surrogateescape"))

    def finish(self) -> tuple[int, int]:
        """Last sample, reserved blocks given back, files closed; the final sizes."""
        self.sample()
        sizes = self.sizes()
        for descriptor in (self.stdout, self.stderr, self._times):
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, os.fstat(descriptor).st_size)
            os.close(descriptor)
        return sizes

    def _reserve(self) -> None:
        for descriptor, reserved in self._reserved.items():
            size = os.fstat(descriptor).st_size
            if reserved - size < RESERVE // 2 and _allocate(descriptor, size, RESERVE):
                self._reserved[descriptor] = size + RESERVE


def _create(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _allocate(descriptor: int, offset: int, length: int) -> bool:
    """Reserve blocks without changing the size; False where the system or file system cannot, or when there is no space."""
    if not sys.platform.startswith("linux"):
        return False
    allocate = getattr(ctypes.CDLL(None), "fallocate64", None)
    if allocate is None:
        return False
    return bool(allocate(descriptor, _KEEP_SIZE, ctypes.c_int64(offset), ctypes.c_int64(length)) == 0)
