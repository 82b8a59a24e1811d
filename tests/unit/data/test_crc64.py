"""CRC-64 as Go computes it, compared with the definition: one bit after the other."""

from __future__ import annotations

import random

import pytest

from lamina.data.crc64 import Crc64

POLYNOMIAL = 0xD800000000000000
"""x^64 + x^4 + x^3 + x + 1, with the highest coefficient in bit 0 (Go, hash/crc64, ISO)."""


def crc(*pieces: bytes) -> str:
    state = Crc64()
    for piece in pieces:
        state.update(piece)
    return state.digest().hex()


def bit_by_bit(data: bytes) -> str:
    register = (1 << 64) - 1
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = (register >> 1) ^ (POLYNOMIAL if register & 1 else 0)
    return f"{register ^ (1 << 64) - 1:016x}"


def test_the_check_value() -> None:
    """The CRC catalogue calls it CRC-64/GO-ISO."""
    assert crc(b"123456789") == "b90956c775a41001"


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 63, 64, 65, 120, 128, 1000, 4097, (64 << 10) - 1, 64 << 10, 70_000])
def test_every_length(size: int) -> None:
    data = random.Random(size).randbytes(size)
    assert crc(data) == bit_by_bit(data)
    assert crc(data[:5], b"", data[5:]) == crc(data)
