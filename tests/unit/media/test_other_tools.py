"""Images as other tools write them: tags alone, platforms in index.json, artifacts beside images, several sides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest

from lamina.errors import BadInput
from lamina.report.verify import verify
from tests.support.archives import (
    Piece,
    Sample,
    descriptor,
    digest,
    docker_save,
    oci_blobs,
    oci_layout,
    oci_manifest,
    sample,
    to_json,
)
from tests.support.reading import read_image, read_images
from tests.support.recipes import base, image_of, recipe, save

REF_NAME = "org.opencontainers.image.ref.name"
AMD64, ARM64 = (sample(machine, architecture=machine) for machine in ("amd64", "arm64"))


def entry(image: Sample, **fields: Any) -> dict[str, Any]:
    """How `index.json` lists an image."""
    return descriptor(oci_manifest(image), "manifest.v1+json", **fields)


def layout(path: Path, *entries: dict[str, Any], images: tuple[Sample, ...], more: tuple[Piece, ...] = ()) -> Path:
    blobs = [blob for image in images for blob in oci_blobs(image)]
    return save(oci_layout(entries, [*blobs, *more]), path)


def diff_ids(image: Sample) -> list[str]:
    return [digest(layer) for layer in image.layers]


def platform(image: Sample) -> dict[str, str]:
    return {"os": "linux", "architecture": image.architecture}


def test_a_tag_alone_is_a_tag(tmp_path: Path) -> None:
    """Skopeo, buildah, umoci and oras write the tag alone into OCI layouts."""
    entries = [entry(AMD64, annotations={REF_NAME: "v1"}), entry(ARM64, annotations={REF_NAME: "v2"})]
    path = layout(tmp_path / "it.tar", *entries, images=(AMD64, ARM64))
    assert read_image(path, tag="v1").diff_ids == diff_ids(AMD64)
    assert read_image(path, tag="v2").diff_ids == diff_ids(ARM64)
    with pytest.raises(BadInput, match=r"contains no image \(any name\):v3; it contains: v1; v2"):
        read_image(path, tag="v3")


@pytest.mark.parametrize("image", [AMD64, ARM64], ids=["amd64", "arm64"])
@pytest.mark.parametrize("annotations", [{}, {REF_NAME: "latest"}], ids=["nameless", "one tag"])
def test_platforms_in_index_json(image: Sample, annotations: dict[str, str], tmp_path: Path) -> None:
    """apko and go-containerregistry write an image of several platforms so."""
    entries = [entry(each, platform=platform(each), annotations=annotations) for each in (AMD64, ARM64)]
    path = layout(tmp_path / "it.tar", *entries, images=(AMD64, ARM64))
    assert read_image(path, architecture=image.architecture).diff_ids == diff_ids(image)
    assert len(read_images(path)) == 1
    with pytest.raises(BadInput, match="contains no image for linux/s390x; it contains: linux/amd64, linux/arm64"):
        read_image(path, architecture="s390x")


def test_two_images_of_one_platform_are_two_images(tmp_path: Path) -> None:
    other = sample("other", architecture="amd64")
    entries = [entry(each, platform=platform(each)) for each in (AMD64, other)]
    path = layout(tmp_path / "it.tar", *entries, images=(AMD64, other))
    assert len(read_images(path)) == 2


ARTIFACT = to_json(
    {
        "schemaVersion": 2,
        "config": descriptor(b"{}", "empty.v1+json"),
        "layers": [],
        "artifactType": "application/example",
    }
)
ATTESTATION = to_json(
    {
        "schemaVersion": 2,
        "config": descriptor(AMD64.document, "config.v1+json"),
        "layers": [{**descriptor(b"{}", "empty.v1+json"), "mediaType": "application/vnd.in-toto+json"}],
    }
)


@pytest.mark.parametrize(
    "artifact",
    [
        descriptor(ARTIFACT, "manifest.v1+json"),
        descriptor(ATTESTATION, "manifest.v1+json", platform={"os": "unknown", "architecture": "unknown"}),
        {**descriptor(ARTIFACT, "manifest.v1+json"), "mediaType": "application/vnd.example+json"},
    ],
    ids=["artifact", "attestation", "unknown media type"],
)
def test_what_is_no_image_is_left_out(artifact: dict[str, Any], tmp_path: Path) -> None:
    """oras and cosign write signatures and other artifacts beside an image, BuildKit attestations."""
    more = tuple(Piece(f"blobs/sha256/{digest(data)[7:]}", data) for data in (ARTIFACT, ATTESTATION, b"{}"))
    path = layout(tmp_path / "it.tar", entry(AMD64), artifact, images=(AMD64,), more=more)
    assert [image.diff_ids for image in read_images(path)] == [diff_ids(AMD64)]
    assert verify(path).problems == ()


@pytest.mark.parametrize("media_type", ["a\0b", "../x", "", "text"])
def test_a_layer_without_a_valid_media_type_does_not_hide_its_image(media_type: str, tmp_path: Path) -> None:
    """Skopeo copies it. An artifact has a media type of its own."""
    other = sample("other", architecture="amd64")
    layers = [{**descriptor(layer, "layer.v1.tar"), "mediaType": media_type} for layer in other.layers]
    config = descriptor(other.document, "config.v1+json")
    damaged = to_json({"schemaVersion": 2, "config": config, "layers": layers})
    more = (Piece(f"blobs/sha256/{digest(damaged)[7:]}", damaged),)
    entries = [entry(AMD64), descriptor(damaged, "manifest.v1+json")]
    path = layout(tmp_path / "it.tar", *entries, images=(AMD64, other), more=more)
    with pytest.raises(BadInput, match="a descriptor's mediaType is"):
        read_images(path)


@pytest.mark.parametrize("change", ["config", "layer", "digest"])
def test_the_first_of_two_images_of_one_platform_is_damaged(change: str, tmp_path: Path) -> None:
    """Skopeo takes it, or refuses the image; so the second one must not be taken in silence."""
    other = sample("other", architecture="amd64")
    manifest = json.loads(oci_manifest(other))
    if change != "digest":
        (manifest["config"] if change == "config" else manifest["layers"][0]).pop("mediaType")
    damaged = to_json(manifest)
    blob = Piece(f"blobs/sha256/{digest(damaged)[7:]}", damaged + (b" " if change == "digest" else b""))
    entries = [
        descriptor(damaged, "manifest.v1+json", platform=platform(other)),
        entry(AMD64, platform=platform(AMD64)),
    ]
    index = to_json({"schemaVersion": 2, "manifests": entries})
    more = (blob, Piece(f"blobs/sha256/{digest(index)[7:]}", index))
    path = layout(tmp_path / "it.tar", descriptor(index, "index.v1+json"), images=(AMD64, other), more=more)
    with pytest.raises(BadInput, match=r"(mediaType is missing|not those of its digest)"):
        read_image(path)


def both_sides(path: Path) -> Path:
    """A docker archive of the amd64 image in whose OCI layout the image has two platforms."""
    index = to_json(
        {"schemaVersion": 2, "manifests": [entry(each, platform=platform(each)) for each in (AMD64, ARM64)]}
    )
    top = descriptor(index, "index.v1+json", annotations={REF_NAME: AMD64.names[0]})
    blobs = [blob for image in (AMD64, ARM64) for blob in oci_blobs(image)]
    sides = [*docker_save([AMD64]), *oci_layout([top], [*blobs, Piece(f"blobs/sha256/{digest(index)[7:]}", index)])]
    return save(sides, path)


def test_another_platform_than_that_of_manifest_json(tmp_path: Path) -> None:
    path = both_sides(tmp_path / "it.tar")
    assert read_image(path).diff_ids == read_image(path, architecture="amd64").diff_ids == diff_ids(AMD64)
    assert read_image(path, architecture="arm64").diff_ids == diff_ids(ARM64)
    with pytest.raises(BadInput, match="contains no image for linux/s390x"):
        read_image(path, architecture="s390x")


def test_a_base_for_another_machine_is_refused(tmp_path: Path) -> None:
    path = save(docker_save([ARM64]), tmp_path / "it.tar")
    with pytest.raises(BadInput, match="contains no image for linux/amd64; it contains: linux/arm64"):
        image_of(recipe(base=base(path)))


def test_a_broken_oci_side_does_not_cost_the_docker_side(tmp_path: Path) -> None:
    """Docker does not read it, so it matters only where the docker side has another platform than the one asked for."""
    pieces = [piece for piece in docker_save([AMD64]) if piece.name != "repositories"]
    path = save([*pieces, Piece("index.json", b"{"), Piece("oci-layout", b"{")], tmp_path / "it.tar")
    assert image_of(recipe(base=base(path))).diff_ids == diff_ids(AMD64)
    with pytest.raises(BadInput, match="not JSON"):
        read_image(path, architecture="arm64")
    assert verify(path).problems


def test_an_item_of_the_history_may_be_null(tmp_path: Path) -> None:
    """Go reads null as an empty item, which stands for a layer."""
    image = sample("one", extra={"history": [None]})
    text = to_json({**json.loads(image.document), "history": [None]})
    path = save(with_config(docker_save([image]), text), tmp_path / "it.tar")
    assert image_of(recipe(base=base(path))).history[:1] == ({},)
    items: list[object] = [0, "", [], False]
    for wrong in items:
        text = to_json({**json.loads(image.document), "history": [wrong]})
        path = save(with_config(docker_save([image]), text), tmp_path / "it.tar")
        with pytest.raises(BadInput, match="an item of history is"):
            read_image(path)


def with_config(pieces: list[Piece], text: bytes) -> list[Piece]:
    """The archive with another config, under a name that has no digest in it."""
    [old] = [piece.name for piece in pieces if piece.name.endswith(".json") and len(piece.name) == 69]
    renamed = {"manifest.json": lambda data: data.replace(old.encode(), b"config")}
    result = [attrs.evolve(each, data=renamed.get(each.name, bytes)(each.data)) for each in pieces if each.name != old]
    return [Piece("config", text), *result]


def test_a_layout_without_its_version_is_read(tmp_path: Path) -> None:
    """podman and Skopeo do not look at `oci-layout`; containerd and umoci refuse it, so `verify` does, too."""
    pieces = [piece for piece in oci_layout([entry(AMD64)], oci_blobs(AMD64)) if piece.name != "oci-layout"]
    path = save(pieces, tmp_path / "it.tar")
    assert read_image(path).diff_ids == diff_ids(AMD64)
    [problem] = verify(path).problems
    assert "no oci-layout, without which containerd and umoci refuse it" in problem
