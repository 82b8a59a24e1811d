"""Which tests only `make test-all` runs: repetitions with more consumers of what `make test` shows with one."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from _pytest.mark import ParameterSet

from tests.support.consumers.adapters import KINDS

thorough = pytest.mark.thorough


def first_of_family(kind: str) -> bool:
    """Whether it is the one consumer of its family that heavy tests use in `make test`."""
    return kind == next(name for name, other in KINDS.items() if other.family == KINDS[kind].family)


def one_of_each_family(kinds: Iterable[str]) -> list[ParameterSet]:
    """Parameters of a heavy test: all but the first of each family are thorough."""
    return [pytest.param(kind, marks=() if first_of_family(kind) else thorough) for kind in kinds]
