"""Whatever the bytes of compressed data, we refuse them or unpack what Go unpacks."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.judge.compressed import KINDS, disagreement, doubtful_data
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


@pytest.mark.parametrize("kind", KINDS)
def test_enough_is_unpacked(kind: bytes) -> None:
    assert [disagreement(kind, doubtful_data(Random(number), kind)) for number in range(300)].count("") > 40
