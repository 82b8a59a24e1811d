"""The formats of a bill of materials, by name, and their bytes."""

from __future__ import annotations

import json

from lamina.errors import BadUsage
from lamina.report.sbom import cyclonedx, spdx
from lamina.report.sbom.bill import Bill

FORMATS = {"cyclonedx": cyclonedx.VERSIONS, "spdx": spdx.VERSIONS}
"""The versions of each format; the last one is the default."""


def check_version(format: str, spec_version: str | None) -> str:
    """The version to write. Raises BadUsage: the format has no such version."""
    versions = FORMATS[format]
    if spec_version is None:
        return versions[-1]
    if spec_version not in versions:
        raise BadUsage("spec_version", f"{format} {spec_version!r:.20} is not written", f"use {' or '.join(versions)}")
    return spec_version


def bill_bytes(bill: Bill, format: str, spec_version: str) -> bytes:
    """The document as JSON: the same bytes for equal bills."""
    document = cyclonedx.cyclonedx(bill, spec_version) if format == "cyclonedx" else spdx.spdx(bill, spec_version)
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=True).encode() + b"\n"
