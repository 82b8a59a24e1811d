"""Bills of materials as CycloneDX documents in JSON, versions 1.6 and 1.7 (ECMA-424; cyclonedx.org/docs).

The documents are written here: cyclonedx-python-lib keeps every dependency in a sorted set of models, which takes half
a minute for 2,000 store paths with ten references each; `docs/design/sbom.md` has the figures. The tests validate the
documents with that library and the official schemas in it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from lamina import __version__
from lamina.oci.strict_json import Json, canonical
from lamina.report.sbom.bill import MEANING, Bill, Part
from lamina.report.sbom.licenses import expression

VERSIONS = ("1.6", "1.7")
_NAMESPACE = uuid.UUID("5a0f8f6b-1d3e-5c67-9a55-2f4d6f0e7c11")
"""For serial numbers, which are derived from the document's content."""

_IMAGE = "image"


def cyclonedx(bill: Bill, spec_version: str) -> Json:
    """The document. Equal bills give equal documents."""
    document: Json = {
        "$schema": f"http://cyclonedx.org/schema/bom-{spec_version}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": spec_version,
        "version": 1,
        "metadata": {
            "timestamp": bill.created,
            "tools": {"components": [{"type": "application", "name": "lamina", "version": __version__}]},
            "component": _image(bill),
            "properties": _properties([("lamina:checksum", MEANING), *(("lamina:note", note) for note in bill.notes)]),
        },
        "components": [_component(part, bill) for part in bill.parts],
        "dependencies": [
            {"ref": _IMAGE, "dependsOn": bill.roots()},
            *({"ref": part.ref, "dependsOn": list(part.depends_on)} for part in bill.parts),
        ],
        "compositions": [{"aggregate": "complete" if bill.complete else "incomplete", "assemblies": [_IMAGE]}],
    }
    return document | {"serialNumber": uuid.uuid5(_NAMESPACE, canonical(document).decode()).urn}


def _image(bill: Bill) -> Json:
    facts = [("lamina:imageId", bill.image_id), ("lamina:architecture", bill.architecture)]
    facts += [(f"lamina:layer:{number}:diffId", diff_id) for number, diff_id in enumerate(bill.diff_ids, 1)]
    version = {"version": bill.version} if bill.version else {}
    return {"type": "container", "bom-ref": _IMAGE, "name": bill.name, **version, "properties": _properties(facts)}


def _component(part: Part, bill: Bill) -> Json:
    return dict(_fields(part, bill))


def _fields(part: Part, bill: Bill) -> Iterator[tuple[str, object]]:
    yield "type", "library" if part.kind == "vendored" else "application"
    yield "bom-ref", part.ref
    yield "name", part.name
    if part.version:
        yield "version", part.version
    if part.description:
        yield "description", part.description
    if part.sha256:
        yield "hashes", [{"alg": "SHA-256", "content": part.sha256}]
    if part.licenses:
        yield "licenses", _licenses(part)
    if part.cpe:
        yield "cpe", part.cpe
    if part.purl:
        yield "purl", part.purl
    if part.homepage and _is_url(part.homepage):
        yield "externalReferences", [{"type": "website", "url": part.homepage}]
    facts = [("lamina:kind", part.kind), *part.facts]
    if part.kind == "store-path":
        facts.append(("nix:storePath", part.ref))
    if part.layer is not None:
        facts += [("lamina:layer", str(part.layer + 1)), ("lamina:layerDiffId", bill.diff_ids[part.layer])]
    yield "properties", _properties(facts)


def _licenses(part: Part) -> list[Json]:
    if text := expression(part.licenses):
        return [{"expression": text}]
    return [{"license": {"name": item.spdx_id or item.name}} for item in part.licenses]


def _properties(facts: list[tuple[str, str]]) -> list[Json]:
    return [{"name": name, "value": value} for name, value in sorted(facts)]


def _is_url(text: str) -> bool:
    """Whether the text is an IRI reference, as the schema demands."""
    return text.startswith(("https://", "http://")) and text.isascii() and not any(c in ' "<>\\^`{|}' for c in text)
