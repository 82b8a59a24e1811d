"""Every shape of archive that tools write is read: the same config, the same layers, the same names."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from pathlib import Path

import attrs
import pytest

from lamina.errors import BadInput
from lamina.image.image import Image
from lamina.image.layer import hashed
from tests.support.archives import (
    SHAPES,
    WRAPPERS,
    Piece,
    Sample,
    Shape,
    digest,
    docker_save,
    hexdigest,
    manifest,
    oci_archive,
    oci_platforms,
    sample,
    skopeo,
    tar_of,
)
from tests.support.reading import read_image
from tests.support.recipes import bytes_of, save

shapes = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())


def assert_same(image: Image, expected: Sample) -> None:
    """The image has the sample's layers, config and all."""
    assert [bytes_of(hashed(layer)) for layer in image.layers] == list(expected.layers)
    assert [layer.diff_id for layer in image.layers] == [digest(layer) for layer in expected.layers]
    document = json.loads(expected.document)
    assert list(image.history) == document.pop("history")
    del document["rootfs"]
    assert image.config == document


@shapes
@pytest.mark.parametrize("count", [1, 2, 5])
def test_each_shape_with_one_image(shape: Shape, count: int, tmp_path: Path) -> None:
    expected = sample(*(f"layer {n}" for n in range(count)))
    image = read_image(save(shape([expected]), tmp_path / "it.tar"))
    assert_same(image, expected)
    assert [name.familiar for name in image.names] == ["env/two:1"]


@shapes
def test_each_shape_with_a_layer_that_is_listed_twice(shape: Shape, tmp_path: Path) -> None:
    expected = sample("a", "b", "a", "a")
    assert_same(read_image(save(shape([expected]), tmp_path / "it.tar")), expected)


@shapes
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_each_shape_compressed_as_a_whole(shape: Shape, wrapper: str, tmp_path: Path) -> None:
    path = tmp_path / "it.tar"  # the name says plain, whatever the bytes are
    path.write_bytes(WRAPPERS[wrapper](tar_of(shape([sample()]))))
    assert_same(read_image(path), sample())


@shapes
def test_each_shape_unpacked_in_a_directory(shape: Shape, tmp_path: Path) -> None:
    """An OCI layout is mostly met so."""
    (tmp_path / "it").mkdir()
    data = tar_of(shape([sample("a", "b", "a")]))
    subprocess.run(["tar", "-x", "-C", str(tmp_path / "it")], input=data, check=True)
    assert_same(read_image(tmp_path / "it"), sample("a", "b", "a"))


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "tar.zst", "layer"])
def test_a_layer_s_name_says_nothing_of_its_compression(wrapper: str, suffix: str, tmp_path: Path) -> None:
    """The regression that users suffered from: `.tar.gz` layers under a `.tar` name, and the other way round."""
    expected = sample("a", "b")
    packed = [WRAPPERS[wrapper](expected.layers[0]), expected.layers[1]]
    names = [f"{number}.{suffix}" for number in range(2)]
    pieces = [Piece(name, data) for name, data in zip(names, packed, strict=True)]
    listing = manifest([expected], lambda _: "config.json", lambda _: names)
    image = read_image(save([*pieces, Piece("config.json", expected.document), listing], tmp_path / "it.tar"))
    assert_same(image, expected)


SEVERAL = [
    sample("shared", "one", names=("env/two:1", "env/two:also")),
    sample("shared", names=("alpine:3.10",), config={"Env": ["WHICH=alpine"]}),
    sample("shared", "third", names=("localhost:5000/x/y:1",)),
]


@shapes
@pytest.mark.parametrize(
    ("name", "tag", "which"),
    [
        ("env/two", "1", 0),
        ("env/two", None, 0),
        ("docker.io/env/two", "also", 0),
        ("ENV/two", "1", 0),
        (None, "also", 0),
        ("alpine", None, 1),
        ("alpine", "3.10", 1),
        ("library/alpine", "3.10", 1),
        ("docker.io/library/alpine", "3.10", 1),
        ("index.docker.io/alpine", "3.10", 1),
        (None, "3.10", 1),
        ("localhost:5000/x/y", "1", 2),
        ("localhost:5000/x/y", None, 2),
    ],
)
def test_one_of_several_images_by_any_spelling_of_its_name(
    shape: Shape, name: str | None, tag: str | None, which: int, tmp_path: Path
) -> None:
    assert_same(read_image(save(shape(SEVERAL), tmp_path / "it.tar"), name, tag), SEVERAL[which])


@shapes
@pytest.mark.parametrize(
    ("name", "tag"), [("alpine", "3.11"), ("other", None), (None, "2"), ("two", "1"), ("a b", None)]
)
def test_a_choice_that_none_fits_names_what_there_is(
    shape: Shape, name: str | None, tag: str | None, tmp_path: Path
) -> None:
    path = save(shape(SEVERAL[:2]), tmp_path / "it.tar")
    with pytest.raises(BadInput) as caught:
        read_image(path, name, tag)
    assert str(caught.value).startswith(
        f"{path}: contains no image {name or '(any name)'}:{tag or '(any tag)'}; it contains: "
    )
    assert all(text in str(caught.value) for text in ("env/two:1", "alpine:3.10"))


@pytest.mark.parametrize(("name", "tag"), [(None, None), (None, "1")])
def test_a_choice_that_several_fit_is_an_error(name: str | None, tag: str | None, tmp_path: Path) -> None:
    images = [SEVERAL[0], SEVERAL[2]]
    path = save(docker_save(images), tmp_path / "it.tar")
    with pytest.raises(BadInput, match=r"contains 2 images that match: .*; choose one by its name and tag"):
        read_image(path, name, tag)


def test_two_tags_of_one_image_are_one_image(tmp_path: Path) -> None:
    for pieces in (docker_save(SEVERAL[:1]), oci_archive(SEVERAL[:1])):
        image = read_image(save(pieces, tmp_path / "it.tar"))
        assert [name.familiar for name in image.names] == ["env/two:1", "env/two:also"]


@pytest.mark.parametrize("shape", [docker_save, skopeo, oci_archive])
def test_an_image_without_a_name(shape: Shape, tmp_path: Path) -> None:
    expected = attrs.evolve(sample(), names=() if shape is not oci_archive else ("untagged",))
    image = read_image(save(shape([expected]), tmp_path / "it.tar"))
    assert_same(image, expected)


PLATFORMS = [sample(machine, architecture=machine) for machine in ("amd64", "arm64", "riscv64")]


@pytest.mark.parametrize("machine", ["amd64", "arm64", "riscv64"])
def test_an_index_of_platforms_gives_the_one_asked_for(machine: str, tmp_path: Path) -> None:
    path = save(oci_platforms(PLATFORMS), tmp_path / "it.tar")
    expected = next(image for image in PLATFORMS if image.architecture == machine)
    assert_same(read_image(path, architecture=machine), expected)
    assert_same(read_image(path, "env/two", "1", machine), expected)


def test_an_index_without_the_platform_tells_those_it_has(tmp_path: Path) -> None:
    path = save(oci_platforms(PLATFORMS), tmp_path / "it.tar")
    with pytest.raises(
        BadInput, match="contains no image for linux/s390x; it contains: linux/amd64, linux/arm64, linux/riscv64"
    ):
        read_image(path, architecture="s390x")


def test_a_real_archive_of_docker_save(alpine: Path) -> None:
    image = read_image(alpine, "alpine")
    assert [name.familiar for name in image.names] == ["alpine:3.10"]
    assert (image.config["architecture"], image.config["config"]["Cmd"]) == ("amd64", ["/bin/sh"])
    layer = hashed(image.layers[0])
    assert layer.size == 5818880
    assert hexdigest(bytes_of(layer)) == str(layer.diff_id)[7:]
    with tarfile.open(fileobj=io.BytesIO(bytes_of(layer))) as archive:
        assert "bin/busybox" in archive.getnames()
