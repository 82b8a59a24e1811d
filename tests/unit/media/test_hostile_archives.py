"""Archives that were damaged, or made to deceive, are refused with one line that names the file."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from lamina.errors import BadInput
from lamina.image.layer import hashed
from lamina.report.verify import verify
from tests.support.archives import (
    SHAPES,
    WRAPPERS,
    Piece,
    Shape,
    descriptor,
    docker_save,
    folder,
    oci_archive,
    oci_blobs,
    oci_layout,
    oci_manifest,
    sample,
    skopeo,
    tar_of,
    to_json,
)
from tests.support.reading import read_image
from tests.support.recipes import base, image_of, recipe, save

shapes = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
docker_shapes = pytest.mark.parametrize("shape", [shape for shape in SHAPES.values() if shape is not oci_archive])

Pieces = list[Piece]


def read_all(path: Path) -> None:
    for layer in read_image(path).layers:
        hashed(layer)


def refused(pieces: Pieces, path: Path, match: str) -> None:
    save(pieces, path)
    with pytest.raises(BadInput, match=match) as caught:
        read_all(path)
    assert str(caught.value).startswith(str(path)), "the error names the file"
    assert "\n" not in str(caught.value)


def edited(pieces: Pieces, name: str, edit: Callable[[Any], object]) -> Pieces:
    """The pieces with a JSON document changed; `edit` may return another document or change the one it gets."""
    result = []
    for piece in pieces:
        if piece.name.removeprefix("./") == name:
            value = json.loads(piece.data)
            changed = edit(value)
            piece = attrs.evolve(piece, data=to_json(value if changed is None else changed))
        result.append(piece)
    return result


IMAGE = sample()
SAVED = docker_save([IMAGE])
CONFIG = next(piece.name for piece in SAVED if piece.name.endswith(".json") and piece.name != "manifest.json")
LAYER = f"{IMAGE.legacy_ids[0]}/layer.tar"


@shapes
def test_a_layer_with_other_bytes(shape: Shape, tmp_path: Path) -> None:
    """Whichever digest shows it first: the layer's own, or that of its compressed form."""
    pieces = shape([IMAGE])
    forms = (IMAGE.layers[1], WRAPPERS["gzip"](IMAGE.layers[1]))
    place, victim = next((place, piece) for place, piece in enumerate(pieces) if piece.data in forms)
    middle = len(victim.data) // 2
    data = victim.data[:middle] + bytes([victim.data[middle] ^ 1]) + victim.data[middle + 1 :]
    pieces[place] = attrs.evolve(victim, data=data)
    refused(pieces, tmp_path / "it.tar", "the bytes have sha256:|not those of its digest|damaged gzip data")


@docker_shapes
def test_swapped_layers(shape: Shape, tmp_path: Path) -> None:
    swapped = edited(shape([IMAGE]), "manifest.json", lambda value: value[0]["Layers"].reverse())
    refused(swapped, tmp_path / "it.tar", "the config says diff ID sha256:[0-9a-f]{64}, the bytes have sha256:")


@docker_shapes
def test_a_layer_too_few(shape: Shape, tmp_path: Path) -> None:
    fewer = edited(shape([IMAGE]), "manifest.json", lambda value: value[0]["Layers"].pop() and None)
    refused(fewer, tmp_path / "it.tar", "1 layers in manifest.json, 2 diff IDs in the config; the archive is damaged")


def test_a_layer_too_few_in_an_oci_manifest(tmp_path: Path) -> None:
    short = to_json(json.loads(oci_manifest(IMAGE)) | {"layers": []})
    blobs = [*oci_blobs(IMAGE), Piece("blobs/sha256/" + descriptor(short, "manifest.v1+json")["digest"][7:], short)]
    pieces = oci_layout([descriptor(short, "manifest.v1+json")], blobs)
    refused(pieces, tmp_path / "it.tar", "0 layers in the manifest, 2 diff IDs in the config")


def test_a_config_with_other_bytes(tmp_path: Path) -> None:
    pieces = edited(SAVED, CONFIG, lambda value: value["config"].update(Cmd=["/bin/evil"]))
    refused(pieces, tmp_path / "it.tar", r"json\): the config's bytes have the digest sha256:")


@pytest.mark.parametrize(
    "path",
    ["../layer.tar", "/etc/passwd", "a/../../x", "..", "/", "x\0y"],
    ids=["up", "absolute", "out", "dots", "root", "nul"],
)
@pytest.mark.parametrize("field", ["Layers", "Config"])
def test_a_name_that_leaves_the_archive(field: str, path: str, tmp_path: Path) -> None:
    def lead_out(value: Any) -> None:
        value[0][field] = [path, LAYER] if field == "Layers" else path

    refused(edited(SAVED, "manifest.json", lead_out), tmp_path / "it.tar", "leaves the archive; the archive is damaged")


@pytest.mark.parametrize("target", ["../../etc/passwd", "/etc/passwd", "../../../x"])
def test_a_link_that_leaves_the_archive(target: str, tmp_path: Path) -> None:
    pieces = [Piece(LAYER, link=target) if piece.name == LAYER else piece for piece in SAVED]
    refused(pieces, tmp_path / "it.tar", "leaves the archive")


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil"])
def test_a_member_that_leaves_the_archive(name: str, tmp_path: Path) -> None:
    refused([*SAVED, Piece(name, b"x")], tmp_path / "it.tar", "leaves the archive")


def test_links_that_go_round(tmp_path: Path) -> None:
    pieces = [Piece(LAYER, link="layer.tar") if piece.name == LAYER else piece for piece in SAVED]
    refused(pieces, tmp_path / "it.tar", f"the member '{LAYER}' is no file; the archive is damaged or hostile")


def test_a_layer_that_is_a_directory(tmp_path: Path) -> None:
    pieces = [folder(LAYER) if piece.name == LAYER else piece for piece in SAVED]
    refused(pieces, tmp_path / "it.tar", "is no file")


@pytest.mark.parametrize("shape", [docker_save, skopeo, oci_archive])
def test_a_member_that_is_missing(shape: Shape, tmp_path: Path) -> None:
    pieces = shape([IMAGE])
    largest = max(pieces, key=lambda piece: len(piece.data))
    pieces.remove(largest)
    refused(pieces, tmp_path / "it.tar", f"no member '{largest.name}'; the archive is damaged or cut short")


@pytest.mark.parametrize("name", ["manifest.json", "index.json", "repositories", "oci-layout"])
def test_a_document_that_is_listed_twice(name: str, tmp_path: Path) -> None:
    refused(
        [*SAVED, Piece(name, b"[]"), Piece(name, b"[]")],
        tmp_path / "it.tar",
        f"two members {name}; readers would differ",
    )
    refused([*SAVED, Piece(f"./{name}", b"[]"), Piece(name, b"[]")], tmp_path / "it.tar", f"two members {name}")


def test_neither_kind_of_archive(tmp_path: Path) -> None:
    missing = "contains no image: no manifest.json and no index.json; give what docker save, podman save, or"
    refused([Piece("etc/passwd", b"root")], tmp_path / "it.tar", missing)
    refused([Piece("oci-layout", b"{}")], tmp_path / "it.tar", missing)
    refused([Piece("index.json", b"{}")], tmp_path / "it.tar", "manifests is missing, not an array")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=f"{tmp_path}/empty: {missing}"):
        read_image(tmp_path / "empty")


def test_an_archive_without_an_image(tmp_path: Path) -> None:
    refused(
        [Piece("manifest.json", b"[]")], tmp_path / "it.tar", "contains no image; give an archive with an image in it"
    )
    refused(oci_layout([], []), tmp_path / "it.tar", "contains no image")


@pytest.mark.parametrize("version", ["2.0.0", 1, None])
def test_an_oci_layout_of_another_version(version: object, tmp_path: Path) -> None:
    pieces = edited(oci_archive([IMAGE]), "oci-layout", lambda _: {"imageLayoutVersion": version})
    refused(pieces, tmp_path / "it.tar", f"OCI layout of version {version!r}; only version 1.0.0 is known")


WRONG_TYPES: list[tuple[str, Callable[[Any], object], str]] = [
    ("manifest.json", lambda _: {}, "manifest.json is {}, not an array"),
    ("manifest.json", lambda _: ["x"], "an item of manifest.json is 'x', not an object"),
    ("manifest.json", lambda value: value[0].update(Config=1), "Config is 1, not a string"),
    ("manifest.json", lambda value: value[0].update(Config=None), "Config is missing, not a string"),
    ("manifest.json", lambda value: value[0].update(Layers="x"), "Layers is 'x', not an array"),
    ("manifest.json", lambda value: value[0].update(Layers=[1]), "an item of Layers is 1, not a string"),
    ("manifest.json", lambda value: value[0].update(Layers=None), "0 layers in manifest.json, 2 diff IDs"),
    ("manifest.json", lambda value: value[0].update(RepoTags={}), "RepoTags is {}, not an array"),
]
WRONG_CONFIGS: list[tuple[dict[str, Any], str]] = [
    ({"rootfs": None}, "rootfs is missing, not an object"),
    ({"rootfs": {"diff_ids": [1, 2]}}, "an item of rootfs.diff_ids is 1, not a string"),
    ({"rootfs": {"diff_ids": ["x", "y"]}}, "'x' is no sha256 digest"),
    ({"history": 5}, "history is 5, not an array"),
    ({"history": ["x"]}, "an item of history is 'x', not an object"),
    ({"config": ["x"]}, r"config is \['x'\], not an object"),
    ({"config": "x"}, "config is 'x', not an object"),
]


@pytest.mark.parametrize(
    ("name", "edit", "why"), WRONG_TYPES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_document_of_other_types(name: str, edit: Callable[[Any], object], why: str, tmp_path: Path) -> None:
    refused(edited(SAVED, name, edit), tmp_path / "it.tar", why)


def with_config(changes: dict[str, Any]) -> Pieces:
    """The archive with a changed config, under a name without its digest."""
    config = to_json(json.loads(IMAGE.document) | changes)
    renamed = edited(SAVED, "manifest.json", lambda value: value[0].update(Config="config.json"))
    return [*renamed, Piece("config.json", config)]


@pytest.mark.parametrize(("changes", "why"), WRONG_CONFIGS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_config_of_other_types(changes: dict[str, Any], why: str, tmp_path: Path) -> None:
    refused(with_config(changes), tmp_path / "it.tar", why)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"Env": "A=1"}, 'config.Env is "A=1"; it takes a list of strings'),
        ({"Env": [1]}, "config.Env has the item 1; each item is a string"),
        ({"Labels": "x"}, 'config.Labels is "x"; it takes an object'),
        ({"Volumes": ["/data"]}, "config.Volumes is .*; it takes an object"),
        ({"Cmd": "sh"}, 'config.Cmd is "sh"; it takes a list of strings'),
    ],
)
def test_a_base_with_a_config_that_cannot_be_inherited(config: dict[str, Any], why: str, tmp_path: Path) -> None:
    path = save(with_config({"config": config}), tmp_path / "it.tar")
    with pytest.raises(BadInput, match=f"{path}: {why}"):
        image_of(recipe(base=base(path), config={"Labels": {"a": "b"}, "Volumes": {"/x": {}}}))


def test_a_base_whose_env_has_a_name_without_a_value_is_taken(tmp_path: Path) -> None:
    """Docker took it when the base was made."""
    path = save(with_config({"config": {"Env": ["ALONE", "A=0"]}}), tmp_path / "it.tar")
    assert image_of(recipe(base=base(path))).config["config"]["Env"] == ["ALONE", "A=1"]


def test_a_base_whose_history_has_more_layers_than_the_image(tmp_path: Path) -> None:
    path = save(with_config({"history": [{"created_by": "x"}] * 3}), tmp_path / "it.tar")
    with pytest.raises(BadInput, match=f"{path}: the history has entries for 3 layers, the image has 2"):
        image_of(recipe(base=base(path)))


def test_a_base_whose_history_has_fewer_layers_than_the_image(tmp_path: Path) -> None:
    """buildah writes it (`commit --omit-history`, then a layer on top); each layer gets an entry."""
    path = save(with_config({"history": [{"created_by": "x"}]}), tmp_path / "it.tar")
    assert [entry["created_by"] for entry in image_of(recipe(base=base(path))).history] == ["x", "base image"]
    assert verify(path).problems == ()


@pytest.mark.parametrize("history", [[], None, [{"empty_layer": True}]])
def test_a_base_without_history_gets_one(history: object, tmp_path: Path) -> None:
    path = save(with_config({"history": history}), tmp_path / "it.tar")
    entries = [entry for entry in image_of(recipe(base=base(path))).history if not entry.get("empty_layer")]
    assert [entry["created_by"] for entry in entries] == ["base image"] * 2


# Documents that some readers would take for an index, and others for a manifest.


def test_a_manifest_that_is_an_index_too(tmp_path: Path) -> None:
    both = to_json(json.loads(oci_manifest(IMAGE)) | {"manifests": []})
    blobs = [*oci_blobs(IMAGE), Piece("blobs/sha256/" + descriptor(both, "")["digest"][7:], both)]
    refused(
        oci_layout([descriptor(both, "manifest.v1+json")], blobs),
        tmp_path / "it.tar",
        "a manifest that is an index too",
    )


@pytest.mark.parametrize("itself", ["application/vnd.oci.image.index.v1+json", "application/x-thing", 1])
def test_a_manifest_that_calls_itself_something_else(itself: object, tmp_path: Path) -> None:
    manifest = to_json(json.loads(oci_manifest(IMAGE)) | {"mediaType": itself})
    blobs = [*oci_blobs(IMAGE), Piece("blobs/sha256/" + descriptor(manifest, "")["digest"][7:], manifest)]
    refused(
        oci_layout([descriptor(manifest, "manifest.v1+json")], blobs),
        tmp_path / "it.tar",
        f"has the media type {re.escape(repr(itself))}, but .* in its descriptor; readers would differ",
    )


@pytest.mark.parametrize("field", ["layers", "config"])
def test_an_index_that_is_a_manifest_too(field: str, tmp_path: Path) -> None:
    pieces = edited(oci_archive([IMAGE]), "index.json", lambda value: value.update({field: []}))
    refused(pieces, tmp_path / "it.tar", "an index that is a manifest too; readers would differ")


def test_an_artifact_that_is_no_image(tmp_path: Path) -> None:
    pieces = edited(
        oci_archive([IMAGE]), "index.json", lambda value: value["manifests"][0].update(mediaType="application/x-thing")
    )
    refused(pieces, tmp_path / "it.tar", "media type 'application/x-thing'; give an image, not an artifact")


def test_indexes_within_indexes_without_end(tmp_path: Path) -> None:
    platform = {"os": "linux", "architecture": "amd64"}
    inner = descriptor(oci_manifest(IMAGE), "manifest.v1+json", platform=platform)
    blobs = oci_blobs(IMAGE)
    for _ in range(9):
        index = to_json({"schemaVersion": 2, "manifests": [inner]})
        inner = descriptor(index, "index.v1+json", platform=platform)
        blobs.append(Piece(f"blobs/sha256/{inner['digest'][7:]}", index))
    path = save(oci_layout([inner], blobs), tmp_path / "it.tar")
    with pytest.raises(BadInput, match=r"it\.tar: more than 8 indexes in each other"):
        read_image(path, architecture="amd64")


def test_a_document_larger_than_any_image_has(tmp_path: Path) -> None:
    pieces = [piece for piece in SAVED if piece.name != "manifest.json"]
    refused(
        [*pieces, Piece("manifest.json", b" " * (4 << 20) + b"[]")], tmp_path / "it.tar", "larger than 4194304 bytes"
    )


def test_more_members_than_any_image_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lamina.media.files.MEMBERS", 50)
    refused([Piece(f"member-{number}") for number in range(51)], tmp_path / "it.tar", "more than 50 members")


def test_control_characters_are_never_printed(tmp_path: Path) -> None:
    pieces = edited(SAVED, "manifest.json", lambda value: value[0].update(RepoTags=["\x1b[31mred\n:1"]))
    path = save(pieces, tmp_path / "it.tar")
    with pytest.raises(BadInput) as caught:
        read_image(path, "other")
    assert str(caught.value) == rf"{path}: contains no image other:(any tag); it contains: \x1b[31mred\n:1"


def test_an_archive_cut_at_every_block(tmp_path: Path) -> None:
    """Between members a cut shows by what is missing."""
    data = tar_of(SAVED)
    path = tmp_path / "it.tar"
    end = len(data) - 1024
    needed = end - 1024  # the last member is `repositories`, without which an image can be read
    reasons = "the tar archive is cut short|no tar archive|an empty file|no member|contains no image"
    for cut in sorted({*range(0, len(data), 512), *range(255, len(data), 1024), len(data) - 1}):
        path.write_bytes(data[:cut])
        if cut in (needed, end, end + 512):
            assert read_image(path).diff_ids
            continue
        with pytest.raises(BadInput, match=f"{path}: ({reasons})"):
            read_image(path)


def test_a_base_that_shrinks_after_it_was_opened(tmp_path: Path) -> None:
    path = save(SAVED, tmp_path / "it.tar")
    image = read_image(path)
    os.truncate(path, 2048)
    with pytest.raises(BadInput, match=rf"{path}: ends \d+ bytes early; it is cut short"):
        hashed(image.layers[1])
