"""OCI archives, layouts and indexes as results of the Nix functions, and the attribute `digest`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lamina.data.compressors import LAYER_COMPRESSORS, LAYER_LEVELS
from lamina.report.verify import verify
from tests.support.builds import ROOT, nix, nix_build
from tests.support.consumers.base import Consumer, check
from tests.support.consumers.skopeo import Skopeo
from tests.support.fixtures import Command
from tests.support.selection import quick

OF_ARCHIVES = (
    *("podman_trixie", "dockerd_trixie_containerd", "containerd", "containerd_trixie"),
    *("podman_forky", "dockerd_forky_containerd", "containerd_forky"),
)
"""More daemons that load OCI archives."""

IMAGES = f"""
let
  lamina = import {ROOT} {{ }};
  image = given: lamina.buildImage ({{
    name = "team/app"; tag = "1"; config.Cmd = [ "/x" ]; layerCompressor = "zstd"; layerLevel = 1;
    annotations."org.opencontainers.image.source" = "here";
  }} // given);
in rec {{
  archive = image {{ format = "oci-archive"; }};
  layout = image {{ format = "oci-layout"; }};
  universal = image {{ }};
  streamed = lamina.streamLayeredImage {{ name = "app"; format = "oci-archive"; layerCompressor = "zstd"; }};
  chunked = lamina.buildImage {{
    name = "app"; copyToRoot = lamina.pkgs.hello; format = "oci-archive"; layerCompressor = "zstd:chunked";
  }};
  index = lamina.buildIndex {{ images = [ universal (image {{ architecture = "arm64"; }}) ]; format = "oci-layout"; }};
  twice = lamina.buildIndex {{ images = [ universal universal ]; }};
}}
"""


def built(attribute: str) -> Path:
    return nix_build("-E", IMAGES, "-A", attribute)


def test_all_forms_have_the_digest_that_nix_has(lamina: Command) -> None:
    digest = built("universal.digest").read_text()
    for attribute in ("archive", "layout"):
        path = built(attribute)
        assert path.is_dir() == (attribute == "layout")
        assert verify(path).problems == ()
        assert lamina("digest", path).stdout.decode() == digest
    assert built("layout.digest").read_text() == digest


def test_the_recipe_says_how_layers_are_compressed(lamina: Command) -> None:
    report = json.loads(lamina("digest", built("universal.recipe"), "--json").stdout)
    assert {layer["mediaType"][-5:] for layer in report["layers"]} == {"+zstd"}


def test_chunked_layers_have_the_same_bytes_in_nix_and_outside(lamina: Command) -> None:
    """With another version of libzstd."""
    path = built("chunked")
    assert verify(path).problems == ()
    report = json.loads(lamina("digest", path, "--json").stdout)
    assert report == json.loads(lamina("digest", built("chunked.recipe"), "--json").stdout)


def test_nix_and_the_command_have_the_same_compressors_and_levels() -> None:
    words = (
        "--eval",
        "--strict",
        "--json",
        "-E",
        f"(import {ROOT}/nix/lib/archive.nix {{ toolbox = {{ }}; }}).layerLevels",
    )
    done = nix("nix-instantiate", *words)
    known = {name: max(LAYER_LEVELS.get(name, [0])) for name in LAYER_COMPRESSORS}
    assert json.loads(done.stdout) == known


def test_an_index_has_both_platforms(lamina: Command) -> None:
    path = built("index")
    assert verify(path).problems == ()
    report = json.loads(lamina("digest", path, "--json").stdout)
    assert [each["platform"]["architecture"] for each in report["manifests"]] == ["amd64", "arm64"]
    assert built("index.digest").read_text().strip() == report["index"]["digest"]


def test_the_example_of_an_archive(lamina: Command, skopeo: Skopeo) -> None:
    """Skopeo reads it, and its digest is the one that the attribute `digest` has."""
    path, digest = nix_build("-A", "examples.oci"), nix_build("-A", "examples.oci.digest")
    assert verify(path).problems == ()
    assert lamina("digest", path).stdout.decode() == digest.read_text()
    words = [*skopeo.prefix, "skopeo", "--insecure-policy", "inspect"]
    found = json.loads(check([*words, f"oci-archive:{path}"]))
    assert found["Digest"] == digest.read_text().strip()
    raw = json.loads(check([*words, "--raw", f"oci-archive:{path}"]))
    assert {layer["mediaType"][-5:] for layer in raw["layers"]} == {"+zstd"}
    assert raw["annotations"] == {"org.opencontainers.image.title": "hello"}


@pytest.mark.parametrize("kind", quick(("podman", *OF_ARCHIVES), "podman"))
def test_the_example_of_an_archive_runs(request: pytest.FixtureRequest, kind: str) -> None:
    consumer: Consumer = request.getfixturevalue(kind)
    consumer.load(nix_build("-A", "examples.oci"))
    [name] = [name for name in consumer.names() if name.endswith("oci:1.0")]
    assert "Hello, world!" in consumer.run(name).stdout
    consumer.remove(name)


def test_the_example_of_several_platforms(lamina: Command, skopeo: Skopeo) -> None:
    """Skopeo finds a manifest for each platform, with its own page."""
    path = nix_build("-A", "examples.platforms")
    assert verify(path).problems == ()
    layers = set()
    for architecture in ("amd64", "arm64"):
        words = [*skopeo.prefix, "skopeo", "--insecure-policy", "--override-arch", architecture, "inspect"]
        found = json.loads(check([*words, f"oci:{path}:1.0"]))
        assert found["Architecture"] == architecture
        layers.add(tuple(found["Layers"]))
    assert len(layers) == 2
    assert nix_build("-A", "examples.platforms.digest").read_text() == lamina("digest", path).stdout.decode()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ('buildImage { name = "x"; layerCompressor = "zstd"; layerLevel = 9; }', "zstd has levels up to 3"),
        ('buildImage { name = "x"; layerLevel = 9; }', "layerLevel is set; give layerCompressor, too"),
        ('buildImage { name = "x"; annotations.a = 1; }', "it takes a set of strings"),
        ("buildIndex { images = [ ]; }", "it takes a list of images"),
        ('streamLayeredImage { name = "x"; format = "oci-layout"; }', 'format is "oci-layout"; it takes one of'),
    ],
)
def test_wrong_arguments_are_errors_at_evaluation(arguments: str, problem: str) -> None:
    done = nix("nix-instantiate", "-E", f"(import {ROOT} {{ }}).{arguments}")
    assert done.returncode == 1 and problem in done.stderr
