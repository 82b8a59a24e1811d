"""Whatever the bytes of compressed data, we refuse them or unpack what Go unpacks."""

from __future__ import annotations

import bz2
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.judge.compressed import KINDS, disagreement, doubtful_data
from tests.judge.readers import go
from tests.support.needs import need


@pytest.fixture(scope="module", autouse=True)
def _the_judge() -> None:
    need("go", "golang-go")


@pytest.mark.parametrize("kind", KINDS)
def test_data_at_the_edges_of_the_format(kind: bytes) -> None:
    @settings(max_examples=500)
    @given(st.integers(0, 1 << 60))
    def try_it(number: int) -> None:
        difference = disagreement(kind, doubtful_data(Random(number), kind))
        assert not difference, difference

    try_it()


UNUSED_CODES = (
    "425a68313141592653592ed6a46a00000bffff9401008208402422095001640020620081861200402040c8281404c00081000aa0005460641"
    "90006234190c80c3000000064189907a0ea949251e3c5d3668c844f36bda55bc95233080a342d4c3f206e8e095807cc5eeb631a2ee48a70a1"
    "205dad48d4"
)
"""bzip2 data of libbz2's in which the last code of the second Huffman tree is two bits longer."""


def test_a_huffman_tree_with_unused_codes() -> None:
    """docs/design/hostile-input.md says that it is not refused here."""
    data = bytes.fromhex(UNUSED_CODES)
    assert len(bz2.decompress(data)) == 50
    assert go().ask(b"b", data)["error"].endswith("block checksum mismatch")
    assert disagreement(b"b", data) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_enough_is_unpacked(kind: bytes) -> None:
    assert [disagreement(kind, doubtful_data(Random(number), kind)) for number in range(300)].count("") > 40
