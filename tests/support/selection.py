"""Which tests only `make test-all` runs: they repeat at length, or with more consumers, what `make test` shows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.support.consumers.adapters import KINDS

thorough = pytest.mark.thorough


def group(path: Path, kind: str) -> str:
    """The name of the group of tests in one folder that use one consumer."""
    return f"{path.parent.name}-{kind}"


def first_of_family(kind: str) -> bool:
    """Whether it is the one consumer of its family that `make test` uses for what takes long."""
    return kind == next(name for name, other in KINDS.items() if other.family == KINDS[kind].family)


def quick(kinds: Iterable[str], *of_make_test: str) -> list[Any]:
    """All consumers as parameters, of which `make test` runs only some."""
    return [kind if kind in of_make_test else pytest.param(kind, marks=thorough) for kind in kinds]
