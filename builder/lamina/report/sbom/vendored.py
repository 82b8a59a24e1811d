"""Packages that were compiled into a store path, as CycloneDX documents of other tools list them.

A package's passthru `bombonVendoredSbom` is a directory of such documents, which cargo-cyclonedx and its like wrote for
vendored Rust, npm and Go dependencies (bombon's README, "Vendored Dependencies").
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from lamina.errors import BadInput
from lamina.limits import VENDORED_FILES, VENDORED_PARTS
from lamina.oci.strict_json import expect, items_of, read_json_file
from lamina.report.sbom.bill import License, Part
from lamina.report.sbom.licenses import is_expression

_REMEDY = "bombonVendoredSbom is a directory with CycloneDX documents in JSON"


@attrs.define
class Vendored:
    """Reads documents until there are too many parts in all of them. `parts` are those of all documents."""

    parts: dict[str, Part] = attrs.field(factory=dict)

    def read(self, source: str, owner: str, layer: int | None) -> tuple[str, ...]:
        """The refs of the parts of the store path `owner`, which `source` lists. Raises BadInput."""
        refs: dict[str, None] = {}
        for file in _documents(Path(source)):
            document = expect(read_json_file(file, _REMEDY), dict, "a CycloneDX document", file)
            if document.get("bomFormat") != "CycloneDX":
                raise BadInput(file, "is no CycloneDX document", _REMEDY)
            edges = _edges(document)
            named = {
                str(item.get("bom-ref", part.ref)): part
                for item in _components(document)
                if (part := _part(item, owner, layer))
            }
            for part in named.values():
                refs[part.ref] = None
            for name, part in named.items():
                targets = [named[target].ref for target in edges.get(name, ()) if target in named]
                before = self.parts.get(part.ref, part)
                depends_on = tuple(sorted({*before.depends_on, *targets}))
                self.parts[part.ref] = attrs.evolve(before, depends_on=depends_on)
            if len(self.parts) > VENDORED_PARTS:
                raise BadInput(file, f"more than {VENDORED_PARTS} packages", "no image has so many")
        return tuple(refs)


def _documents(source: Path) -> list[Path]:
    try:
        if not source.is_dir():
            return [source]
        names = sorted(os.listdir(source))
    except (OSError, ValueError) as error:
        raise BadInput(source, getattr(error, "strerror", None) or str(error), _REMEDY) from None
    if len(names) > VENDORED_FILES:
        raise BadInput(source, f"more than {VENDORED_FILES} files", _REMEDY)
    return [source / name for name in names if name.endswith(".json")]


def _components(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All components, also those in others."""
    waiting = list(reversed(items_of(document.get("components"))))
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting += reversed(items_of(item.get("components")))


def _edges(document: dict[str, Any]) -> dict[str, list[str]]:
    items = (item for item in items_of(document.get("dependencies")) if isinstance(item, dict))
    return {str(item.get("ref")): list(map(str, items_of(item.get("dependsOn")))) for item in items}


def _part(item: dict[str, Any], owner: str, layer: int | None) -> Part | None:
    name, version, purl = (str(item.get(key) or "") for key in ("name", "version", "purl"))
    if not name:
        return None
    return Part(
        ref=purl or f"{owner}#{name}@{version}",
        kind="vendored",
        name=name,
        version=version,
        purl=purl if purl.startswith("pkg:") else "",
        cpe=str(item.get("cpe") or ""),
        layer=layer,
        licenses=tuple(_licenses(item)),
        description=str(item.get("description") or ""),
        facts=(("lamina:vendoredIn", owner),),
    )


def _licenses(item: dict[str, Any]) -> Iterator[License]:
    for choice in items_of(item.get("licenses")):
        fields = choice if isinstance(choice, dict) else {}
        license_ = fields.get("license") if isinstance(fields.get("license"), dict) else {}
        text = str(fields.get("expression") or (license_ or {}).get("id") or "").replace("/", " OR ")
        if text and is_expression(text):
            yield License(spdx_id=text)
        elif text or (license_ or {}).get("name"):
            yield License(name=text or str((license_ or {})["name"]))
