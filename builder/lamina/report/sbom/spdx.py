"""Bills of materials as SPDX 2.3 documents in JSON (spdx.github.io/spdx-spec/v2.3).

The documents are written here: importing and validating with spdx-tools takes minutes for 2,000 store paths;
`docs/design/sbom.md` has the figures. The tests validate the documents with spdx-tools.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterator

from lamina import __version__
from lamina.oci.strict_json import Json, canonical
from lamina.report.sbom.bill import MEANING, Bill, Part
from lamina.report.sbom.licenses import expression, reference

VERSIONS = ("2.3",)
_NAMESPACE = uuid.UUID("c0b1a9de-3f58-5d0c-8a0e-6c0d4f1f2b77")
_DOCUMENT = "SPDXRef-DOCUMENT"
_IMAGE = "SPDXRef-image"
_NONE = "NOASSERTION"
_IDENTIFIER = re.compile(r"[^A-Za-z0-9.-]+")


def spdx(bill: Bill, spec_version: str) -> Json:
    """The document. Equal bills give equal documents."""
    ids = {part.ref: _identifier(part) for part in bill.parts}
    contained = [_relationship(_IMAGE, "CONTAINS", ids[part.ref]) for part in bill.parts]
    edges = [
        _relationship(ids[part.ref], "DEPENDS_ON", ids[target]) for part in bill.parts for target in part.depends_on
    ]
    names = {item.name: reference(item.name) for part in bill.parts if not expression(part.licenses)
             for item in part.licenses if not item.spdx_id}  # fmt: skip
    document: Json = {
        "spdxVersion": f"SPDX-{spec_version}",
        "dataLicense": "CC0-1.0",
        "SPDXID": _DOCUMENT,
        "name": bill.name,
        "creationInfo": {"created": bill.created, "creators": [f"Tool: lamina-{__version__}"]},
        "packages": [_image(bill), *(_package(part, ids[part.ref], bill) for part in bill.parts)],
        "relationships": [_relationship(_DOCUMENT, "DESCRIBES", _IMAGE), *contained, *edges],
    }
    if comment := "; ".join(bill.notes):
        document["comment"] = comment
    if names:
        texts = [{"licenseId": ref, "name": name, "extractedText": name} for name, ref in _by_reference(names)]
        document["hasExtractedLicensingInfos"] = texts
    number = uuid.uuid5(_NAMESPACE, canonical(document).decode())
    return document | {"documentNamespace": f"https://spdx.org/spdxdocs/lamina-{number}"}


def _by_reference(names: dict[str, str]) -> list[tuple[str, str]]:
    """One name for each reference: names that differ in spaces or marks have the same one."""
    by_reference = {ref: name for name, ref in sorted(names.items(), reverse=True)}
    return sorted((name, ref) for ref, name in by_reference.items())


def _identifier(part: Part) -> str:
    """Letters, digits, dots and dashes are allowed; the digest distinguishes refs that differ in other characters."""
    base = part.ref.rpartition("/")[2] if part.kind == "store-path" else f"{part.kind}-{part.name}-{part.version}"
    digest = hashlib.sha256(part.ref.encode(errors="replace")).hexdigest()[:12]
    return f"SPDXRef-{_IDENTIFIER.sub('-', base)}" + ("" if part.kind == "store-path" else f"-{digest}")


def _relationship(one: str, kind: str, other: str) -> Json:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def _image(bill: Bill) -> Json:
    layers = ", ".join(bill.diff_ids)
    return {
        "SPDXID": _IMAGE,
        "name": bill.name,
        **({"versionInfo": bill.version} if bill.version else {}),
        "primaryPackagePurpose": "CONTAINER",
        "downloadLocation": _NONE,
        "filesAnalyzed": False,
        "comment": f"image ID {bill.image_id}; for linux/{bill.architecture}; layers {layers}; {MEANING}",
    }


def _package(part: Part, identifier: str, bill: Bill) -> Json:
    return dict(_fields(part, identifier, bill))


def _fields(part: Part, identifier: str, bill: Bill) -> Iterator[tuple[str, object]]:
    yield "SPDXID", identifier
    yield "name", part.name
    if part.version:
        yield "versionInfo", part.version
    yield "downloadLocation", _NONE
    yield "filesAnalyzed", False
    if part.sha256:
        yield "checksums", [{"algorithm": "SHA256", "checksumValue": part.sha256}]
    if part.licenses:
        yield "licenseDeclared", _license(part)
    if part.description:
        yield "summary", part.description
    if part.homepage.startswith(("https://", "http://")) and not re.search(r"\s", part.homepage):
        yield "homepage", part.homepage
    if references := list(_references(part)):
        yield "externalRefs", references
    facts = [f"{name}: {value}" for name, value in sorted(part.facts)]
    if part.kind == "store-path":
        facts.append(f"nix:storePath: {part.ref}")
    if part.layer is not None:
        facts.append(f"layer {part.layer + 1}, {bill.diff_ids[part.layer]}")
    yield "comment", "; ".join([part.kind, *facts])


def _license(part: Part) -> str:
    """An expression; names become references, which the document explains."""
    words = [item.spdx_id or reference(item.name) for item in part.licenses]
    return expression(part.licenses) or " AND ".join(
        f"({word})" if " " in word else word for word in dict.fromkeys(words)
    )


def _references(part: Part) -> Iterator[Json]:
    if part.purl:
        yield {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": part.purl}
    if part.cpe:
        kind = "cpe23Type" if part.cpe.startswith("cpe:2.3:") else "cpe22Type"
        yield {"referenceCategory": "SECURITY", "referenceType": kind, "referenceLocator": part.cpe}
