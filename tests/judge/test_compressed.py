"""Whatever the bytes of compressed data, we refuse them or unpack what Go unpacks."""

from __future__ import annotations

import bz2
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.judge.compressed import KINDS, disagreement, doubtful_data, has_unused_codes
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

MORE_UNUSED_CODES = (
    "425a6831314159265359bb255b0f00000d6fff911b10c20026808004160880800c000400628c01000a2a02008010132184a00048c000001a"
    "69a0d34681e936a181909f6400188d06432033aad672c9d898816dd82155144a5bc84301f583659f846e3f2694f21e080a8445a2ee48a70a"
    "121764ab61e0425a683131415926535905d110800000017fffb5000040c205a60810a401000800700000102d0040100200c00000a1041c20"
    "23200048c000340d03269a34313d350c34321a64d00c434d346868c05093371e6701f6336f4ab2dcbf5a5300fb00509f3b6f4a62d6d61018"
    "220e1180bb9229c284802e888400"
)
"""Such data that means something else to Go before it comes to the checksum."""


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (UNUSED_CODES, "block checksum mismatch"),
        (MORE_UNUSED_CODES, "insufficient selector indices for number of symbols"),
    ],
)
def test_a_huffman_tree_with_unused_codes(text: str, error: str) -> None:
    """docs/design/hostile-input.md says that it is not refused here."""
    data = bytes.fromhex(text)
    assert bz2.decompress(data)
    assert go().ask(b"b", data)["error"].endswith(error)
    assert has_unused_codes(data) and disagreement(b"b", data) == ""


def test_usual_trees_use_all_codes() -> None:
    contents = (b"", b"a", b"tar" * 700, Random(1).randbytes(100_000))
    assert not any(has_unused_codes(bz2.compress(content)) for content in contents)


@pytest.mark.parametrize("kind", KINDS)
def test_enough_is_unpacked(kind: bytes) -> None:
    assert [disagreement(kind, doubtful_data(Random(number), kind)) for number in range(300)].count("") > 40
