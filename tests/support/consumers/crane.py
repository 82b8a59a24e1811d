"""A registry into which crane pushes an archive, as clients that use go-containerregistry do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from tests.support.consumers import registry
from tests.support.consumers.base import HEAVY, Prefix, check
from tests.support.consumers.registry import Registry, without_registry


@frozen
class Crane(Registry):
    """A running registry, and crane beside it."""

    def load(self, archive: Path) -> list[str]:
        """crane does not list the names in an archive, so Skopeo does."""
        names = [without_registry(name) for name in self.skopeo.listed(archive)]
        for name in names:
            words: list[str | Path] = [
                *self.skopeo.prefix,
                "crane",
                "push",
                "--insecure",
                archive,
                f"{self.address}/{name}",
            ]
            check(words, timeout=HEAVY)
        return names


@contextmanager
def started(directory: Path, prefix: Prefix = ()) -> Iterator[Crane]:
    with registry.started(directory, prefix) as keeper:
        yield Crane(keeper.port, keeper.skopeo)
