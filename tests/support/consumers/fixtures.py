"""One running consumer of each kind for the whole session, under the name that it has in KINDS."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.consumers import roots
from tests.support.consumers.adapters import KINDS, Consumer, opened
from tests.support.consumers.base import Prefix
from tests.support.needs import absent, need, need_root

Prefixes = Callable[[str], Prefix]


@pytest.fixture(scope="session")
def trixie() -> Iterator[Prefix]:
    """The words that lead a program into Debian 13's root."""
    need_root()
    if not roots.complete(roots.TRIXIE):
        absent("no root with Debian 13's programs here: bash dev/setup.sh test")
    with roots.entered() as prefix:
        yield prefix


@pytest.fixture(scope="session")
def prefix_of(request: pytest.FixtureRequest) -> Prefixes:
    """What leads to the programs of a kind: they are there, or the test is skipped."""

    def found(kind: str) -> Prefix:
        need_root()
        if KINDS[kind].debian == "13":
            prefix: Prefix = request.getfixturevalue("trixie")
            return prefix
        for program, package in KINDS[kind].programs.items():
            need(program, package, KINDS[kind].install)
        return ()

    return found


def running(kind: str) -> Callable[[Prefixes], Iterator[Consumer]]:
    @pytest.fixture(scope="session", name=kind)
    def consumer(prefix_of: Prefixes) -> Iterator[Consumer]:
        with opened(kind, prefix_of(kind)) as started:
            yield started

    return consumer


# A fixture is found by the name that pytest was given, so the names here only have to differ.
globals().update({f"{kind}_fixture": running(kind) for kind in KINDS})
