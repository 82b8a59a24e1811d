"""Fixtures of all tests: the command as users run it, a store, a real archive."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.builds import ROOT
from tests.support.needs import need_root
from tests.support.trees import Store

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
    path = ROOT.parent / "shared" / "images" / "alpine-3.10.docker-save.tar.gz"
    if not path.exists():
        pytest.skip(f"{path.name} is no part of the project, and not beside the checkout")
    return path
