"""dpkg's list of installed packages (deb-control(5), dpkg's lib/dpkg/parse.c)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lamina.report.sbom.bill import Part
from lamina.report.sbom.files import FoundFile
from lamina.report.sbom.packages import Counts, Installed, checked, distribution, stanzas
from lamina.report.sbom.purl import purl

_NAME = re.compile(r"\s*([A-Za-z0-9.+-]+)")
_KEPT = ("package", "version", "architecture", "status", "depends", "pre-depends", "provides", "source", "homepage",
         "description")  # fmt: skip


def dpkg_packages(file: FoundFile, release: Mapping[str, str], counts: Counts) -> list[Installed]:
    """The packages in a `status` file that are installed. Raises BadInput: the file is damaged."""
    found = [fields for lines in stanzas(file, counts) if _is_installed(fields := _fields(lines))]
    return [_installed(fields, file, release, counts) for fields in found]


def _fields(lines: list[str]) -> dict[str, str]:
    """The fields that are read, by their names in lower case. Of a field in several lines, the first one."""
    fields: dict[str, str] = {}
    for line in lines:
        key, colon, value = line.partition(":")
        if colon and not line[0].isspace() and key.lower() in _KEPT:
            fields[key.lower()] = value.strip()
    return fields


def _is_installed(fields: Mapping[str, str]) -> bool:
    """Files of distroless images have no status: they list what is in the image."""
    return "package" in fields and fields.get("status", "install ok installed").split()[-1:] == ["installed"]


def _installed(fields: Mapping[str, str], file: FoundFile, release: Mapping[str, str], counts: Counts) -> Installed:
    lists = [fields.get(key, "") for key in ("provides", "pre-depends", "depends")]
    counts.names(sum(text.count(",") + text.count("|") + 1 for text in lists if text), file)
    name, version = checked(fields["package"], fields.get("version", ""), file.where)
    vendor, distro = distribution(release, "debian")
    ref = purl("deb", name, version, vendor, _qualifiers(fields, distro))
    source = _source(fields)
    part = Part(
        ref=ref,
        kind="deb",
        name=name,
        version=version,
        purl=ref,
        layer=file.layer,
        description=fields.get("description", ""),
        homepage=fields.get("homepage", ""),
        facts=(("deb:source", source),) if source else (),
    )
    provides = [name for group in _names(lists[0]) for name in group]
    depends = [*_names(lists[1]), *_names(lists[2])]
    return Installed(part, provides, depends)


def _qualifiers(fields: Mapping[str, str], distro: str) -> dict[str, str]:
    """As syft writes them: `upstream` is the source package, with its version if that is another."""
    return {"arch": fields.get("architecture", ""), "distro": distro, "upstream": _source(fields)}


def _source(fields: Mapping[str, str]) -> str:
    """`glibc (2.36-9)` as `glibc@2.36-9`."""
    name, _, version = fields.get("source", "").partition(" ")
    return f"{name}@{version.strip('()')}" if version else name


def _names(text: str) -> list[list[str]]:
    """`a (>= 1) | b, c:any` as [[a, b], [c]]."""
    groups = ([_NAME.match(item) for item in group.split("|")] for group in text.split(","))
    return [[match[1] for match in group if match] for group in groups]
