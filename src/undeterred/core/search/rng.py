"""The random stream of a search: Mersenne Twister 19937 with the draws of `numpy.random.RandomState`, without numpy.

The standard library runs the same generator, only its seeding and its ways to draw differ: the state is set as numpy's
`RandomState(seed)` does for an integer seed, and each draw takes 32-bit outputs in numpy's order.
"""

import base64
import struct
from random import Random
from typing import Any

from undeterred.base.errors import Invalid

_WORDS = 624
_ALL_32 = 0xFFFFFFFF


def _seeded_words(seed: int) -> list[int]:
    """The 624 words that the generator's authors' `init_genrand(seed)` gives."""
    words = [seed & _ALL_32]
    for index in range(1, _WORDS):
        last = words[-1]
        words.append((1812433253 * (last ^ (last >> 30)) + index) & _ALL_32)
    return words


class Rng:
    """One stream; the same seed and the same draws give the same values as numpy's `RandomState(seed)`."""

    __slots__ = ("_random",)

    def __init__(self, seed: int) -> None:
        """Start the stream of a 32-bit seed; raises Invalid when the seed is no 32-bit number."""
        if not 0 <= seed <= _ALL_32:
            raise Invalid(f"the seed of an experiment is a number from 0 to {_ALL_32}, not {seed}")
        self._random = Random()  # noqa: S311 - a reproducible stream is the purpose
        self._set([*_seeded_words(seed), _WORDS])

    def random_sample(self) -> float:
        """A number from [0, 1) with 53 random bits."""
        return self._random.random()

    def uniform(self, low: float, high: float) -> float:
        """A number from [low, high)."""
        return low + (high - low) * self._random.random()

    def randint(self, low: int, high: int) -> int:
        """An integer from [low, high), by masked rejection; one possible value takes no draw. Raises ValueError for none."""
        span = high - 1 - low
        if span < 0:
            raise ValueError(f"low >= high: {low}, {high}")
        if span == 0:
            return low
        mask = (1 << span.bit_length()) - 1
        draw = self._random.getrandbits
        wide = span > _ALL_32
        while True:
            value = (draw(32) << 32 | draw(32)) & mask if wide else draw(32) & mask
            if value <= span:
                return low + value

    def bytes(self, size: int) -> bytes:
        """`size` random bytes: 32-bit outputs, least byte first."""
        draw = self._random.getrandbits
        return b"".join(struct.pack("<I", draw(32)) for _ in range((size + 3) // 4))[:size]

    def request_id(self) -> str:
        """A version 4 uuid made of the next 16 bytes."""
        raw = bytearray(self.bytes(16))
        raw[6] = raw[6] & 0x0F | 0x40
        raw[8] = raw[8] & 0x3F | 0x80
        text = raw.hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def snapshot(self) -> dict[str, Any]:
        """The state of the stream as JSON data."""
        words = self._random.getstate()[1]
        return {"pos": words[-1], "key": base64.b64encode(struct.pack(f"<{_WORDS}I", *words[:-1])).decode()}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on where `snapshot` was taken."""
        self._set([*struct.unpack(f"<{_WORDS}I", base64.b64decode(snapshot["key"])), snapshot["pos"]])

    def _set(self, words: list[int]) -> None:
        self._random.setstate((3, tuple(words), None))
