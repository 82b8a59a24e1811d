"""apk's list of installed packages (apk-tools, src/database.c)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lamina.report.sbom.bill import Part
from lamina.report.sbom.files import FoundFile
from lamina.report.sbom.licenses import listed
from lamina.report.sbom.packages import Counts, Installed, checked, distribution, stanzas
from lamina.report.sbom.purl import purl

_END_OF_NAME = re.compile(r"[<>=~@]")
_KEPT = frozenset("PVALTUDpo")


def apk_packages(file: FoundFile, release: Mapping[str, str], counts: Counts) -> list[Installed]:
    """The packages in an `installed` file. Raises BadInput: the file is damaged."""
    found = [fields for lines in stanzas(file, counts) if "P" in (fields := _fields(lines))]
    return [_installed(fields, file, release, counts) for fields in found]


def _fields(lines: list[str]) -> dict[str, str]:
    return {line[0]: line[2:].strip() for line in lines if line[1:2] == ":" and line[0] in _KEPT}


def _installed(fields: Mapping[str, str], file: FoundFile, release: Mapping[str, str], counts: Counts) -> Installed:
    lists = [fields.get(key, "") for key in ("D", "p")]
    counts.names(sum(text.count(" ") + 1 for text in lists if text), file)
    name, version = checked(fields["P"], fields.get("V", ""), file.where)
    vendor, distro = distribution(release, "alpine")
    ref = purl("apk", name, version, vendor, _qualifiers(fields, distro))
    part = Part(
        ref=ref,
        kind="apk",
        name=name,
        version=version,
        purl=ref,
        layer=file.layer,
        licenses=listed(fields.get("L", "")),
        description=fields.get("T", ""),
        homepage=fields.get("U", ""),
        facts=(("apk:origin", fields["o"]),) if fields.get("o") else (),
    )
    depends = [[name] for name in _names(lists[0])]
    return Installed(part, _names(lists[1]), depends)


def _qualifiers(fields: Mapping[str, str], distro: str) -> dict[str, str]:
    """As syft writes them: `upstream` is the package from whose sources this one was made, if it is another."""
    origin = fields.get("o", "")
    return {"arch": fields.get("A", ""), "distro": distro, "upstream": "" if origin == fields["P"] else origin}


def _names(text: str) -> list[str]:
    """`so:libc.musl-x86_64.so.1 cmd:sh=1.2 !other` without versions and conflicts."""
    return [_END_OF_NAME.split(word)[0] for word in text.split(" ") if word and not word.startswith("!")]
