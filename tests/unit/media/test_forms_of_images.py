"""Images that docker, podman, containerd or Skopeo take, in forms that few tools write, and how a base is chosen."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from lamina.errors import BadInput
from lamina.limits import INDEXES
from lamina.report.verify import verify
from tests.support.archives import (
    Piece,
    Sample,
    descriptor,
    digest,
    docker_save,
    hexdigest,
    oci_archive,
    oci_blobs,
    oci_layout,
    oci_manifest,
    oci_platforms,
    sample,
    tar_of,
    to_json,
)
from tests.support.reading import read_image, read_images
from tests.support.recipes import base, image_of, recipe, save

REF_NAME = "org.opencontainers.image.ref.name"
AMD64, ARM64 = (sample(machine, architecture=machine) for machine in ("amd64", "arm64"))
BOTH = (AMD64, ARM64)


def entry(image: Sample, **fields: Any) -> dict[str, Any]:
    return descriptor(oci_manifest(image), "manifest.v1+json", **fields)


def platform(image: Sample) -> dict[str, Any]:
    return {"platform": {"os": "linux", "architecture": image.architecture}}


def diff_ids(image: Sample) -> list[str]:
    return [digest(layer) for layer in image.layers]


def index_of(entries: Iterable[dict[str, Any]]) -> bytes:
    return to_json({"schemaVersion": 2, "manifests": list(entries)})


def with_index(path: Path, index: bytes, images: Iterable[Sample], more: Iterable[bytes] = ()) -> Path:
    """A layout whose `index.json` lists an index, with the blobs of the images."""
    blobs = [blob for image in images for blob in oci_blobs(image)]
    blobs += [Piece(f"blobs/sha256/{hexdigest(data)}", data) for data in (index, *more)]
    return save(oci_layout([descriptor(index, "index.v1+json", annotations={REF_NAME: "it:1"})], blobs), path)


def check_every_use(path: Path, image: Sample, architecture: str | None = None) -> None:
    """It is read, is sound, and is a base."""
    assert read_image(path, architecture=architecture).diff_ids == diff_ids(image)
    verdict = verify(path)
    assert verdict.problems == () and verdict.images
    built = image_of(recipe(base=base(path)) | {"architecture": image.architecture})
    assert built.diff_ids == diff_ids(image)


@pytest.mark.parametrize("depth", [1, 2, INDEXES])
@pytest.mark.parametrize("inner", [platform(AMD64), {}], ids=["with platform", "without"])
def test_an_index_in_an_index(depth: int, inner: dict[str, Any], tmp_path: Path) -> None:
    """containerd follows them however deep; a platform may be written at any of them, or only in the config."""
    index = index_of([entry(ARM64, **platform(ARM64)), entry(AMD64, **inner)])
    indexes = [index]
    for _ in range(depth - 1):
        indexes.append(index_of([descriptor(indexes[-1], "index.v1+json")]))
    path = with_index(tmp_path / "it.tar", indexes[-1], BOTH, indexes[:-1])
    check_every_use(path, AMD64, "amd64")
    check_every_use(path, ARM64, "arm64")
    with pytest.raises(BadInput, match="contains no image for linux/s390x; it contains: linux/amd64, linux/arm64"):
        read_image(path, architecture="s390x")


def test_the_platform_of_an_index_is_that_of_what_it_lists(tmp_path: Path) -> None:
    """A manifest whose config says something else is not believed over it."""
    indexes = [index_of([entry(image)]) for image in (ARM64, AMD64)]
    top = index_of(
        descriptor(each, "index.v1+json", **platform(image)) for each, image in zip(indexes, BOTH, strict=True)
    )
    path = with_index(tmp_path / "it.tar", top, BOTH, indexes)
    with pytest.raises(BadInput, match="contains no image for linux/amd64; it contains: linux/arm64"):
        read_image(path, architecture="amd64")


@pytest.mark.parametrize("images", [(AMD64, ARM64), (ARM64, AMD64)], ids=["first", "second"])
@pytest.mark.parametrize("nested", [True, False], ids=["an index", "index.json"])
def test_entries_without_platform_have_that_of_their_configs(
    images: tuple[Sample, ...], nested: bool, tmp_path: Path
) -> None:
    path = tmp_path / "it.tar"
    if nested:
        with_index(path, index_of(map(entry, images)), images)
    else:
        entries = [entry(image) for image in images]
        save(oci_layout(entries, [blob for image in images for blob in oci_blobs(image)]), path)
    for image in images:
        check_every_use(path, image, image.architecture)


@pytest.mark.parametrize("only", BOTH, ids=["amd64", "arm64"])
def test_the_one_whole_image_among_partial_ones(only: Sample, tmp_path: Path) -> None:
    """`skopeo copy` of one platform and containerd leave the blobs of others out, and all entries in the index."""
    path = with_index(tmp_path / "it.tar", index_of(entry(image, **platform(image)) for image in BOTH), [only])
    check_every_use(path, only)
    [missing] = [image for image in BOTH if image is not only]
    with pytest.raises(BadInput, match=f"no member 'blobs/sha256/{hexdigest(oci_manifest(missing))}'"):
        read_image(path, architecture=missing.architecture)


def test_a_manifest_without_its_layers_is_partial(tmp_path: Path) -> None:
    index = index_of(entry(image, **platform(image)) for image in BOTH)
    path = with_index(tmp_path / "it.tar", index, [ARM64], [oci_manifest(AMD64), AMD64.document])
    assert read_image(path).diff_ids == diff_ids(ARM64)


def test_among_two_whole_images_for_others_none_is_chosen(tmp_path: Path) -> None:
    others = [sample(machine, architecture=machine) for machine in ("riscv64", "s390x")]
    path = with_index(tmp_path / "it.tar", index_of(entry(image, **platform(image)) for image in others), others)
    with pytest.raises(BadInput, match="it contains: linux/riscv64, linux/s390x"):
        read_image(path)


def long_names(pieces: Iterable[Piece], path: Path) -> Path:
    """A tar in GNU's format: a sha512 digest is no ustar name."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for piece in pieces:
            archive.addfile(piece.info(), io.BytesIO(piece.data))
    path.write_bytes(data.getvalue())
    return path


def by_sha512(value: dict[str, Any], data: bytes) -> dict[str, Any]:
    import hashlib

    return value | {"digest": "sha512:" + hashlib.sha512(data).hexdigest()}


def sha512_layout(path: Path, *kinds: str, damaged: str = "") -> Path:
    """A layout in which the blobs of these kinds (manifest, config, layer) are named by sha512."""
    blobs = []

    def place(kind: str, data: bytes, value: dict[str, Any]) -> dict[str, Any]:
        if kind in kinds:
            value = by_sha512(value, data)
        content = data.replace(b"amd64", b"AMD64").replace(b'Version":2', b'Version":3') if kind == damaged else data
        blobs.append(Piece("blobs/" + value["digest"].replace(":", "/"), content))
        return value

    fields = json.loads(oci_manifest(AMD64, "plain"))
    fields["layers"] = [
        place("layer", layer, value) for layer, value in zip(AMD64.layers, fields["layers"], strict=True)
    ]
    fields["config"] = place("config", AMD64.document, fields["config"])
    manifest = to_json(fields)
    top = place("manifest", manifest, descriptor(manifest, "manifest.v1+json", annotations={REF_NAME: "it:1"}))
    return long_names(oci_layout([top], blobs), path)


@pytest.mark.parametrize(
    "kinds", [("manifest",), ("config",), ("layer",), ("manifest", "config", "layer")], ids=" ".join
)
def test_sha512_digests(kinds: tuple[str, ...], tmp_path: Path) -> None:
    """podman and Skopeo take manifests of this digest, podman also layers. Diff IDs are sha256."""
    check_every_use(sha512_layout(tmp_path / "it.tar", *kinds), AMD64)


@pytest.mark.parametrize("kind", ["manifest", "config", "layer"])
def test_sha512_digests_are_compared(kind: str, tmp_path: Path) -> None:
    path = sha512_layout(tmp_path / "it.tar", "manifest", "config", "layer", damaged=kind)
    assert any("not those of its digest" in problem or "diff ID" in problem for problem in verify(path).problems)


def docker(path: Path, *, config: str = "the config", repositories: bytes | None = None) -> Path:
    manifest = to_json([{"Config": config, "RepoTags": ["it:1"], "Layers": ["some/where/a-layer"]}])
    pieces = [Piece(config, AMD64.document), Piece("some/where/a-layer", AMD64.layers[0])]
    pieces += [Piece("repositories", repositories)] if repositories else []
    return save([*pieces, Piece("manifest.json", manifest)], path)


@pytest.mark.parametrize("name", ["config.json", "some/dir/config", "sha256:" + hexdigest(AMD64.document)])
def test_names_of_files_in_a_docker_archive_are_free(name: str, tmp_path: Path) -> None:
    check_every_use(docker(tmp_path / "it.tar", config=name), AMD64)


@pytest.mark.parametrize("repositories", [b"null", b"{}", b'{"it":null}'])
def test_repositories_of_nothing(repositories: bytes, tmp_path: Path) -> None:
    check_every_use(docker(tmp_path / "it.tar", repositories=repositories), AMD64)


@pytest.mark.parametrize("end", [b"", bytes(512), bytes(10240)], ids=["none", "one block", "a record"])
@pytest.mark.parametrize("shape", [docker_save, oci_archive])
def test_the_end_of_an_archive_and_of_a_layer(shape: Any, end: bytes, tmp_path: Path) -> None:
    image = sample("one")
    image = Sample(tuple(layer[:-1024] + end for layer in image.layers), config=image.config)
    path = tmp_path / "it.tar"
    path.write_bytes(tar_of(shape([image]))[:-1024] + end)
    check_every_use(path, image)


EMPTY = {
    "docker archive": [Piece("manifest.json", b"[]")],
    "docker archive of null": [Piece("manifest.json", b"null")],
    "layout": oci_layout([], []),
    "another archive": [Piece("a", b"b")],
}


@pytest.mark.parametrize("pieces", EMPTY.values(), ids=EMPTY)
def test_without_an_image_it_is_said(pieces: list[Piece], tmp_path: Path) -> None:
    path = save(pieces, tmp_path / "it.tar")
    with pytest.raises(BadInput, match=r"it\.tar: contains no image"):
        read_images(path)
    [problem] = verify(path).problems
    assert problem.startswith(f"{path}: contains no image")


def skopeo_directory(path: Path, pieces: Iterable[Piece], top: bytes) -> Path:
    """As `skopeo copy dir:` writes it."""
    path.mkdir()
    for piece in pieces:
        if piece.name.startswith("blobs/sha256/"):
            name = piece.name.rpartition("/")[2]
            is_manifest = piece.data.startswith(b'{"schemaVersion"')
            (path / (f"{name}.manifest.json" if is_manifest else name)).write_bytes(piece.data)
    (path / f"{hexdigest(top)}.manifest.json").unlink(missing_ok=True)
    (path / "manifest.json").write_bytes(top)
    (path / "version").write_text("Directory Transport Version: 1.1\n")
    (path / "signature-1").write_bytes(b"\0signature")
    return path


def test_a_directory_of_skopeo(tmp_path: Path) -> None:
    path = skopeo_directory(tmp_path / "it", oci_blobs(AMD64), oci_manifest(AMD64))
    check_every_use(path, AMD64)
    (path / hexdigest(AMD64.document)).write_bytes(b"{}")
    assert verify(path).problems[0].startswith(f"{path}({hexdigest(AMD64.document)}): its bytes are not those of its")


def test_a_directory_of_skopeo_with_all_platforms(tmp_path: Path) -> None:
    pieces = oci_platforms(BOTH)
    [top] = [piece.data for piece in pieces if piece.name.startswith("blobs/") and b'"manifests"' in piece.data]
    path = skopeo_directory(tmp_path / "it", pieces, top)
    for image in BOTH:
        check_every_use(path, image, image.architecture)


def test_a_directory_of_skopeo_with_a_manifest_of_schema_1(tmp_path: Path) -> None:
    path = skopeo_directory(tmp_path / "it", [], to_json({"schemaVersion": 1, "fsLayers": []}))
    with pytest.raises(BadInput, match=r"it\(manifest\.json\): is of schema 1, which has no config; push the image"):
        read_images(path)


def test_an_unpacked_docker_archive_is_none_of_skopeo(tmp_path: Path) -> None:
    path = docker(tmp_path / "it.tar")
    unpacked = tmp_path / "it"
    unpacked.mkdir()
    subprocess.run(["tar", "-xf", path, "-C", unpacked], check=True)
    check_every_use(unpacked, AMD64)
