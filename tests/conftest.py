"""What all tests share: how hypothesis searches, and the command as users run it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import settings

from .consumers.adapters import KINDS
from .needs import need_root
from .network import leave_network
from .unit.trees import Store

# CI tries the same examples each time, so that a failure there is one that everybody sees again.
settings.register_profile("here", deadline=None, max_examples=60)
settings.register_profile("ci", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "here")


def pytest_itemcollected(item: pytest.Item) -> None:
    """pytest-xdist gives all tests of one consumer to one process, which starts it once."""
    if isinstance(item, pytest.Function) and (kind := consumer_of(item)):
        item.add_marker(pytest.mark.xdist_group(kind))


def consumer_of(item: pytest.Function) -> str | None:
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    used = [*(value for value in parameters if isinstance(value, str)), *item.fixturenames]
    return next((kind for kind in used if kind in KINDS), None)


@pytest.fixture(scope="session", autouse=True)
def own_network() -> None:
    """Services of images listen on fixed ports, and several processes run them at once."""
    if os.geteuid() == 0:
        leave_network()


Command = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def lamina(tmp_path: Path) -> Command:
    """Run `lamina` as a process of its own, in `tmp_path`."""

    def run(*arguments: object, env: Mapping[str, str] = os.environ) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "lamina", *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, timeout=60)

    return run


@pytest.fixture
def as_root() -> None:
    """Nothing but the right to do all."""
    need_root()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store of the test's own."""
    return Store(tmp_path / "nix" / "store")


@pytest.fixture(scope="session")
def alpine() -> Path:
    """A real archive of docker save."""
    path = Path(__file__).parents[2] / "shared" / "images" / "alpine-3.10.docker-save.tar.gz"
    if not path.exists():
        pytest.skip(f"{path.name} is no part of the project, and not beside the checkout")
    return path
