"""Several images in one archive: whoever wrote them, however they are compressed, with and without names."""

from __future__ import annotations

import gzip
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from lamina.errors import BadUsage
from lamina.media import classic
from lamina.media.write import FORMATS, write
from lamina.oci.reference import parse_reference
from lamina.report.verify import verify
from tests.support.archive_checks import Opened
from tests.support.archives import (
    WRAPPERS,
    Piece,
    Sample,
    docker_save,
    hexdigest,
    nixpkgs_build_image,
    nixpkgs_stream_layered,
    oci_archive,
    sample,
    skopeo,
    tar_of,
)
from tests.support.fixtures import Command
from tests.support.reading import read_image
from tests.support.recipes import archive_of, base, image_of, recipe, root_layer, write_recipe
from tests.support.trees import make_tree

ONE = sample("shared", "one", names=("one:1", "quay.io/me/one:2"))
TWO = sample("shared", "two", names=("two:hash0",))
NAMELESS = sample("shared", "nameless", names=())


def saved(pieces: Sequence[Piece], path: Path, wrapper: str = "plain") -> Path:
    data = tar_of(pieces)
    path.write_bytes(data if wrapper == "plain" else WRAPPERS[wrapper](data))
    return path


@pytest.fixture
def merged(tmp_path: Path, lamina: Command) -> Path:
    """Three images of three writers and compressions, with and without a name, that share a layer."""
    inputs = [
        saved(docker_save([ONE]), tmp_path / "one.tar", "gzip"),
        saved(nixpkgs_stream_layered([TWO]), tmp_path / "two", "zstd"),
        saved(skopeo([NAMELESS]), tmp_path / "nameless.tar"),
    ]
    done = lamina("merge", *inputs, "-o", "merged.tar")
    assert (done.returncode, done.stderr) == (0, b"")
    return tmp_path / "merged.tar"


def test_each_layer_is_stored_once_and_as_it_was(merged: Path) -> None:
    opened = Opened.at(merged)
    layers = [layer for image in (ONE, TWO, NAMELESS) for layer in image.layers]
    blobs = [data for name, data in opened.data.items() if name.startswith("blobs/sha256/")]
    for layer in set(layers):
        assert blobs.count(layer) == 1
    assert len(opened.names) == len(set(opened.names))
    assert sum("/layer.tar" in name for name in opened.names) == 4, "the lowest v1 layer is the same in all three"


def test_all_documents_tell_of_all_images(merged: Path) -> None:
    opened = Opened.at(merged)
    items = opened.json("manifest.json")
    assert [item["RepoTags"] for item in items] == [
        ["docker.io/library/one:1", "quay.io/me/one:2"],
        ["docker.io/library/two:hash0"],
        [],
    ]
    assert [opened.data[item["Config"]] for item in items] == [ONE.document, TWO.document, NAMELESS.document]
    notes = [entry.get("annotations", {}) for entry in opened.json("index.json")["manifests"]]
    names = [note.get("io.containerd.image.name") for note in notes]
    assert names == [*items[0]["RepoTags"], *items[1]["RepoTags"], None]
    tops = opened.json("repositories")
    assert {name: list(tags) for name, tags in tops.items()} == {
        "one": ["1"],
        "quay.io/me/one": ["2"],
        "two": ["hash0"],
    }
    for item, name, tag in ((items[0], "one", "1"), (items[1], "two", "hash0")):
        top = tops[name][tag]
        assert opened.links[f"{top}/layer.tar"] == item["Layers"][-1]
        assert opened.json(f"{top}/json")["config"] == opened.json(item["Config"])["config"]


def test_the_result_is_sound_and_each_image_a_base(merged: Path) -> None:
    verdict = verify(merged)
    assert (verdict.images, verdict.layers, verdict.problems) == (3, 4, ())
    assert read_image(merged, "two").document() == TWO.document
    assert read_image(merged, "quay.io/me/one", "2").document() == ONE.document


def test_merging_what_was_merged_changes_nothing(merged: Path, tmp_path: Path, lamina: Command) -> None:
    assert lamina("merge", merged, "-o", tmp_path / "again.tar").returncode == 0
    assert (tmp_path / "again.tar").read_bytes() == merged.read_bytes()


@pytest.mark.parametrize("shape", [docker_save, skopeo, nixpkgs_build_image, nixpkgs_stream_layered, oci_archive])
def test_an_archive_of_several_images_is_taken_whole(shape: object, tmp_path: Path, lamina: Command) -> None:
    assert callable(shape)
    path = saved(shape([ONE, TWO]), tmp_path / "both.tar")
    assert lamina("merge", path, "-o", "out.tar").returncode == 0
    assert {read_image(tmp_path / "out.tar", name).document() for name in ("one", "two")} == {
        ONE.document,
        TWO.document,
    }


def test_the_same_image_twice_is_one_with_all_names(tmp_path: Path, lamina: Command) -> None:
    other = Sample(ONE.layers, ("other:1",), ONE.config)
    paths = [saved(docker_save([image]), tmp_path / f"{n}.tar") for n, image in enumerate((ONE, other, ONE))]
    assert lamina("merge", *paths, "-o", "out.tar").returncode == 0
    [item] = Opened.at(tmp_path / "out.tar").json("manifest.json")
    assert [name.rpartition("/")[2] for name in item["RepoTags"]] == ["one:1", "one:2", "other:1"]


def test_two_images_with_one_name_are_refused(tmp_path: Path, lamina: Command) -> None:
    other = Sample(TWO.layers, ("docker.io/library/one:1",))
    paths = [saved(docker_save([image]), tmp_path / f"{n}.tar") for n, image in enumerate((ONE, other))]
    done = lamina("merge", *paths, "-o", "out.tar")
    assert done.returncode == 1
    said = b"lamina: one:1: two different images have this name; give them other names or tags\n"
    assert done.stderr == said
    assert not (tmp_path / "out.tar").exists()


def test_one_name_for_two_platforms_is_an_index(tmp_path: Path, lamina: Command) -> None:
    images = [sample(machine, names=("one:1",), architecture=machine) for machine in ("amd64", "arm64")]
    paths = [saved(docker_save([image]), tmp_path / f"{image.architecture}.tar") for image in images]
    done = lamina("merge", *paths, "-o", "out.tar")
    assert (done.returncode, done.stderr) == (
        1,
        b"lamina: one:1: two different images have this name; an image for several platforms is an index: use "
        b"`lamina index`, or buildIndex in Nix\n",
    )
    assert lamina("index", *paths, "-o", "out.tar").returncode == 0
    assert {read_image(tmp_path / "out.tar", architecture=each.architecture).config["architecture"]
            for each in images} == {"amd64", "arm64"}  # fmt: skip


@pytest.mark.parametrize("missing", [("architecture",), ("os",), ("architecture", "os")], ids="-".join)
def test_an_image_without_a_platform_has_none_in_the_index(
    missing: tuple[str, ...], tmp_path: Path, lamina: Command
) -> None:
    """The config keeps its bytes, which are the image's ID, so that alone is reported. A recipe on it says its own."""
    path = saved(docker_save([sample("one", extra=dict.fromkeys(missing, ""))]), tmp_path / "it.tar")
    lamina("merge", path, "-o", "out.tar")
    [entry] = Opened.at(tmp_path / "out.tar").json("index.json")["manifests"]
    assert "platform" not in entry
    problems = [problem.partition("): ")[2] for problem in verify(tmp_path / "out.tar").problems]
    assert [problem.partition(" is missing in the config, and OCI requires it")[0] for problem in problems] == [
        *missing
    ]
    assert all("copies keep a config" in problem and "build the image again" in problem for problem in problems)
    assert verify(archive_of(recipe(base=base(path)), tmp_path / "built.tar")).problems == ()


def test_a_recipe_beside_an_archive(tmp_path: Path, lamina: Command) -> None:
    """Layers that nobody has hashed yet find their equals all the same."""
    tree = make_tree(tmp_path / "tree", {"etc/motd": b"hello\n"})
    path = write_recipe(recipe(root_layer(tree), names=[{"name": "made", "tag": "1"}]), tmp_path)
    assert lamina("build", path, "-o", "made.tar").returncode == 0
    other = recipe(root_layer(tree), names=[{"name": "other", "tag": "1"}], config={"User": "1"})
    (tmp_path / "other.json").write_text(json.dumps(other))
    assert lamina("merge", "made.tar", "other.json", saved(docker_save([ONE]), tmp_path / "one.tar"), "-o", "-").stdout
    assert lamina("merge", "made.tar", "other.json", tmp_path / "one.tar", "-o", "out.tar").returncode == 0
    opened = Opened.at(tmp_path / "out.tar")
    [made, other_item, _] = opened.json("manifest.json")
    assert made["Layers"] == other_item["Layers"] and made["Config"] != other_item["Config"]
    assert verify(tmp_path / "out.tar").problems == ()


def test_what_is_said_of_a_layer_is_checked(tmp_path: Path, lamina: Command) -> None:
    pieces = docker_save([ONE])
    spoilt = [piece if piece.data != ONE.layers[1] else Piece(piece.name, tar_of([])) for piece in pieces]
    done = lamina("merge", saved(spoilt, tmp_path / "spoilt.tar"), "-o", "out.tar")
    assert done.returncode == 1 and b"the config says diff ID" in done.stderr
    assert not (tmp_path / "out.tar").exists()


def test_an_image_without_layers(tmp_path: Path, lamina: Command) -> None:
    empty = Sample((), ("empty:1",))
    paths = [saved(nixpkgs_stream_layered([image]), tmp_path / f"{n}.tar") for n, image in enumerate((ONE, empty))]
    assert lamina("merge", *paths, "-o", "out.tar").returncode == 0
    read = read_image(tmp_path / "out.tar", "empty")
    assert read.document() == empty.document
    assert [part.member.name for part in classic.arrange([read])][:2] == [b"manifest.json", b"repositories"]


def test_a_file_and_a_pipe_get_the_same_bytes(merged: Path, tmp_path: Path, lamina: Command) -> None:
    inputs = (tmp_path / "one.tar", tmp_path / "two", tmp_path / "nameless.tar")
    assert lamina("merge", *inputs, "-o", "-").stdout == merged.read_bytes()
    packed = lamina("merge", *inputs, "-o", "-", "--compressor", "gz").stdout
    assert hexdigest(gzip.decompress(packed)) == hexdigest(merged.read_bytes())


@pytest.mark.parametrize("form", list(FORMATS))
def test_several_images_in_every_form(form: str, tmp_path: Path) -> None:
    """The layers of the second image are unhashed, and one of them equals a layer of the first."""
    tree = make_tree(tmp_path / "tree", {"etc/motd": b"hello\n"})
    made = [image_of(recipe(root_layer(tree), names=[{"name": name, "tag": "1"}], config={"User": name}))
            for name in ("one", "two")]  # fmt: skip
    read = [read_image(saved(docker_save([image]), tmp_path / "read.tar")) for image in (ONE,)]
    write([*made, attrs.evolve(read[0], names=(parse_reference("three:1", ""),))], tmp_path / "out.tar", format=form)
    verdict = verify(tmp_path / "out.tar")
    assert (verdict.images, verdict.problems) == (3, ())
    for number, name in enumerate(("one", "two")):
        assert read_image(tmp_path / "out.tar", name).config["config"] == {"User": name}, number
    assert read_image(tmp_path / "out.tar", "three").document() == ONE.document
    with tarfile.open(tmp_path / "out.tar") as archive:
        assert len(archive.getnames()) == len(set(archive.getnames()))


def test_no_image_is_bad_usage(tmp_path: Path) -> None:
    with pytest.raises(BadUsage, match="no image"):
        write([], tmp_path / "out.tar")
    assert not (tmp_path / "out.tar").exists()


@pytest.mark.parametrize("arguments", [{"format": "oci"}, {"compressor": "xz"}])
def test_an_unknown_form_or_compressor_is_bad_usage(arguments: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(BadUsage, match=r"is unknown; use one of: (universal|none)"):
        write(image_of(recipe()), tmp_path / "out.tar", **arguments)
