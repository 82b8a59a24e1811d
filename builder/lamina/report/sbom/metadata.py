"""Metadata of packages that Nix finds when it evaluates them: licenses, CPE, package URLs, and vendored packages.

`nix/lib/metadata.nix` writes the file. It lists more packages than the image contains: only those of the image count.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from lamina.errors import BadInput
from lamina.limits import METADATA_PACKAGES
from lamina.oci.strict_json import expect, file_name, read_json_file, strings
from lamina.report.sbom.bill import License
from lamina.report.sbom.licenses import is_expression

VERSION = 1
_TEXTS = ("name", "version", "output", "description", "homepage", "cpe", "purl")
_KNOWN = frozenset((*_TEXTS, "path", "licenses", "vendored"))
_REMEDY = "give the file that the attribute `sbom.metadata` of an image builds"


@attrs.frozen
class Package:
    """A store path's package. `vendored` is a file or a directory of CycloneDX documents (bombon's passthru)."""

    name: str = ""
    version: str = ""
    output: str = ""
    description: str = ""
    homepage: str = ""
    cpe: str = ""
    purl: str = ""
    licenses: tuple[License, ...] = ()
    vendored: str = ""


def read_metadata(path: str | os.PathLike[str]) -> Mapping[str, Package]:
    """The packages by their store paths. Raises BadInput."""
    where = Path(path)
    fields = expect(read_json_file(where, _REMEDY), dict, "the metadata", where)
    if fields.get("version") != VERSION:
        raise BadInput(where, f"metadata of version {fields.get('version')!r:.20}", _REMEDY)
    items = expect(fields.get("packages"), list, "packages", where)
    if len(items) > METADATA_PACKAGES:
        raise BadInput(where, f"{len(items)} packages", f"at most {METADATA_PACKAGES} are read")
    found: dict[str, Package] = {}
    for item in items:
        fields = expect(item, dict, "a package", where)
        found.setdefault(file_name(fields.get("path"), "path", where), _package(fields, where))
    return found


def _package(fields: dict[str, Any], where: Path) -> Package:
    if unknown := sorted(set(fields) - _KNOWN):
        raise BadInput(where, f"a package has the unknown field {unknown[0]!r:.60}", _REMEDY)
    texts = {key: expect(fields.get(key) or "", str, key, where) for key in _TEXTS}
    licenses = tuple(_license(item, where) for item in expect(fields.get("licenses") or [], list, "licenses", where))
    vendored = fields.get("vendored")
    return Package(**texts, licenses=licenses, vendored=file_name(vendored, "vendored", where) if vendored else "")


def _license(item: object, where: Path) -> License:
    spdx_id, name = (*strings(item, "a license", where), "", "")[:2]
    return License(spdx_id=spdx_id) if is_expression(spdx_id) else License(name=name or spdx_id or "unknown")
