"""From an image to its bill of materials."""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Iterator, Mapping

from lamina.errors import BadUsage
from lamina.image.image import Image
from lamina.oci.digest import sha256
from lamina.report.contents import Contents, StorePath, contents_of
from lamina.report.sbom.bill import Bill, Part, closed
from lamina.report.sbom.databases import distribution_packages
from lamina.report.sbom.metadata import Package
from lamina.report.sbom.purl import purl
from lamina.report.sbom.vendored import Vendored

_CPE = re.compile(r"(?:cpe:2\.3:[aho*-](?::[^\s:]+){10}|cpe:/[AHOaho]?[!-~]{0,400})")
_PURL = re.compile(r"pkg:[A-Za-z][A-Za-z0-9.+-]*/[!-~]{1,1000}")
_HASH = 32


def bill_of(image: Image, metadata: Mapping[str, Package] | None = None) -> Bill:
    """The bill of an image whose layers all have digests. `metadata` is what Nix says about packages.

    Raises BadInput: a layer, a package database or a vendored document cannot be read. Raises BadUsage:
    SOURCE_DATE_EPOCH is not a time.
    """
    contents = contents_of(image)
    packages, notes = distribution_packages(image.layers)
    vendored = Vendored()
    parts = list(_store_parts(contents, metadata or {}, vendored))
    name, version = _name(image)
    return Bill(
        name=name,
        version=version,
        image_id=sha256(image.document()),
        architecture=str(image.config.get("architecture") or ""),
        created=_created(image),
        diff_ids=tuple(image.diff_ids),
        parts=closed([*parts, *packages, *vendored.parts.values()]),
        notes=tuple(notes),
    )


def _store_parts(contents: Contents, metadata: Mapping[str, Package], vendored: Vendored) -> Iterator[Part]:
    layers = contents.layer_of()
    for path, known in contents.paths.items():
        about = metadata.get(path, Package())
        layer = layers.get(path)
        inside = vendored.read(about.vendored, path, layer) if about.vendored else ()
        name, version = about.name or known.package.name, about.version or known.package.version
        output = about.output if about.output not in ("", "out") else known.package.output
        facts = {
            "nix:outputName": output,
            "nix:narHash": known.nar_hash or "",
            "nix:narSize": "" if known.nar_size is None else str(known.nar_size),
            "lamina:hidden": "a higher layer deletes it or parts of it" if known.hidden else "",
        }
        yield Part(
            ref=path,
            kind="store-path",
            name=name,
            version=version,
            purl=about.purl if _PURL.fullmatch(about.purl) else _purl(known, name, version, output),
            cpe=about.cpe if _CPE.fullmatch(about.cpe) else "",
            sha256=_hex(known),
            layer=layer,
            licenses=about.licenses,
            description=about.description,
            homepage=about.homepage,
            depends_on=(*(known.references or ()), *inside),
            facts=tuple((key, value) for key, value in facts.items() if value),
        )


def _purl(known: StorePath, name: str, version: str, output: str) -> str:
    """The package URL as syft writes it. The output and the hash of the store path distinguish parts of one package."""
    return purl("nix", name, version, qualifiers={"output": output, "outputhash": known.base[:_HASH]})


def _hex(known: StorePath) -> str:
    if not known.nar_hash:
        return ""
    from lamina.recipe.nix_database import hex_hash

    return hex_hash(known.nar_hash)


def _name(image: Image) -> tuple[str, str]:
    if image.names:
        return image.names[0].familiar_name, image.names[0].tag
    return (image.stored_names[0] if image.stored_names else "image"), ""


def _created(image: Image) -> str:
    """The time in SOURCE_DATE_EPOCH, or the time at which the image was created; never the current time."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    if epoch:
        if not re.fullmatch("[0-9]{1,11}", epoch):
            raise BadUsage("SOURCE_DATE_EPOCH", f"is {epoch!r:.40}", "set it to seconds since 1970, or unset it")
        return _text(datetime.datetime.fromtimestamp(int(epoch), datetime.UTC))
    try:
        moment = datetime.datetime.fromisoformat(str(image.config.get("created")))
        return _text(moment.astimezone(datetime.UTC) if moment.tzinfo else moment)
    except (ValueError, OverflowError):
        return "1970-01-01T00:00:01Z"


def _text(moment: datetime.datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
