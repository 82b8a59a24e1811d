"""apk's list of installed packages (apk-tools, src/database.c)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lamina.report.sbom.bill import Part
from lamina.report.sbom.files import FoundFile
from lamina.report.sbom.licenses import listed
from lamina.report.sbom.purl import purl
from lamina.report.sbom.stanzas import checked, resolved, stanzas

_END_OF_NAME = re.compile(r"[<>=~@]")
_KEPT = frozenset("PVALTUDpo")


def apk_packages(file: FoundFile, release: Mapping[str, str]) -> list[Part]:
    """The packages in an `installed` file. Raises BadInput: the file is damaged."""
    found = [fields for lines in stanzas(file) if "P" in (fields := _fields(lines))]
    refs = [_purl(fields, release, file.where) for fields in found]
    providers: dict[str, str] = {}
    for fields, ref in zip(found, refs, strict=True):
        for name in (fields["P"], *_names(fields.get("p", ""))):
            providers.setdefault(name, ref)
    return [_part(fields, ref, providers, file.layer) for fields, ref in zip(found, refs, strict=True)]


def _fields(lines: list[str]) -> dict[str, str]:
    return {line[0]: line[2:].strip() for line in lines if line[1:2] == ":" and line[0] in _KEPT}


def _purl(fields: Mapping[str, str], release: Mapping[str, str], where: str) -> str:
    name, version = checked(fields["P"], fields.get("V", ""), where)
    vendor = release.get("ID", "alpine")
    distro = f"{vendor}-{release['VERSION_ID']}" if "VERSION_ID" in release else vendor
    return purl("apk", name, version, vendor, _qualifiers(fields, distro))


def _qualifiers(fields: Mapping[str, str], distro: str) -> dict[str, str]:
    """As syft writes them: `upstream` is the package from whose sources this one was made, if it is another."""
    origin = fields.get("o", "")
    return {"arch": fields.get("A", ""), "distro": distro, "upstream": "" if origin == fields["P"] else origin}


def _part(fields: Mapping[str, str], ref: str, providers: Mapping[str, str], layer: int) -> Part:
    wanted = [[name] for name in _names(fields.get("D", ""))]
    return Part(
        ref=ref,
        kind="apk",
        name=fields["P"],
        version=fields["V"],
        purl=ref,
        layer=layer,
        licenses=listed(fields.get("L", "")),
        description=fields.get("T", ""),
        homepage=fields.get("U", ""),
        depends_on=resolved(wanted, providers),
        facts=(("apk:origin", fields["o"]),) if fields.get("o") else (),
    )


def _names(text: str) -> list[str]:
    """`so:libc.musl-x86_64.so.1 cmd:sh=1.2 !other` without versions and conflicts."""
    return [_END_OF_NAME.split(word)[0] for word in text.split() if not word.startswith("!")]
