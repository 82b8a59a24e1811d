"""Common code for the package databases of distributions: limits, names, and dependencies on installed packages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import attrs

from lamina.data.budget import Meter
from lamina.errors import BadInput
from lamina.limits import PACKAGE_DEPENDENCIES, PACKAGES
from lamina.report.sbom.bill import Part
from lamina.report.sbom.files import FoundFile

_NAME = re.compile(r"[A-Za-z0-9_.+@~:/-]{1,200}")
_VERSION = re.compile(r"[A-Za-z0-9_.+~:^-]{1,200}")

REMEDY = "the database is damaged: pull the base again"


class Installed(NamedTuple):
    """A package, other names that it provides, and what it depends on: of each list of alternatives, one."""

    part: Part
    provides: Sequence[str] = ()
    depends: Sequence[Sequence[str]] = ()


def stanzas(file: FoundFile, counts: Counts) -> Iterator[list[str]]:
    """The lines of each paragraph. Raises BadInput: there are too many."""
    lines: list[str] = []
    for line in _lines(file.data.decode(errors="replace")):
        if line.strip():
            lines.append(line)
        elif lines:
            counts.packages(file)
            yield lines
            lines = []
    if lines:
        yield lines


def _lines(text: str) -> Iterator[str]:
    """The lines, one at a time: a list of four million empty ones takes 32 MB."""
    start = 0
    while (end := text.find("\n", start)) >= 0:
        yield text[start:end]
        start = end + 1
    yield text[start:]


@attrs.define
class Counts:
    """Counts the packages of an image, and the names that they depend on or provide."""

    _packages: Meter = attrs.field(factory=lambda: Meter(PACKAGES))
    _names: int = 0

    def packages(self, file: FoundFile) -> None:
        """Count one more package. Raises BadInput: there are too many."""
        self._packages.count(1, file.budget, file.where)

    def names(self, number: int, file: FoundFile) -> None:
        """Count the names. Raises BadInput: there are too many."""
        self._names += number
        if self._names > PACKAGE_DEPENDENCIES:
            raise BadInput(file.where, f"more than {PACKAGE_DEPENDENCIES} dependencies of packages", REMEDY)


def checked(name: str, version: str, where: str) -> tuple[str, str]:
    """A package's name and version. Raises BadInput: they cannot be those of a package."""
    if not _NAME.fullmatch(name) or not _VERSION.fullmatch(version):
        raise BadInput(where, f"the package {name!r:.80} in version {version!r:.80}", REMEDY)
    return name, version


def distribution(release: Mapping[str, str], default: str) -> tuple[str, str]:
    """Vendor and distribution, as package URLs have them: `debian` and `debian-12`."""
    vendor = release.get("ID", default)
    return vendor, f"{vendor}-{release['VERSION_ID']}" if "VERSION_ID" in release else vendor


def linked(packages: Sequence[Installed]) -> list[Part]:
    """The parts, with the refs of what they depend on: of each list of alternatives, the first that is installed."""
    providers: dict[str, str] = {}
    for item in packages:
        for name in (item.part.name, *item.provides):
            providers.setdefault(name, item.part.ref)
    return [attrs.evolve(item.part, depends_on=tuple(_resolved(item.depends, providers))) for item in packages]


def _resolved(depends: Iterable[Sequence[str]], providers: Mapping[str, str]) -> Iterator[str]:
    for names in depends:
        yield from [providers[name] for name in names if name in providers][:1]
