"""Scanners and Lamina agree: store paths with the Nix database, packages of Debian and of Alpine."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from lamina.recipe.base_database import registered_in
from lamina.recipe.open import open_image
from tests.support.archives import docker_save, layer_of, sample
from tests.support.builds import expression, nix_builds
from tests.support.consumers.base import HEAVY, check
from tests.support.consumers.scanners import Scanner, settings
from tests.support.fixtures import Command
from tests.support.recipes import save
from tests.support.sbom import checked, checked_cyclonedx, properties

STATUS = Path("/var/lib/dpkg/status")


def scan(archive: Path, directory: Path, cataloger: str) -> dict[str, Any]:
    words = ("scan", f"docker-archive:{archive}", "--output", "syft-json", "--override-default-catalogers", cataloger)
    seen: dict[str, Any] = json.loads(check(["syft", *words], timeout=HEAVY, env=settings(directory)))
    return seen


def purls(archive: Path, lamina: Command) -> list[str]:
    document = checked_cyclonedx(lamina("sbom", archive).stdout)
    return sorted(item["purl"] for item in document["components"])


def test_syft_lists_every_store_path(syft: Scanner, tmp_path: Path) -> None:
    """This syft goes by the names of directories: references are compared with the database that newer ones read."""
    image = (
        'lamina.buildLayeredImage { name = "scanned"; tag = "1"; contents = [ pkgs.jq pkgs.hello ]; '
        "includeNixDB = true; layers = [ lamina.tmp ]; }"
    )
    archive, recipe, bill = nix_builds(*expression(f"let image = {image}; in [ image image.recipe image.sbom ]"))
    paths = {item["path"] for layer in json.loads(recipe.read_bytes())["layers"] for item in layer.get("paths", ())}
    assert len(paths) > 3
    seen = [item["metadata"]["outputHash"] for item in scan(archive, tmp_path, "nix-store-cataloger")["artifacts"]]
    assert sorted(seen) == sorted(path[11:43] for path in paths)
    document = checked_cyclonedx(bill.read_bytes())
    edges = {(item["ref"], target) for item in document["dependencies"] for target in item["dependsOn"]}
    image_read = open_image(archive)
    rows = registered_in(image_read.layers, {path[11:] for path in paths})
    assert {row.path for row in rows} == paths == {item["bom-ref"] for item in document["components"]}
    references = {(row.path, target) for row in rows for target in row.references if target != row.path}
    assert references == {(one, other) for one, other in edges if one in paths}


def test_syft_agrees_on_debian(syft: Scanner, lamina: Command, tmp_path: Path) -> None:
    if not STATUS.exists():
        pytest.skip("this machine has no dpkg")
    files = {"var/lib/dpkg/status": STATUS.read_bytes(), "etc/os-release": Path("/etc/os-release").read_bytes()}
    archive = save(docker_save([sample(layers=(layer_of(files),))]), tmp_path / "debian.tar")
    found = purls(archive, lamina)
    assert len(found) > 50
    assert sorted(item["purl"] for item in scan(archive, tmp_path, "dpkg-db-cataloger")["artifacts"]) == found


def test_syft_agrees_on_alpine(syft: Scanner, lamina: Command, alpine: Path, tmp_path: Path) -> None:
    archive = tmp_path / "alpine.tar"
    archive.write_bytes(gzip.decompress(alpine.read_bytes()))
    found = purls(archive, lamina)
    assert len(found) == 14
    assert sorted(item["purl"] for item in scan(archive, tmp_path, "apk-db-cataloger")["artifacts"]) == found


def test_image_sbom_has_what_nix_knows(tmp_path: Path) -> None:
    package = """(pkgs.hello // {
      pname = "hello"; version = "2.10";
      bombonVendoredSbom = pkgs.runCommand "vendored" { } ''
        mkdir $out
        echo '{"bomFormat": "CycloneDX",
          "components": [{"name": "serde", "purl": "pkg:cargo/serde@1.0"}]}' > $out/a.json
      '';
      meta = {
        license = [ { spdxId = "GPL-3.0-or-later"; } { fullName = "Mine"; } ];
        homepage = "https://gnu.org/hello";
        identifiers.cpe = "cpe:2.3:a:gnu:hello:2.10:*:*:*:*:*:*:*";
        description = throw "not evaluated";
      };
    })"""
    layer = f"(lamina.buildLayer {{ paths = [ {package} ]; }})"
    image = f'lamina.buildLayeredImage {{ name = "hello"; layers = [ {layer} ]; }}'
    built = nix_builds(*expression(f"let image = {image}; in with image.sbom; [ cyclonedx cyclonedx16 spdx ]"))
    cyclonedx, older, spdx = (checked(path.read_bytes()) for path in built)
    assert (cyclonedx["specVersion"], older["specVersion"], spdx["spdxVersion"]) == ("1.7", "1.6", "SPDX-2.3")
    parts = {item["name"]: item for item in cyclonedx["components"]}
    hello = parts["hello"]
    assert hello["licenses"] == [{"license": {"name": "GPL-3.0-or-later"}}, {"license": {"name": "Mine"}}]
    assert (hello["version"], hello["cpe"]) == ("2.10", "cpe:2.3:a:gnu:hello:2.10:*:*:*:*:*:*:*")
    assert properties(parts["serde"])["lamina:vendoredIn"] == hello["bom-ref"]
    assert "libc6" in parts and len(hello["hashes"][0]["content"]) == 64
