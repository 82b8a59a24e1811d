"""What a test needs of the machine. Without it the test is skipped with the reason; under CI=true it fails."""

from __future__ import annotations

import importlib.util
import os
import shutil
from typing import NoReturn

import pytest

from tests.support.consumers.base import APT, SYSTEM_PATH


def absent(reason: str) -> NoReturn:
    """Skip, saying how to get what is missing; under CI=true its absence is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def need(program: str, package: str, install: str = APT) -> None:
    if not shutil.which(program, path=f"{SYSTEM_PATH}:{os.environ.get('PATH', '')}"):
        absent(f"no {program} here: {install} {package}")


def need_module(name: str) -> None:
    """A module that `.venv` has, and the roots with Debian's newer versions of Python lack."""
    if importlib.util.find_spec(name) is None:
        absent(f"no module {name} here: pip install -e '.[dev]'")


def need_writable(directory: str) -> None:
    """The roots with Debian's newer versions of Python are read-only."""
    if not os.access(directory, os.W_OK):
        absent(f"{directory} cannot be written to here")


def need_root() -> None:
    if os.geteuid():
        absent("this needs root here: run the tests as root")
