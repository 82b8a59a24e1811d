"""Every example in every consumer: loaded, known by its name and its ID, and run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.builds import expression, nix_build
from tests.support.built_examples import Built
from tests.support.consumers.adapters import Consumer, ConsumerError
from tests.support.consumers.matrix import Case, is_thorough, pairs, refusal
from tests.support.consumers.trial import check
from tests.support.selection import thorough

Build = Callable[[str], Built]
PAIRS = tuple(pairs())


@pytest.fixture
def consumer(request: pytest.FixtureRequest) -> Consumer:
    found: Consumer = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def compressed() -> Callable[[Case], Path]:
    """An example's archive, compressed as a whole."""
    done: dict[Case, Path] = {}

    def built(case: Case) -> Path:
        if case not in done:
            arguments = f'lamina.examples.{case.example.attribute}.buildArgs // {{ compressor = "{case.compressor}"; }}'
            done[case] = nix_build(*expression(f"lamina.buildImage ({arguments})"))
        return done[case]

    return built


@pytest.mark.parametrize(
    ("consumer", "kind", "case"),
    [
        pytest.param(kind, kind, case, id=f"{kind}-{case.title}", marks=[thorough] if is_thorough(kind, case) else [])
        for kind, case in PAIRS
    ],
    indirect=["consumer"],
)
def test_example(
    consumer: Consumer,
    kind: str,
    case: Case,
    build: Build,
    compressed: Callable[[Case], Path],
    record_property: Callable[[str, object], None],
) -> None:
    built = build(case.example.attribute)
    archive = built.archive if case.compressor == "none" else compressed(case)
    if refused := refusal(kind, case):
        with pytest.raises(ConsumerError, match=refused.says):
            consumer.load(archive)
    else:
        check(kind, consumer, built, archive)
    for key, value in (("kind", kind), ("case", case.title), ("version", consumer.version())):
        record_property(key, value)
