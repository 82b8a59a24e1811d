"""How tests run: what hypothesis searches, and what several processes of pytest-xdist share or keep apart."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from tests.support.consumers.adapters import KINDS
from tests.support.network import leave_network
from tests.support.selection import group

# CI tries the same examples each time, so that a failure there is one that everybody sees again.
settings.register_profile("here", deadline=None, max_examples=60)
settings.register_profile("ci", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "here")


def pytest_itemcollected(item: pytest.Item) -> None:
    """pytest-xdist gives all tests of one consumer in one folder to one process, which starts it once."""
    if isinstance(item, pytest.Function) and (kind := consumer_of(item)):
        item.add_marker(pytest.mark.xdist_group(group(item.path, kind)))


def consumer_of(item: pytest.Function) -> str | None:
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    used = [*(value for value in parameters if isinstance(value, str)), *item.fixturenames]
    return next((kind for kind in used if kind in KINDS), None)


@pytest.fixture(scope="session", autouse=True)
def own_network() -> None:
    """Services of images listen on fixed ports, and several processes run them at once."""
    if os.geteuid() == 0:
        leave_network()
