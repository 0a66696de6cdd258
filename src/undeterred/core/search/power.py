"""Powers with the rounding of the compatible system, whose numbers must come out the same to the last bit.

Its library multiplies binary powers of the base's mantissa and takes logarithm and exponential of the fractional part alone; the
C library's `pow` rounds better and so differs in the last bit now and then.
"""

import math


def power(base: float, exponent: float) -> float:
    """`base**exponent` for a positive base; infinity where that is no float."""
    fraction, whole = math.modf(abs(exponent))
    if whole > 2**62:
        return base**exponent if base <= 1 else math.inf if exponent > 0 else 0.0
    left = int(whole)
    mantissa, scale = 1.0, 0
    if fraction:
        if fraction > 0.5:
            fraction, left = fraction - 1, left + 1
        mantissa = math.exp(fraction * math.log(base))
    square, binary = math.frexp(base)
    while left and abs(binary) <= 4096:
        if left & 1:
            mantissa, scale = mantissa * square, scale + binary
        square, binary, left = square * square, binary * 2, left >> 1
        if square < 0.5:
            square, binary = square + square, binary - 1
    if left:
        scale += binary
    if exponent < 0:
        mantissa, scale = 1 / mantissa, -scale
    try:
        return math.ldexp(mantissa, scale)
    except OverflowError:
        return math.inf
