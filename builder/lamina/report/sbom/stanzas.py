"""What the text databases of dpkg and apk share: limits, names, and dependencies on what is installed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from lamina.errors import BadInput
from lamina.limits import PACKAGES
from lamina.report.sbom.files import FoundFile

_NAME = re.compile(r"[A-Za-z0-9_.+@~:/-]{1,200}")
_VERSION = re.compile(r"[A-Za-z0-9_.+~:^-]{1,200}")
_REMEDY = "the database is damaged: pull the base again"


def stanzas(file: FoundFile) -> Iterator[list[str]]:
    """The lines of each paragraph. Raises BadInput: there are too many."""
    count = 0
    lines: list[str] = []
    for line in file.data.decode(errors="replace").split("\n"):
        if line.strip():
            lines.append(line)
        elif lines:
            count += 1
            if count > PACKAGES:
                raise BadInput(file.where, f"more than {PACKAGES} packages", "no image has so many")
            yield lines
            lines = []
    if lines:
        yield lines


def checked(name: str, version: str, where: str) -> tuple[str, str]:
    """A package's name and version. Raises BadInput: they cannot be those of a package."""
    if not _NAME.fullmatch(name) or not _VERSION.fullmatch(version):
        raise BadInput(where, f"the package {name!r:.80} in version {version!r:.80}", _REMEDY)
    return name, version


def resolved(wanted: Iterable[Sequence[str]], providers: Mapping[str, str]) -> tuple[str, ...]:
    """The refs of what is installed: of each list of alternatives, the first one that is."""
    refs = (next((providers[name] for name in names if name in providers), None) for names in wanted)
    return tuple(ref for ref in refs if ref)
