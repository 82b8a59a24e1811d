"""What is made once in a test run and used by all its processes, which pytest-xdist starts."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Once = Callable[[str, Callable[[], Any]], Any]


def common_directory(factory: pytest.TempPathFactory) -> Path:
    """A temporary directory of the whole run."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """`once(name, make)` gives what `make` returned, as JSON keeps it, in whichever process was first; others wait."""
    directory = common_directory(tmp_path_factory)

    def made(name: str, make: Callable[[], Any]) -> Any:
        with (directory / f"{name}.json").open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            if text := file.read():
                return json.loads(text)
            value = make()
            json.dump(value, file)
            return value

    return made
