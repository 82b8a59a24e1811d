"""`verify` holds documents and layers to their specification. Each change breaks one rule of a good archive alone."""

from __future__ import annotations

import base64
import io
import json
import re
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from lamina.compat.check import CONSUMERS
from lamina.report.verify import verify
from tests.support.archives import (
    SHAPES,
    WRAPPERS,
    Piece,
    Sample,
    descriptor,
    docker_save,
    folder,
    hexdigest,
    oci_layout,
    oci_platforms,
    sample,
    tar_of,
    to_json,
)
from tests.support.recipes import save

IMAGE = sample("below", "above")
REF_NAME = "org.opencontainers.image.ref.name"
CREATED = "org.opencontainers.image.created"
EMPTY = "application/vnd.oci.empty.v1+json"

Change = Callable[[dict[str, Any]], Any]


def nothing(_: dict[str, Any]) -> None: ...


def layout(
    *,
    config: Change = nothing,
    manifest: Change = nothing,
    index: Change = nothing,
    top: Change = nothing,
    image: Sample = IMAGE,
    pack: str = "gzip",
) -> list[Piece]:
    """A layout with an index within `index.json`; each document is changed before the ones above refer to it."""
    document = json.loads(image.document)
    config(document)
    blobs = [*map(WRAPPERS[pack], image.layers), to_json(document)]
    suffix = "" if pack == "plain" else f"+{pack}"
    fields: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor(blobs[-1], "config.v1+json"),
        "layers": [descriptor(blob, f"layer.v1.tar{suffix}") for blob in blobs[:-1]],
    }
    manifest(fields)
    blobs.append(to_json(fields))
    platform = {"os": "linux", "architecture": image.architecture}
    inner = {"schemaVersion": 2, "manifests": [descriptor(blobs[-1], "manifest.v1+json", platform=platform)]}
    index(inner)
    blobs.append(to_json(inner))
    entry = descriptor(blobs[-1], "index.v1+json", annotations={REF_NAME: "env/two:1"})
    pieces = oci_layout([entry], [Piece(f"blobs/sha256/{hexdigest(blob)}", blob) for blob in blobs])
    listing = json.loads(pieces[-2].data)
    top(listing)
    return [*pieces[:-2], Piece("index.json", to_json(listing)), pieces[-1]]


def put(*path: str | int, value: Any) -> Change:
    """Set a field at the end of a path through a document."""

    def change(document: dict[str, Any]) -> None:
        inner: Any = document
        for step in path[:-1]:
            inner = inner.setdefault(step, {}) if isinstance(inner, dict) else inner[step]
        inner[path[-1]] = value

    return change


def drop(*path: str | int) -> Change:
    def change(document: dict[str, Any]) -> None:
        inner: Any = document
        for step in path[:-1]:
            inner = inner[step]
        del inner[path[-1]]

    return change


DOCUMENTS: dict[str, tuple[str, Change, str]] = {
    "index.json of another version": ("top", put("schemaVersion", value=1), r"\(index\.json\): schemaVersion is 1;"),
    "index.json without a version": ("top", drop("schemaVersion"), r"\(index\.json\): schemaVersion is null;"),
    "index.json of another type": ("top", put("mediaType", value="a/b"), r"\(index\.json\): mediaType is \"a/b\";"),
    "an index of another version": ("index", put("schemaVersion", value="2"), r"sha256/\w+\): schemaVersion is \"2\";"),
    "a manifest of another version": ("manifest", put("schemaVersion", value=True), r"schemaVersion is true;"),
    "annotations of an index": ("index", put("annotations", value=[]), r"annotations is \[\];"),
    "an annotation that is a number": ("top", put("annotations", "a", value=1), r"annotations\.a is 1; it takes a str"),
    "annotation of a descriptor": (
        "manifest",
        put("config", "annotations", "a", value=None),
        r"config\.annotations\.a",
    ),
    "an annotated time": ("manifest", put("annotations", CREATED, value="today"), r"image\.created is \"today\";"),
    "a reference": ("top", put("manifests", 0, "annotations", REF_NAME, value="a b"), r"ref\.name is \"a b\";"),
    "a media type": (
        "manifest",
        put("subject", value={"mediaType": "layer", "digest": "sha256:" + "0" * 64, "size": 0}),
        r"subject\.mediaType is \"layer\"",
    ),
    "an artifact type": ("manifest", put("artifactType", value=""), r"artifactType is \"\"; it takes a media type"),
    "addresses": ("manifest", put("config", "urls", value="https://x"), r"config\.urls is \"https://x\";"),
    "embedded data": (
        "manifest",
        put("config", "data", value="e30="),
        r"config\.data is not the content of the digest",
    ),
    "data that are not base64": ("manifest", put("config", "data", value="{}"), r"config\.data is not the content"),
    "a subject without a type": ("manifest", put("subject", value={"size": 1}), r"subject\.mediaType is null;"),
    "a subject without a size": (
        "manifest",
        put("subject", value={"mediaType": "a/b", "digest": "sha256:" + "0" * 64}),
        r"subject\.size is null;",
    ),
    "a platform without os": ("index", drop("manifests", 0, "platform", "os"), r"manifests\[0\]\.platform\.os is null"),
    "a platform's architecture": (
        "index",
        put("manifests", 0, "platform", "architecture", value=""),
        r"platform\.architecture is \"\";",
    ),
    "a platform's variant": (
        "manifest",
        put(
            "subject", value={"mediaType": "a/b", "size": 0, "platform": {"os": "x", "architecture": "x", "variant": 8}}
        ),
        r"subject\.platform\.variant is 8;",
    ),
    "a platform's features": (
        "index",
        put("manifests", 0, "platform", "os.features", value="a"),
        r"platform\.os\.features is \"a\";",
    ),
    "gzip by type, not by bytes": (
        "manifest",
        put("layers", 0, "mediaType", value="application/vnd.oci.image.layer.v1.tar+zstd"),
        r"sha256/\w+\): the layer contains gzip data, and its media type is",
    ),
    "a config without architecture": (
        "config",
        drop("architecture"),
        r"sha256/\w+\): architecture is missing in the config",
    ),
    "a system in upper case": ("config", put("os", value="Linux"), r"os is \"Linux\"; it takes one of Go's names"),
    "a processor of the kernel's name": ("config", put("architecture", value="x86_64"), r"architecture is \"x86_64\";"),
    "a config without os": ("config", drop("os"), r"sha256/\w+\): os is missing in the config, and OCI"),
    "a rootfs without type": ("config", drop("rootfs", "type"), r"rootfs\.type is missing in the config"),
    "a rootfs of another type": ("config", put("rootfs", "type", value="x"), r"rootfs\.type is 'x'; only layers are"),
    "a time": ("config", put("created", value="2026-11-23"), r"sha256/\w+\): created is \"2026-11-23\";"),
    "a time in the history": ("config", put("history", 0, "created", value="now"), r"history\.created is \"now\";"),
    "a variable without value": ("config", put("config", "Env", value=["A"]), r"config\.Env has \"A\"; write NAME="),
    "a port": ("config", put("config", "ExposedPorts", value={"http": {}}), r"config\.ExposedPorts has \"http\";"),
    "a relative directory": ("config", put("config", "WorkingDir", value="a"), r"config\.WorkingDir is \"a\";"),
    "a signal": ("config", put("config", "StopSignal", value="SIGNO"), r"config\.StopSignal is \"SIGNO\";"),
    "a label that is a number": ("config", put("config", "Labels", value={"a": 1}), r"config\.Labels\.a is 1;"),
    "a command that is a text": ("config", put("config", "Cmd", value="sh"), r"sha256/\w+\): config\.Cmd is \"sh\";"),
}


@pytest.mark.parametrize("case", DOCUMENTS)
def test_a_document_breaks_one_rule(case: str, tmp_path: Path) -> None:
    place, change, expected = DOCUMENTS[case]
    changes: dict[str, Any] = {place: change}
    path = save(layout(**changes), tmp_path / "it.tar")
    problems = verify(path).problems
    assert len(problems) == 1, problems
    assert problems[0].startswith(str(path)) and re.search(expected, problems[0]), problems


@pytest.mark.parametrize("pack", ["plain", "gzip", "zstd"])
def test_the_archive_is_good_before_it_is_changed(pack: str, tmp_path: Path) -> None:
    data = base64.b64encode(IMAGE.document).decode()
    change = put("config", "data", value=data)
    assert verify(save(layout(manifest=change, pack=pack), tmp_path / "it.tar")).problems == ()


@pytest.mark.parametrize("shape", SHAPES)
def test_what_other_tools_write_is_good(shape: str, tmp_path: Path) -> None:
    assert verify(save(SHAPES[shape]([IMAGE]), tmp_path / "it.tar")).problems == ()
    assert verify(save(oci_platforms([IMAGE]), tmp_path / "platforms.tar")).problems == ()


def test_an_artifact_without_type(tmp_path: Path) -> None:
    """Where the config is empty, nothing else says what it is."""
    artifact = to_json({"schemaVersion": 2, "config": descriptor(b"{}", "x") | {"mediaType": EMPTY}, "layers": []})
    pieces = layout(top=lambda fields: fields["manifests"].append(descriptor(artifact, "manifest.v1+json")))
    blobs = [Piece(f"blobs/sha256/{hexdigest(data)}", data) for data in (artifact, b"{}")]
    [problem] = verify(save([*pieces, *blobs], tmp_path / "it.tar")).problems
    assert "artifactType is missing; a manifest whose config is of type" in problem


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Upper/case:1", "RepoTags has"),
        ("a/b", "a name there has a tag"),
        ("", "RepoTags has"),
        ("a:b/c", "RepoTags has"),
        ("a:" + "x" * 129, "RepoTags has"),
    ],
)
def test_a_name_in_manifest_json(name: str, expected: str, tmp_path: Path) -> None:
    pieces = [piece for piece in docker_save([IMAGE]) if piece.name not in ("manifest.json", "repositories")]
    manifest = json.loads(docker_save([IMAGE])[-2].data)
    manifest[0]["RepoTags"] = [name]
    path = save([*pieces, Piece("manifest.json", to_json(manifest))], tmp_path / "it.tar")
    [problem] = verify(path).problems
    assert problem.startswith(f"{path}(manifest.json): RepoTags has") and expected in problem


@pytest.mark.parametrize(
    ("file", "data", "expected"),
    [
        ("json", to_json({"id": "0" * 64, "created": "2026-11-23T17:05:00Z"}), "has the id '0000"),
        ("VERSION", b"2.0", "has another version than 1.0"),
    ],
)
def test_a_file_of_a_v1_layer(file: str, data: bytes, expected: str, tmp_path: Path) -> None:
    image = sample("one")
    name = f"{image.legacy_ids[0]}/{file}"
    pieces = [Piece(name, data) if piece.name == name else piece for piece in docker_save([image])]
    path = save(pieces, tmp_path / "it.tar")
    [problem] = verify(path).problems
    assert problem.startswith(f"{path}({name}): ") and expected in problem


MEMBERS: dict[str, tuple[list[Piece], str]] = {
    "a name that leaves": ([Piece("a/../../b")], r"the member 'a/../../b' leaves the root;"),
    "a name that goes up": ([Piece("../b")], r"the member '../b' leaves the root;"),
    "a long component": ([Piece("a" * 256)], "has more than 255 bytes between slashes"),
    "a whiteout of nothing": ([Piece(".wh.")], "the member '.wh.' is a whiteout without a name"),
    "a whiteout of its directory": ([Piece("a/.wh..")], "the member 'a/.wh..' is a whiteout without a name"),
    "a whiteout of the directory above": ([Piece("a/.wh...")], "the member 'a/.wh...' is a whiteout without a name"),
    "a file twice": ([Piece("a"), Piece("./a")], "the member './a' occurs twice"),
    "a link after a file": ([Piece("a"), Piece("a", link="b")], "the member 'a' occurs twice"),
    "a file after a directory": ([folder("a"), Piece("a")], "the member 'a' occurs twice"),
}


@pytest.mark.parametrize("consumers", [(), tuple(CONSUMERS)], ids=["alone", "for all"])
@pytest.mark.parametrize("case", MEMBERS)
def test_a_member_breaks_a_rule(case: str, consumers: tuple[str, ...], tmp_path: Path) -> None:
    pieces, expected = MEMBERS[case]
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for piece in pieces:
            archive.addfile(piece.info(), io.BytesIO(piece.data))
    image = Sample((data.getvalue(),), config=IMAGE.config)
    path = save(docker_save([image]), tmp_path / "it.tar")
    [problem] = verify(path, consumers=consumers).problems
    assert problem.startswith(f"{path}({image.legacy_ids[0]}/layer.tar): ") and expected in problem


def test_a_damaged_document_does_not_hide_a_damaged_layer(tmp_path: Path) -> None:
    """A problem in one place does not hide problems in other places."""
    image = Sample((tar_of([Piece(".wh.")]),), config=IMAGE.config)
    path = save([*docker_save([image]), Piece("oci-layout", b"{"), Piece("index.json", b"{}")], tmp_path / "it.tar")
    problems = verify(path).problems
    assert any("oci-layout" in each for each in problems), problems
    assert any("whiteout without a name" in each for each in problems), problems


def test_a_directory_may_occur_again(tmp_path: Path) -> None:
    """As `tar -r` writes it, and as tools that put trees together do."""
    image = Sample((tar_of([folder("a"), Piece("a/b"), folder("a")]),), config=IMAGE.config)
    assert verify(save(docker_save([image]), tmp_path / "it.tar")).problems == ()


def test_what_is_wrong_in_many_places_is_shown_in_some(tmp_path: Path) -> None:
    labels = put("config", "Labels", value={str(number): number for number in range(1000)})
    assert len(verify(save(layout(config=labels), tmp_path / "it.tar")).problems) == 20


def test_a_history_of_too_many_layers_does_not_hide_a_damaged_layer(tmp_path: Path) -> None:
    image = attrs.evolve(IMAGE, layers=(IMAGE.layers[0][:700],), extra={})
    document = json.loads(image.document)
    document["history"] = [{"created_by": "x"}] * 3
    path = save(
        layout(config=put("history", value=document["history"]), image=image, pack="plain"), tmp_path / "it.tar"
    )
    problems = verify(path).problems
    assert len(problems) == 2, problems
    assert "the history has entries for 3 layers" in problems[0] and "cut short" in problems[1]
