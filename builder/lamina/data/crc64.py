"""CRC-64 with the polynomial of ISO 3309, as Go's hash/crc64 computes it: tar-split data contains it for each file.

Python has no such function, and a loop over bytes would take minutes for an image. So the bytes are one large number,
whose bits are the coefficients of a polynomial. It is reduced modulo x^64 + x^4 + x^3 + x + 1, half of it at a time.
Modulo that polynomial, x^64 = x^4 + x^3 + x + 1. Squaring both sides repeatedly gives x^(64 s) = x^(4 s) + x^(3 s) +
x^s + 1 for every power of two s. So the upper half is added to the lower half at four places.
"""

from __future__ import annotations

_BLOCK = 64 << 10
_ONES = (1 << 64) - 1


class Crc64:
    """The checksum of all bytes that `update` got."""

    __slots__ = ("_register",)

    def __init__(self) -> None:
        self._register = _ONES

    def update(self, data: bytes | memoryview) -> None:
        for start in range(0, len(data), _BLOCK):
            self._register = _reduced(self._register, data[start : start + _BLOCK])

    def digest(self) -> bytes:
        """Eight bytes, the most significant first."""
        return (self._register ^ _ONES).to_bytes(8, "big")


def _reduced(register: int, data: bytes | memoryview) -> int:
    """The register after the data. Bit 0 of a number is its highest coefficient, as in the register."""
    value = int.from_bytes(data, "little") ^ register
    length = 8 * len(data) + 64
    step = 1
    while 128 * step < length:
        step *= 2
    while step:
        while length > 64 * step:
            excess = length - 64 * step
            high, low = value & ((1 << excess) - 1), value >> excess
            folded = (high << 4 * step) ^ (high << 3 * step) ^ (high << step) ^ high
            longer = excess + 4 * step - 64 * step
            value = (low << longer) ^ folded if longer > 0 else low ^ (folded << -longer)
            length = 64 * step + max(0, longer)
        step //= 2
    return value
