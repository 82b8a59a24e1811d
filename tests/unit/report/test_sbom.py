"""Bills of materials: every store path once, valid against the official schemas, the same bytes each time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.errors import BadInput, BadUsage
from lamina.image.hashing import with_digests
from lamina.recipe.open import open_image, open_images
from lamina.report.sbom.bill import License
from lamina.report.sbom.collect import bill_of
from lamina.report.sbom.licenses import WELL_KNOWN, expression, is_expression, listed
from lamina.report.sbom.metadata import read_metadata
from lamina.report.sbom.purl import purl
from lamina.report.sbom.write import FORMATS, bill_bytes, check_version
from tests.support.archives import SHAPES, Shape, docker_save, sample
from tests.support.fixtures import Command
from tests.support.kinds_of_images import KINDS
from tests.support.recipes import archive_of, image_of, recipe, save, store_layer, write_recipe
from tests.support.sbom import checked, checked_cyclonedx, parsed_purl, properties, spdx_schema, write_json
from tests.support.trees import Store

ALL = [(format, version) for format, versions in FORMATS.items() for version in versions]
HASH = hashlib.sha256(b"a NAR").hexdigest()


@pytest.fixture
def fields(tmp_path: Path) -> dict[str, Any]:
    """An image of three store paths, of which the first two refer to each other or to the last one."""
    store = Store(tmp_path / "nix/store")
    app, lib, doc = (store.add(name, {"f": name.encode()}) for name in ("app-1.2", "lib-3.0-dev", "doc"))
    described = recipe(store_layer(lib, doc), store_layer(app))
    for layer in described["layers"]:
        for item in layer["paths"]:
            item["narHash"] = f"sha256:{HASH}"
    described["references"] = ["0", "", "0 1"]
    return described


def metadata_of(fields: dict[str, Any], directory: Path, **about: Any) -> Path:
    path = fields["layers"][1]["paths"][0]["path"]
    return write_json({"version": 1, "packages": [{"path": path, **about}]}, directory / "metadata.json")


def bill_json(
    fields: dict[str, Any], metadata: Path | None = None, format: str = "cyclonedx", version: str = "1.7"
) -> Any:
    bill = bill_of(with_digests(image_of(fields), None), read_metadata(metadata) if metadata else None)
    return checked(bill_bytes(bill, format, version))


def by_name(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in document.get("components") or document["packages"]}


def test_cyclonedx(fields: dict[str, Any], tmp_path: Path) -> None:
    about = {
        "name": "app",
        "version": "1.2",
        "licenses": [["GPL-3.0-or-later", "GNU GPL"], ["MIT", "MIT"]],
        "cpe": "cpe:2.3:a:vendor:app:1.2:*:*:*:*:*:*:*",
        "homepage": "https://example.org/app",
        "description": "an application",
    }
    document = bill_json(fields, metadata_of(fields, tmp_path, **about))
    parts = by_name(document)
    assert sorted(parts) == ["app", "doc", "lib"]
    app, lib = parts["app"], parts["lib"]
    assert app["hashes"] == [{"alg": "SHA-256", "content": HASH}]
    assert app["licenses"] == [{"expression": "GPL-3.0-or-later AND MIT"}]
    assert (app["cpe"], app["description"]) == (about["cpe"], about["description"])
    assert app["externalReferences"] == [{"type": "website", "url": about["homepage"]}]
    assert parsed_purl(lib["purl"]).to_dict()["qualifiers"]["output"] == "dev"
    assert (lib["version"], properties(lib)["nix:outputName"]) == ("3.0", "dev")
    assert (properties(lib)["lamina:layer"], properties(app)["lamina:layer"]) == ("1", "2")
    image = document["metadata"]["component"]
    assert (image["name"], image["version"], image["type"]) == ("app", "1", "container")
    assert properties(app)["lamina:layerDiffId"] == properties(image)["lamina:layer:2:diffId"]
    edges = {item["ref"]: item["dependsOn"] for item in document["dependencies"]}
    assert edges[app["bom-ref"]] == sorted([lib["bom-ref"], parts["doc"]["bom-ref"]])
    assert edges[lib["bom-ref"]] == edges[parts["doc"]["bom-ref"]] == []
    assert edges[image["bom-ref"]] == [app["bom-ref"]]


def test_spdx(fields: dict[str, Any], tmp_path: Path) -> None:
    licenses = [["MIT", "MIT"], ["", "A License of My Own"]]
    cpe = "cpe:2.3:a:vendor:app:1.2:*:*:*:*:*:*:*"
    metadata = metadata_of(fields, tmp_path, licenses=licenses, cpe=cpe, homepage="https://example.org")
    document = bill_json(fields, metadata, "spdx", "2.3")
    [image, *_] = document["packages"]
    parts = by_name(document)
    app = parts["app"]
    assert app["checksums"] == [{"algorithm": "SHA256", "checksumValue": HASH}]
    assert app["licenseDeclared"] == "MIT AND LicenseRef-A-License-of-My-Own"
    [license_] = document["hasExtractedLicensingInfos"]
    assert license_["extractedText"] == "A License of My Own"
    assert {item["referenceType"] for item in app["externalRefs"]} == {"purl", "cpe23Type"}
    edges = {(item["spdxElementId"], item["relationshipType"], item["relatedSpdxElement"])
             for item in document["relationships"]}  # fmt: skip
    assert edges == {
        ("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-image"),
        *(("SPDXRef-image", "CONTAINS", parts[name]["SPDXID"]) for name in ("app", "lib", "doc")),
        *((app["SPDXID"], "DEPENDS_ON", parts[name]["SPDXID"]) for name in ("lib", "doc")),
    }
    assert image["primaryPackagePurpose"] == "CONTAINER"


@pytest.mark.parametrize(("format", "version"), ALL)
def test_the_bytes_depend_on_the_content_alone(
    fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch, format: str, version: str
) -> None:
    def made() -> bytes:
        return bill_bytes(bill_of(with_digests(image_of(fields), None)), format, version)

    first = made()
    assert made() == first
    assert b"1970-01-01T00:00:01Z" in first  # the image's own time
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert b"1970-01-02T00:00:00Z" in made() and made() != first
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "tomorrow")
    with pytest.raises(BadUsage, match="SOURCE_DATE_EPOCH"):
        made()


def test_vendored_packages(fields: dict[str, Any], tmp_path: Path) -> None:
    component = {"type": "library", "bom-ref": "a", "name": "serde", "version": "1.0", "purl": "pkg:cargo/serde@1.0"}
    inner = {"type": "library", "bom-ref": "b", "name": "libc", "licenses": [{"expression": "MIT OR Apache-2.0"}]}
    vendored = tmp_path / "vendored"
    vendored.mkdir()
    edges = [{"ref": "a", "dependsOn": ["b"]}]
    components = [component | {"components": [inner]}]
    document = {"bomFormat": "CycloneDX", "specVersion": "1.5", "components": components, "dependencies": edges}
    write_json(document, vendored / "cargo.json")
    (vendored / "README").write_text("not a document")
    metadata = metadata_of(fields, tmp_path, vendored=str(vendored))
    made = bill_json(fields, metadata)
    parts = by_name(made)
    edges_made = {item["ref"]: item["dependsOn"] for item in made["dependencies"]}
    libc, serde = parts["libc"]["bom-ref"], parts["serde"]["bom-ref"]
    assert serde == "pkg:cargo/serde@1.0" and libc.endswith("#libc@")
    assert edges_made[serde] == [libc]
    assert {serde, libc} < set(edges_made[parts["app"]["bom-ref"]])
    assert parts["libc"]["licenses"] == [{"expression": "MIT OR Apache-2.0"}]
    bill_json(fields, metadata, "spdx", "2.3")
    write_json({"spdxVersion": "SPDX-2.3"}, vendored / "other.json")
    with pytest.raises(BadInput, match="is no CycloneDX document"):
        bill_json(fields, metadata)


@pytest.mark.parametrize("field", ["license", "__proto__"])
def test_unknown_fields_of_metadata(fields: dict[str, Any], tmp_path: Path, field: str) -> None:
    with pytest.raises(BadInput, match=f"unknown field '{field}'"):
        read_metadata(metadata_of(fields, tmp_path, **{field: "MIT"}))


def test_values_that_no_document_may_have_are_left_out(fields: dict[str, Any], tmp_path: Path) -> None:
    metadata = metadata_of(fields, tmp_path, cpe="no cpe", purl="no purl", homepage="javascript:alert(1)")
    app = by_name(bill_json(fields, metadata))["app"]
    assert app["purl"].startswith("pkg:nix/app@1.2") and "cpe" not in app and "externalReferences" not in app


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_images_of_other_tools(shape: Shape, tmp_path: Path) -> None:
    path = save(shape([sample()]), tmp_path / "it.tar")
    bill = bill_of(with_digests(open_image(path), None))
    document = checked_cyclonedx(bill_bytes(bill, "cyclonedx", "1.6"))
    assert len(properties(document["metadata"]["component"])) == 4  # image ID, architecture, two layers


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_every_kind_of_image(kind: Any, tmp_path: Path) -> None:
    """The recipe and its archives are one image, with one bill but for what only a recipe knows."""
    fields = kind(tmp_path)
    sources = [write_recipe(fields, tmp_path)]
    sources += [archive_of(fields, tmp_path / f"{layout}.tar", layout) for layout in ("universal", "classic")]
    bills = [bill_of(with_digests(open_images(path)[0], None)) for path in sources]
    checked_cyclonedx(bill_bytes(bills[0], "cyclonedx", "1.7"))
    assert len({(bill.image_id, bill.diff_ids) for bill in bills}) == 1


def test_command(fields: dict[str, Any], tmp_path: Path, lamina: Command) -> None:
    path = write_recipe(fields, tmp_path)
    assert lamina("sbom", path, "--format", "spdx", "-o", tmp_path / "out.json").returncode == 0
    assert checked((tmp_path / "out.json").read_bytes())["spdxVersion"] == "SPDX-2.3"
    done = lamina("sbom", path, "--spec-version", "1.4")
    assert done.returncode == 2
    assert done.stderr == b"lamina: --spec-version: cyclonedx '1.4' is not written; use 1.6 or 1.7\n"


def test_versions() -> None:
    assert [check_version(format, None) for format in FORMATS] == ["1.7", "2.3"]


def test_names_of_an_archive_that_are_not_valid(tmp_path: Path) -> None:
    image = open_image(save(docker_save([sample(names=())]), tmp_path / "it.tar"))
    assert checked_cyclonedx(bill_bytes(bill_of(image), "cyclonedx", "1.7"))["metadata"]["component"]["name"] == "image"


LICENSES = [
    ("MIT", True),
    ("MIT OR Apache-2.0", True),
    ("(GPL-2.0-only WITH Classpath-exception-2.0) AND MIT", True),
    ("GPL-2.0+", True),
    ("MIT Apache-2.0", False),
    ("MIT AND", False),
    ("OR MIT", False),
    ("(MIT", False),
    ("MIT)", False),
    ("", False),
    ("GPL v2", False),
    ("a b", False),
    ("MIT AND (OR)", False),
]


@pytest.mark.parametrize(("text", "is_one"), LICENSES)
def test_license_expressions(text: str, is_one: bool) -> None:
    assert is_expression(text) == is_one


def test_licenses() -> None:
    assert expression([License("MIT OR ISC"), License("MIT")]) == "(MIT OR ISC) AND MIT"
    assert expression([License("MIT"), License(name="mine")]) == "" == expression([])
    assert listed("GPL-2.0-or-later AND MIT") == (License("GPL-2.0-or-later AND MIT"),)
    assert listed("GPL2+") == (License(name="GPL2+"),)
    assert listed(" ") == ()


def test_well_known_licenses_are_those_of_spdx() -> None:
    schema = spdx_schema()
    assert set(json.loads(schema.read_text())["enum"]) >= WELL_KNOWN


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="/", exclude_categories=("Z", "C")), min_size=1)


@given(name=TEXT, version=TEXT, value=TEXT)
def test_package_urls_are_read_back(name: str, version: str, value: str) -> None:
    made = parsed_purl(purl("deb", name, version, "debian", {"upstream": value, "arch": ""}))
    assert (made.name, made.version, made.namespace) == (name, version, "debian")
    assert made.qualifiers == {"upstream": value}
