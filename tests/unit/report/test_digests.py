"""`lamina digest`: the digest of the manifest in each form of the image."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from tests.support.fixtures import Command
from tests.support.recipes import recipe, store_layer, write_recipe
from tests.support.trees import Store


@pytest.fixture
def image(tmp_path: Path, store: Store) -> Path:
    oci = {"annotations": {"org.opencontainers.image.source": "here"}}
    return write_recipe(recipe(store_layer(store.add("app", {"bin/app": b"x"})), oci=oci), tmp_path)


@pytest.mark.parametrize("form", ["oci-layout", "oci-archive", "universal"])
def test_it_is_the_digest_in_the_output(form: str, image: Path, tmp_path: Path, lamina: Command) -> None:
    """Also if the output is read again, although an archive's layers might be compressed for a push."""
    known = lamina("digest", image, "--format", form).stdout.decode().strip()
    lamina("build", image, "-o", tmp_path / "out", "--format", form)
    read = file_in if form == "oci-layout" else member_of
    [entry] = json.loads(read(tmp_path / "out", "index.json"))["manifests"]
    assert entry["digest"] == known
    assert lamina("digest", tmp_path / "out", "--format", form).stdout.decode().strip() == known
    described = json.loads(lamina("digest", image, "--format", form, "--json").stdout)
    manifest = json.loads(read(tmp_path / "out", f"blobs/sha256/{known[7:]}"))
    assert described["manifest"] == {key: entry[key] for key in ("digest", "mediaType", "size")}
    assert [layer["digest"] for layer in described["layers"]] == [layer["digest"] for layer in manifest["layers"]]
    assert described["config"]["digest"] == manifest["config"]["digest"]


def file_in(layout: Path, name: str) -> bytes:
    return (layout / name).read_bytes()


def member_of(archive: Path, name: str) -> bytes:
    with tarfile.open(archive) as opened:
        file = opened.extractfile(name)
        assert file
        return file.read()


def test_docker_forms_have_plain_layers(image: Path, lamina: Command) -> None:
    done = lamina("digest", image, "--format", "universal", "--layer-compressor", "gz")
    assert done.returncode == 2
    assert done.stderr.startswith(b"lamina: --layer-compressor: universal has plain layers; choose one of")
