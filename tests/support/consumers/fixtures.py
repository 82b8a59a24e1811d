"""One running consumer of each kind for the whole session, under the name that it has in KINDS."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.consumers import roots
from tests.support.consumers.adapters import KINDS, KINDS_OF_FORKY, Consumer, opened
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
def forky() -> Iterator[Prefix]:
    """The words that lead a program into the root of Debian forky, whose daemons are the current ones."""
    need_root()
    if not roots.complete(roots.FORKY):
        absent("no root with Debian forky's programs here: bash dev/setup.sh test-all")
    with roots.entered(roots.FORKY) as prefix:
        yield prefix


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--newest", action="store_true", help="also run the tests of the programs of Debian forky")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The versions of forky move, so its programs are tried by `make test-all` and `make compat` only."""
    if config.getoption("--newest"):
        return
    newest = {item for item in items if uses_forky(item)}
    config.hook.pytest_deselected(items=[item for item in items if item in newest])
    items[:] = [item for item in items if item not in newest]


def uses_forky(item: pytest.Item) -> bool:
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    used = {value for value in parameters if isinstance(value, str)} | set(getattr(item, "fixturenames", ()))
    return not used.isdisjoint({"newest", "forky", *KINDS_OF_FORKY})


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Stop a consumer after the last test of its group, while other processes still run tests."""
    yield
    if nextitem and (group := group_of(item)) and group != group_of(nextitem):
        for kind in KINDS:
            for definition in item.session._fixturemanager.getfixturedefs(kind, item) or ():
                definition.finish(item._request)  # type: ignore[attr-defined]


def group_of(item: pytest.Item) -> str | None:
    """The group of the test if pytest-xdist runs all tests of a group one after the other (--dist loadgroup)."""
    mark = item.get_closest_marker("xdist_group")
    return mark.args[0] if mark and item.nodeid.endswith(f"@{mark.args[0]}") else None


@pytest.fixture
def newest() -> None:
    """For tests that only `--newest` runs."""


@pytest.fixture(scope="session")
def prefix_of(request: pytest.FixtureRequest) -> Prefixes:
    """What leads to the programs of a kind: they are there, or the test is skipped."""

    def found(kind: str) -> Prefix:
        need_root()
        if KINDS[kind].debian != "12":
            root = {"13": "trixie", "forky": "forky"}[KINDS[kind].debian]
            prefix: Prefix = request.getfixturevalue(root)
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
