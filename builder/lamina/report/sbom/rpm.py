"""RPM's list of installed packages, if it is an SQLite file (rpm, lib/backend/sqlite.cc; its manual, "Header format").

The file is from elsewhere: only one plain table is read, and rows, bytes and steps are counted.
"""

from __future__ import annotations

import contextlib
import sqlite3
import struct
from collections.abc import Mapping

from lamina.data.sqlite import open_limited
from lamina.errors import BadInput
from lamina.limits import RPM_HEADER
from lamina.report.sbom.bill import Part
from lamina.report.sbom.files import FoundFile
from lamina.report.sbom.licenses import listed
from lamina.report.sbom.packages import REMEDY, Counts, Installed, checked, distribution
from lamina.report.sbom.purl import purl

_NAME, _VERSION, _RELEASE, _EPOCH, _SUMMARY = 1000, 1001, 1002, 1003, 1004
_LICENSE, _URL, _ARCHITECTURE, _SOURCE = 1014, 1020, 1022, 1044
_TAGS = frozenset((_NAME, _VERSION, _RELEASE, _EPOCH, _SUMMARY, _LICENSE, _URL, _ARCHITECTURE, _SOURCE))
_NUMBER, _TEXT, _TRANSLATED = 4, 6, 9
"""Types of values: INT32, STRING, I18NSTRING."""

_LONGEST = 4096


def rpm_packages(file: FoundFile, release: Mapping[str, str], counts: Counts) -> list[Installed]:
    """The packages in `rpmdb.sqlite`. Raises BadInput: the file is damaged."""
    parts: list[Part] = []
    try:
        with contextlib.closing(open_limited(file.data, RPM_HEADER)) as connection:
            kinds = connection.execute("SELECT type, sql FROM sqlite_master WHERE name = 'Packages'").fetchall()
            if len(kinds) != 1 or kinds[0][0] != "table" or "virtual" in str(kinds[0][1]).lower():
                raise BadInput(file.where, "not an RPM database", REMEDY)
            total = 0
            for (blob,) in connection.execute("SELECT blob FROM Packages NOT INDEXED"):
                counts.packages(file)
                if not isinstance(blob, bytes):
                    raise BadInput(file.where, "a row that is no package", REMEDY)
                total += len(blob)
                if total > len(file.data):
                    raise BadInput(file.where, "an RPM database whose rows are longer than the file", REMEDY)
                parts.append(_part(_tags(blob, file.where), file, release))
    except (sqlite3.Error, UnicodeError, OverflowError) as error:
        raise BadInput(file.where, f"a corrupt RPM database: {error}", REMEDY) from None
    return [Installed(part) for part in parts if part.name != "gpg-pubkey"]


def _tags(blob: bytes, where: str) -> dict[int, str]:
    """The values of a header that are read: an index of 16 bytes for each value, then the data."""
    try:
        count, size = struct.unpack_from(">II", blob)
        start = 8 + 16 * count
        if start + size > len(blob):
            raise struct.error("shorter than it says")
        tags: dict[int, str] = {}
        for position in range(8, start, 16):
            tag, kind, offset, _ = struct.unpack_from(">IIiI", blob, position)
            if tag in _TAGS and kind == _NUMBER:
                tags[tag] = str(struct.unpack_from(">I", blob, start + max(0, offset))[0])
            elif tag in _TAGS and kind in (_TEXT, _TRANSLATED):
                text = blob[start + max(0, offset) : start + max(0, offset) + _LONGEST]
                tags[tag] = text.partition(b"\0")[0].decode(errors="replace")
    except struct.error as error:
        raise BadInput(where, f"the header of a package is damaged: {error}", REMEDY) from None
    return tags


def _part(tags: Mapping[int, str], file: FoundFile, release: Mapping[str, str]) -> Part:
    name, version = checked(tags.get(_NAME, ""), f"{tags.get(_VERSION, '')}-{tags.get(_RELEASE, '')}", file.where)
    vendor, distro = distribution(release, "redhat")
    qualifiers = {"arch": tags.get(_ARCHITECTURE, ""), "epoch": tags.get(_EPOCH, ""), "distro": distro}
    qualifiers["upstream"] = tags.get(_SOURCE, "")
    ref = purl("rpm", name, version, vendor, qualifiers)
    return Part(
        ref=ref,
        kind="rpm",
        name=name,
        version=version,
        purl=ref,
        layer=file.layer,
        licenses=listed(tags.get(_LICENSE, "")),
        description=tags.get(_SUMMARY, ""),
        homepage=tags.get(_URL, ""),
        facts=(("rpm:source", tags[_SOURCE]),) if tags.get(_SOURCE) else (),
    )
