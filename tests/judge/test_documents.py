"""Whatever its keys, a document is refused or read as Go's encoding/json reads it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.oci.spelling import Shape
from tests.judge.documents import KINDS, disagreement, doubtful_document, doubtful_text
from tests.judge.readers import go
from tests.support.needs import need


@pytest.fixture(scope="module", autouse=True)
def _the_judge() -> None:
    need("go", "golang-go")


@pytest.mark.parametrize("make", [doubtful_document, doubtful_text])
@pytest.mark.parametrize("kind", KINDS)
def test_doubtful_documents(kind: bytes, make: Callable[[Random, Shape], bytes]) -> None:
    @settings(max_examples=300)
    @given(st.integers(0, 1 << 60))
    def try_it(number: int) -> None:
        data = make(Random(number), KINDS[kind])
        difference = disagreement(kind, data)
        assert not difference, (data, difference)

    try_it()


@pytest.mark.parametrize("kind", KINDS)
def test_documents_are_read_often_enough(kind: bytes) -> None:
    answers = []
    for number in range(600):
        data = doubtful_document(Random(number), KINDS[kind])
        answers.append(disagreement(kind, data) == "" and not go().ask(kind, data)["error"])
    assert sum(answers) > 40


def test_go_folds_as_we_say() -> None:
    answer = go().ask(b"m", '[{"Config":"good","\u017fize":1,"conf\u0131g":"no","LAYER\u017f":["evil"]}]'.encode())
    assert answer["value"][0]["Config"] == "good" and answer["value"][0]["Layers"] == ["evil"]
