"""OCI archives, layouts and indexes as results of the Nix functions, and the attribute `digest`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lamina.report.verify import verify
from tests.support.builds import ROOT, nix, nix_build
from tests.support.fixtures import Command

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


def test_an_index_has_both_platforms(lamina: Command) -> None:
    path = built("index")
    assert verify(path).problems == ()
    report = json.loads(lamina("digest", path, "--json").stdout)
    assert [each["platform"]["architecture"] for each in report["manifests"]] == ["amd64", "arm64"]
    assert built("index.digest").read_text().strip() == report["index"]["digest"]


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
