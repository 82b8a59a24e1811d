"""Archives that two readers understand differently are refused: what one of them runs, the other would call sound."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lamina.data.blob import Bytes
from lamina.data.compression import detect, plain
from lamina.errors import BadInput
from lamina.oci.spelling import CONFIG_DOCUMENT, DOCKER_ARCHIVE, MANIFEST, check_spelling, fold
from lamina.report.verify import verify
from tests.judge.tars import block, padded, record
from tests.support.archives import (
    Piece,
    Sample,
    descriptor,
    digest,
    docker_26_classic,
    docker_save,
    folder,
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
from tests.support.reading import read_image
from tests.support.recipes import base, image_of, recipe, save

GOOD, EVIL = sample("good", names=("example.org/x:1",)), sample("evil", names=("example.org/x:1",))


def problems(pieces: list[Piece] | bytes, directory: Path) -> str:
    path = directory / "it.tar"
    path.write_bytes(pieces if isinstance(pieces, bytes) else tar_of(pieces))
    return "\n".join(verify(path).problems)


def flat(image: Sample, config: str, layer: str) -> tuple[list[Piece], dict[str, Any]]:
    """An image of one layer, and what `manifest.json` says about it."""
    item = {"Config": config, "RepoTags": list(image.names), "Layers": [layer]}
    return [Piece(config, image.document), Piece(layer, image.layers[0])], item


GOOD_FILES, GOOD_ITEM = flat(GOOD, "good.json", "good.tar")
EVIL_FILES, EVIL_ITEM = flat(EVIL, "evil.json", "evil.tar")


# Two members of one name, through any spelling or link.


@pytest.mark.parametrize("name", ["good.json", "./good.json", "good.tar", ".//good.tar", "manifest.json", "unused"])
def test_a_second_member_of_a_name(name: str, tmp_path: Path) -> None:
    pieces = [Piece("unused"), *GOOD_FILES, Piece("manifest.json", to_json([GOOD_ITEM])), Piece(name, b"other")]
    assert f"two members {name.removeprefix('.').lstrip('/')}; readers would differ" in problems(pieces, tmp_path)
    assert "two members" in problems(pieces[::-1], tmp_path)


def test_a_directory_may_be_listed_twice(tmp_path: Path) -> None:
    pieces = [folder("d"), *GOOD_FILES, folder("d"), Piece("manifest.json", to_json([GOOD_ITEM]))]
    assert problems(pieces, tmp_path) == ""


@pytest.mark.parametrize(
    ("extra", "match"),
    [
        ([Piece("d", link="."), Piece("d/good.json", b"{}")], "is below 'd', which is no directory"),
        ([Piece("good.json/x")], "is below 'good.json', which is no directory"),
        ([Piece("a/../good.json", b"{}")], "goes down and up again"),
        ([Piece("/good.json", b"{}")], "leaves the archive"),
    ],
)
def test_another_way_to_a_name(extra: list[Piece], match: str, tmp_path: Path) -> None:
    assert match in problems([*GOOD_FILES, Piece("manifest.json", to_json([GOOD_ITEM])), *extra], tmp_path)


@pytest.mark.parametrize(
    ("link", "match"),
    [
        ("sub/../good.tar", "goes down and up again"),
        ("../good.tar", "leaves the archive"),
        ("/good.tar", "leaves the archive"),
    ],
)
def test_a_link_that_readers_follow_differently(link: str, match: str, tmp_path: Path) -> None:
    """Whether `sub/..` is where it began depends on whether `sub` is a link."""
    item = {**GOOD_ITEM, "Layers": ["link"]}
    pieces = [*GOOD_FILES, folder("sub"), Piece("link", link=link), Piece("manifest.json", to_json([item]))]
    assert match in problems(pieces, tmp_path)


def test_a_hard_link_to_a_symbolic_link(tmp_path: Path) -> None:
    """From the place of the hard link the symbolic link leads elsewhere."""
    link = block(b"d/hard", b"1", link=b"l/soft") + bytes(1024)
    item = {**GOOD_ITEM, "Layers": ["d/hard"]}
    pieces = [*GOOD_FILES, Piece("l/soft", link="../good.tar"), Piece("manifest.json", to_json([item]))]
    assert "'d/hard' is no file" in problems(tar_of(pieces)[:-1024] + link, tmp_path)


def test_a_hard_link_to_a_later_member(tmp_path: Path) -> None:
    """Unpackers make links in order: who unpacks the archive finds none."""
    listing, link = block(b"it", b"0", 2) + padded(b"[]"), block(b"manifest.json", b"1", link=b"it")
    assert "comes before 'it', which unpackers" in problems(link + listing + bytes(1024), tmp_path)
    assert "comes before" not in problems(listing + link + bytes(1024), tmp_path)


def layer_problems(members: bytes, directory: Path) -> str:
    """Of an image whose layer has these members."""
    files, item = flat(Sample((members + bytes(1024),), GOOD.names), "it.json", "it.tar")
    return problems([*files, Piece("manifest.json", to_json([item]))], directory)


@pytest.mark.parametrize(
    ("members", "match"),
    [
        (block(b"a", b"1", link=b"b") + block(b"b", b"0"), "'b' comes after a hard link to it"),
        (block(b"a", b"1", link=b"./b") + block(b"./b", b"0"), "'./b' comes after a hard link to it"),
        (block(b"a", b"1", link=b"a"), "'a' is a hard link to itself"),
        (block(b"d/", b"5") + block(b"a", b"1", link=b"d"), "'a' is a hard link to a directory"),
        (block(b"a", b"1", link=b"../../etc/passwd"), "'a' is a hard link that leaves the root"),
        (block(b"a", b"0") + block(b"a/b", b"0"), "'a/b' is below a member that is no directory"),
        (block(b"b", b"0") + block(b"a", b"1", link=b"b"), ""),
        (block(b"a", b"1", link=b"file of a layer below"), ""),
        (block(b"l", b"2", link=b"d") + block(b"l/b", b"0"), ""),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_members_of_a_layer_that_unpackers_cannot_make(members: bytes, match: str, tmp_path: Path) -> None:
    found = layer_problems(members, tmp_path)
    assert match in found if match else found == "", found


def test_a_path_in_json_that_goes_up_again(tmp_path: Path) -> None:
    item = {**GOOD_ITEM, "Config": "x/../good.json"}
    assert "goes down and up again" in problems([*GOOD_FILES, Piece("manifest.json", to_json([item]))], tmp_path)


# Bytes that are a tar and compressed data at once.


def polyglot() -> bytes:
    """gzip whose optional field is the rest of a tar: docker and podman unpack it, others read the tar."""
    start = b"\x1f\x8b\x08\x04" + bytes(6)
    hidden = tar_of([*EVIL_FILES, Piece("manifest.json", to_json([EVIL_ITEM]))])
    shown = tar_of([*GOOD_FILES, Piece("manifest.json", to_json([GOOD_ITEM]))])
    rest = block(b"", b"0")[12:] + shown
    data = bytearray(start + len(rest).to_bytes(2, "little") + rest)
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    deflated = gzip.compress(hidden, mtime=0)[10:]
    assert gzip.decompress(bytes(data) + deflated) == hidden
    return bytes(data) + deflated


def test_a_tar_that_is_gzip_data_too(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="data that begin like gzip"):
        detect(Bytes(polyglot()), "it")
    assert "data that begin like gzip" in problems(polyglot(), tmp_path)


@pytest.mark.parametrize("start", [b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18"])
def test_a_tar_whose_first_name_looks_compressed(start: bytes) -> None:
    with pytest.raises(BadInput, match=r"data that begin like|data$|data;"):
        assert detect(Bytes(block(start, b"0") + bytes(1024)), "it"), "a tar, for us alone"
        list(plain(Bytes(block(start, b"0") + bytes(1024)), "it").chunks())


# Keys that Go's encoding/json takes for others.


@pytest.mark.parametrize(
    "more",
    [
        {"config": "evil.json", "layers": ["evil.tar"]},
        {"Layer\u017f": ["evil.tar"]},
        {"CONFIG": "evil.json"},
        {"repoTags": []},
        {"unknown": 1, "Unknown": 2},
        {"\u00e4": 1, "\u00c4": 2},
        {"LayerSources": {"sha256:x": {"Digest": "y"}}},
    ],
)
def test_a_key_of_manifest_json_in_another_spelling(more: dict[str, Any], tmp_path: Path) -> None:
    pieces = [*GOOD_FILES, *EVIL_FILES, Piece("manifest.json", to_json([GOOD_ITEM | more]))]
    assert "which some readers take for" in problems(pieces, tmp_path)


CONFIGS: list[dict[str, Any]] = [
    {"config": {"Cmd": ["/good"], "cmd": ["/evil"]}},
    {"config": {"user": "4294967296"}},
    {"config": {"entrypoint": ["/evil"]}},
    {"config": {"volumes": {"/../../x": {}}}},
    {"config": {"Wor\u212aingDir": "/"}},
    {"config": {"Healthcheck": {"test": ["CMD"]}}},
    {"Config": {"Cmd": ["/evil"]}},
    {"container_config": {"cmd": []}},
    {"rootf\u017f": {}},
    {"History": []},
    {"history": [{"Created_by": "x"}]},
    {"Architecture": "arm64"},
]


@pytest.mark.parametrize("more", CONFIGS, ids=str)
def test_a_key_of_a_config_in_another_spelling(more: dict[str, Any], tmp_path: Path) -> None:
    document = to_json(json.loads(GOOD.document) | more)
    pieces = [Piece("c", document), *GOOD_FILES[1:], Piece("manifest.json", to_json([GOOD_ITEM | {"Config": "c"}]))]
    assert "which some readers take for" in problems(pieces, tmp_path)
    with pytest.raises(BadInput, match="which some readers take for"):
        image_of(recipe(base=base(tmp_path / "it.tar"), config={"User": "1000", "Entrypoint": ["/mine"]}))


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("Labels", ["/a", "/A", "cmd", "Cmd", "\u212a", "k"]),
        ("ExposedPorts", ["80/tcp", "80/TCP"]),
        ("Volumes", ["/a", "/A", "/cmd", "/Cmd", "/\u212a", "/k"]),
    ],
)
def test_keys_of_maps_are_data(key: str, names: list[str], tmp_path: Path) -> None:
    config = {key: dict.fromkeys(names, "x" if key == "Labels" else {})}
    image = sample("good", config=config)
    assert problems(docker_save([image]), tmp_path) == ""
    assert read_image(tmp_path / "it.tar").config["config"] == config


@pytest.mark.parametrize("field", ["Config", "MediaType", "manife\u017ft\u017f", "layer\u017f"])
def test_a_key_of_a_manifest_in_another_spelling(field: str, tmp_path: Path) -> None:
    manifest = to_json(json.loads(oci_manifest(GOOD)) | {field: []})
    blobs = [*oci_blobs(GOOD), Piece(f"blobs/sha256/{hexdigest(manifest)}", manifest)]
    pieces = oci_layout([descriptor(manifest, "manifest.v1+json")], blobs)
    assert "which some readers take for" in problems(pieces, tmp_path)


def test_annotations_are_data_and_descriptors_are_not() -> None:
    check_spelling({"annotations": {"A": "1", "a": "2"}, "layers": [{"annotations": {"digest": "x", "Digest": "y"}}]},
                   MANIFEST, "it")  # fmt: skip
    with pytest.raises(BadInput, match="'Digest', which some readers take for 'digest'"):
        check_spelling({"layers": [{"Digest": "y"}]}, MANIFEST, "it")
    with pytest.raises(BadInput, match="'OS', which some readers take for 'os'"):
        check_spelling({"manifests": [{"platform": {"OS": "linux"}}]}, MANIFEST, "it")


def test_what_docker_writes_is_spelled_right() -> None:
    fields = {"architecture": "amd64", "os": "linux", "docker_version": "20.10", "container": "x", "Size": 5,
              "config": {"Hostname": "", "AttachStdin": False, "Cmd": None, "ArgsEscaped": True, "OnBuild": None,
                         "Healthcheck": {"Test": ["CMD"], "StartPeriod": 1}, "Shell": ["/bin/sh"], "StopTimeout": 3},
              "container_config": {"Tty": False, "Image": ""}, "moby.buildkit.buildinfo.v1": "x"}  # fmt: skip
    check_spelling(fields, CONFIG_DOCUMENT, "it")
    check_spelling([{"Config": "", "LayerSources": {"sha256:x": {"mediaType": "", "size": 1}}}], DOCKER_ARCHIVE, "it")


@pytest.mark.parametrize(("one", "other"), [("k", "\u212a"), ("s", "\u017f"), ("A", "a"), ("\u00e9", "\u00c9")])
def test_letters_that_fold_to_one(one: str, other: str) -> None:
    assert fold(f"x{one}y") == fold(f"X{other}Y") != fold("xqy")


def test_letters_that_do_not_fold_to_one() -> None:
    """Go folds letter by letter: no letter becomes two."""
    assert fold("\u00df") != fold("ss") and fold("\u0130") != fold("i\u0307")


# The sides of an archive.


def both_sides(docker: list[Sample], oci: list[Sample], *, layout: bool = True) -> list[Piece]:
    """Docker's side from some images, and the OCI side from others."""
    items = []
    pieces = [piece for piece in docker_26_classic(oci) if piece.name not in ("manifest.json", "repositories")]
    for number, image in enumerate(docker):
        files, item = flat(image, f"{number}.json", f"{number}.tar")
        pieces += files
        items.append(item)
    pieces = [piece for piece in pieces if layout or piece.name != "oci-layout"]
    return [*pieces, Piece("manifest.json", to_json(items))]


A, B = sample("a", names=("x/y:a",)), sample("b", names=("x/y:b",))


def named(image: Sample, *names: str) -> Sample:
    return Sample(image.layers, names, image.config, image.architecture)


@pytest.mark.parametrize("layout", [True, False])
def test_sides_that_agree(layout: bool, tmp_path: Path) -> None:
    """podman and Skopeo read `index.json` without `oci-layout`, too."""
    assert problems(both_sides([A, B], [B, A], layout=layout), tmp_path) == ""


SIDES: dict[str, tuple[list[Sample], list[Sample], str]] = {
    "another image": ([GOOD], [EVIL], "contain different images"),
    "swapped names": ([A, B], [named(A, *B.names), named(B, *A.names)], "call different images docker.io/x/y:a"),
    "one more image": ([A], [A, B], "index.json contains an image that manifest.json lacks"),
    "one image less": ([A, B], [A], "contain different images"),
    "one more name": ([A], [named(A, *A.names, "x/evil:1")], "index.json calls an image docker.io/x/evil:1"),
    "one name less": ([named(A, *A.names, "x/evil:1")], [A], "manifest.json calls an image docker.io/x/evil"),
    "one name twice": ([A, named(B, *A.names)], [A, named(B, *A.names)], "calls two images docker.io/x/y:a"),
    "another spelling": ([named(A, "docker.io/library/redis:7")], [named(A, "redis:7")], ""),
}


@pytest.mark.parametrize("layout", [True, False])
@pytest.mark.parametrize("kind", SIDES)
def test_sides_that_differ(kind: str, layout: bool, tmp_path: Path) -> None:
    docker, oci, match = SIDES[kind]
    found = problems(both_sides(docker, oci, layout=layout), tmp_path)
    assert match in found if match else found == "", found


def test_one_name_for_two_platforms_in_manifest_json(tmp_path: Path) -> None:
    """Docker gives the name to the last one, podman to the first: neither looks at the platform."""
    files, item = flat(Sample(EVIL.layers, EVIL.names, architecture="arm64"), "evil.json", "evil.tar")
    pieces = [*GOOD_FILES, *files, Piece("manifest.json", to_json([GOOD_ITEM, item]))]
    assert "manifest.json calls two images example.org/x:1" in problems(pieces, tmp_path)


REF_NAME = "org.opencontainers.image.ref.name"


def entry_of(image: Sample, name: str, **changes: Any) -> dict[str, Any]:
    return {**descriptor(oci_manifest(image), "manifest.v1+json", annotations={REF_NAME: name}), **changes}


@pytest.mark.parametrize(
    "kind",
    [
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        "application/vnd.OCI.image.manifest.v1+json",
        "text/plain",
    ],
)
def test_something_else_with_the_name_of_an_image(kind: str, tmp_path: Path) -> None:
    """Readers choose by the name, and only then look at the media type; some guess an unknown one."""
    entries = [entry_of(EVIL, "example.org/x:1", mediaType=kind), entry_of(GOOD, "example.org/x:1")]
    blobs = [*oci_blobs(GOOD), *oci_blobs(EVIL)]
    for order in (entries, entries[::-1]):
        assert "index.json calls two images example.org/x:1" in problems(oci_layout(order, blobs), tmp_path)
    other = [{**entries[0], "annotations": {REF_NAME: "example.org/y:1"}}, entries[1]]
    assert not problems(oci_layout(other, blobs), tmp_path)


def test_something_else_without_a_media_type(tmp_path: Path) -> None:
    """A media type with parameters is none in a descriptor (OCI image spec, descriptor.md)."""
    kind = "application/vnd.oci.image.manifest.v1+json; charset=utf-8"
    entries = [entry_of(EVIL, "example.org/x:1", mediaType=kind), entry_of(GOOD, "example.org/y:1")]
    found = problems(oci_layout(entries, [*oci_blobs(GOOD), *oci_blobs(EVIL)]), tmp_path)
    assert "a descriptor's mediaType is 'application/vnd.oci.image.manifest.v1+json; charset=utf-8'" in found


def test_one_tag_for_two_images_of_a_layout(tmp_path: Path) -> None:
    entries = [entry_of(GOOD, "1"), entry_of(EVIL, "1")]
    assert "calls two images" in problems(oci_layout(entries, [*oci_blobs(GOOD), *oci_blobs(EVIL)]), tmp_path)


@pytest.mark.parametrize(
    ("first", "second", "are_alike"),
    [
        ({"os": "linux", "architecture": "amd64"}, {"os": "linux", "architecture": "amd64"}, True),
        ({"os": "linux", "architecture": "x86_64"}, {"os": "linux", "architecture": "amd64"}, True),
        ({"os": "Linux", "architecture": "amd64"}, {"os": "linux", "architecture": "AMD64"}, True),
        ({"os": "linux", "architecture": "arm64", "variant": "v8"}, {"os": "linux", "architecture": "aarch64"}, True),
        ({"os": "linux", "architecture": "arm"}, {"os": "linux", "architecture": "arm", "variant": "7"}, True),
        ({"os": "linux", "architecture": "armhf"}, {"os": "linux", "architecture": "arm", "variant": "v6"}, False),
        ({"os": "linux", "architecture": "arm64"}, {"os": "linux", "architecture": "amd64"}, False),
        ({"os": "windows", "architecture": "amd64", "os.version": "1"},
         {"os": "windows", "architecture": "amd64", "os.version": "2"}, False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("nested", [True, False])
def test_an_index_with_two_images_for_one_platform(
    first: dict[str, str], second: dict[str, str], are_alike: bool, nested: bool, tmp_path: Path
) -> None:
    """Whatever the images say of themselves: readers choose by what the index says."""
    evil = Sample(EVIL.layers, EVIL.names, architecture="s390x")
    entries = [entry_of(evil, "example.org/x:1", platform=first), entry_of(GOOD, "example.org/x:1", platform=second)]
    blobs = [*oci_blobs(GOOD), *oci_blobs(evil)]
    if nested:
        index = to_json({"schemaVersion": 2, "manifests": [{**entry, "annotations": {}} for entry in entries]})
        blobs.append(Piece(f"blobs/sha256/{hexdigest(index)}", index))
        entries = [descriptor(index, "index.v1+json", annotations={REF_NAME: "example.org/x:1"})]
    found = problems(oci_layout(entries, blobs), tmp_path)
    assert ("index.json calls two images example.org/x:1" in found) == are_alike, found


def test_one_image_compressed_in_two_ways(tmp_path: Path) -> None:
    """BuildKit lists two manifests of one platform for it; they are one image."""
    platform = {"os": "linux", "architecture": "amd64"}
    packs = ("gzip", "zstd")
    inner = [descriptor(oci_manifest(GOOD, pack), "manifest.v1+json", platform=platform) for pack in packs]
    index = to_json({"schemaVersion": 2, "manifests": inner})
    top = descriptor(index, "index.v1+json", annotations={REF_NAME: "example.org/x:1"})
    blobs = [blob for pack in packs for blob in oci_blobs(GOOD, pack)]
    assert problems(oci_layout([top], [*blobs, Piece(f"blobs/sha256/{hexdigest(index)}", index)]), tmp_path) == ""


WRONG_TYPES: list[dict[str, Any]] = [
    {"config": {"Env": "A=1"}},
    {"config": {"Cmd": "/bin/sh"}},
    {"config": {"Labels": []}},
    {"config": {"Entrypoint": [1]}},
    {"config": {"Healthcheck": []}},
    {"config": {"Volumes": {"/x": 1}}},
    {"config": []},
    {"config": ""},
    {"created": 5},
    {"created": "yesterday"},
    {"author": []},
    {"variant": 8},
    {"os.features": "x"},
    {"rootfs": {"type": 1, "diff_ids": [digest(GOOD.layers[0])]}},
    {"history": [{"created_by": 1}]},
    {"history": [{"empty_layer": "false"}]},
    {"history": [{"created": ""}]},
]


@pytest.mark.parametrize("change", WRONG_TYPES, ids=str)
def test_a_config_that_go_does_not_decode_is_not_sound(change: dict[str, Any], tmp_path: Path) -> None:
    """Docker, podman and Skopeo refuse it, or read it as something else: an old Docker takes a string as Cmd."""
    config = Piece("good.json", to_json(json.loads(GOOD.document) | change))
    found = problems([config, GOOD_FILES[1], Piece("manifest.json", to_json([GOOD_ITEM]))], tmp_path)
    assert next(iter(change)) in found and found.count("\n") == 0, found


def test_a_tag_alone_says_nothing_about_the_name(tmp_path: Path) -> None:
    """As the OCI layouts of some tools have it."""
    pieces = both_sides([A], [A])
    index = json.loads(next(piece.data for piece in pieces if piece.name == "index.json"))
    for entry in index["manifests"]:
        entry["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    changed = [Piece(piece.name, to_json(index)) if piece.name == "index.json" else piece for piece in pieces]
    assert problems(changed, tmp_path) == ""


def test_one_entry_with_two_names(tmp_path: Path) -> None:
    """One for containerd, another for podman and Skopeo."""
    notes = {"io.containerd.image.name": "example.org/x:1", "org.opencontainers.image.ref.name": "example.org/y:1"}
    entry = descriptor(oci_manifest(A), "manifest.v1+json", annotations=notes)
    pieces = oci_layout([entry], oci_blobs(A))
    assert "one image is called example.org/x:1 and example.org/y:1" in problems(pieces, tmp_path)


def with_machines(*machines: str) -> list[Sample]:
    return [sample(machine, architecture=machine, names=("example.org/x:1",)) for machine in machines]


def damaged(pieces: list[Piece], data: bytes) -> list[Piece]:
    """The pieces with one byte of one of them changed."""
    wrong = data[:-15] + bytes([data[-15] ^ 1]) + data[-14:]
    assert any(piece.data == data for piece in pieces)
    return [Piece(piece.name, wrong) if piece.data == data else piece for piece in pieces]


@pytest.mark.parametrize("victim", [0, 1, 2])
def test_every_platform_is_checked(victim: int, tmp_path: Path) -> None:
    """Whatever the machine that verifies."""
    images = with_machines("amd64", "arm64", "s390x")
    assert problems(oci_platforms(images), tmp_path) == ""
    layer = next(piece.data for piece in oci_blobs(images[victim]))
    for data in (layer, images[victim].document, oci_manifest(images[victim])):
        assert problems(damaged(oci_platforms(images), data), tmp_path)


def test_every_platform_listed_in_index_json_itself_is_checked(tmp_path: Path) -> None:
    images = with_machines("amd64", "arm64")
    entries = [
        descriptor(oci_manifest(each), "manifest.v1+json", platform={"os": "linux", "architecture": each.architecture})
        for each in images
    ]
    pieces = oci_layout(entries, [blob for each in images for blob in oci_blobs(each)])
    verdict = verify(save(pieces, tmp_path / "it.tar"))
    assert (verdict.images, verdict.problems) == (2, ())
    assert problems(damaged(pieces, oci_blobs(images[1])[0].data), tmp_path)


def without(pieces: list[Piece], *blobs: bytes) -> list[Piece]:
    names = {f"blobs/sha256/{hexdigest(blob)}" for blob in blobs}
    return [piece for piece in pieces if piece.name not in names]


def test_a_platform_that_was_not_copied_is_listed(tmp_path: Path) -> None:
    """`ctr image export` and `docker save` keep the index of all platforms with the blobs of one."""
    images = with_machines("amd64", "arm64")
    pieces = oci_platforms(images)
    absent = without(pieces, *(piece.data for piece in oci_blobs(images[1])))
    verdict = verify(save(absent, tmp_path / "it.tar"))
    assert (verdict.images, verdict.problems) == (1, ())
    assert any("linux/arm64" in line and "not in the archive" in line for line in verdict.unchecked)
    assert problems(without(pieces, oci_blobs(images[1])[0].data), tmp_path), "a layer of an image that is there"
    none = without(pieces, *(piece.data for piece in pieces if b'"manifests"' not in piece.data))
    assert "which is missing" in problems(none, tmp_path)


def test_an_absent_image_of_index_json_is_a_problem(tmp_path: Path) -> None:
    pieces = oci_archive([A, B])
    assert "which is missing" in problems(without(pieces, oci_manifest(B)), tmp_path)


def with_layer(change: Callable[[dict[str, Any]], None]) -> tuple[list[Piece], bytes]:
    """A layout whose first layer has another descriptor, and the layer's bytes."""
    manifest = json.loads(oci_manifest(A))
    change(manifest["layers"][0])
    data = to_json(manifest)
    blobs = [*oci_blobs(A), Piece(f"blobs/sha256/{hexdigest(data)}", data)]
    return oci_layout([descriptor(data, "manifest.v1+json")], blobs), oci_blobs(A)[0].data


FOREIGN: list[Callable[[dict[str, Any]], None]] = [
    lambda layer: layer.update(urls=["https://example.org/layer"]),
    lambda layer: layer.update(mediaType="application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"),
    lambda layer: layer.update(mediaType="application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"),
]


@pytest.mark.parametrize("change", FOREIGN)
def test_a_layer_that_is_kept_elsewhere_is_listed(change: Callable[[dict[str, Any]], None], tmp_path: Path) -> None:
    pieces, layer = with_layer(change)
    assert problems(pieces, tmp_path) == ""
    verdict = verify(save(without(pieces, layer), tmp_path / "it.tar"))
    assert verdict.problems == () and "kept elsewhere by design" in verdict.unchecked[0]
    with pytest.raises(BadInput, match="a layer that is not in the image"):
        list(read_image(tmp_path / "it.tar").layers[0].blob.chunks())


def test_what_is_no_image_has_its_digests_checked(tmp_path: Path) -> None:
    """Signatures, attestations and other artifacts beside an image."""
    payload = b'{"a signature": 1}'
    layer = descriptor(payload, "x") | {"mediaType": "application/vnd.dev.cosign.simplesigning.v1+json"}
    config = to_json({"rootfs": {"diff_ids": [digest(payload)]}})
    manifest = to_json({"schemaVersion": 2, "config": descriptor(config, "config.v1+json"), "layers": [layer]})
    extra = [Piece(f"blobs/sha256/{hexdigest(data)}", data) for data in (payload, config, manifest)]
    entries = [descriptor(oci_manifest(A), "manifest.v1+json"), descriptor(manifest, "manifest.v1+json")]
    pieces = oci_layout(entries, [*oci_blobs(A), *extra])
    verdict = verify(save(pieces, tmp_path / "it.tar"))
    assert (verdict.images, verdict.problems) == (1, ())
    assert "not an image, but an artifact" in verdict.unchecked[0]
    assert "not those of its digest" in problems(damaged(pieces, payload), tmp_path)


def test_a_blob_whose_digest_only_the_index_claims(tmp_path: Path) -> None:
    """`manifest.json` leads to the same compressed blob by its name, and says nothing about its digest."""
    pieces = oci_archive([A])
    path = f"blobs/sha256/{hexdigest(oci_blobs(A)[0].data)}"
    item = {"Config": "c", "RepoTags": list(A.names), "Layers": [path]}
    packed = gzip.compress(A.layers[0], 1, mtime=1)
    changed = [Piece(piece.name, packed) if piece.name == path else piece for piece in pieces]
    assert problems([*changed, Piece("c", A.document), Piece("manifest.json", to_json([item]))], tmp_path)


def test_v1_layers_of_another_image(tmp_path: Path) -> None:
    pieces = docker_save([GOOD])
    layer = f"{GOOD.legacy_ids[0]}/layer.tar"
    moved = [
        Piece("l", piece.data) if piece.name == layer else piece for piece in pieces if piece.name != "manifest.json"
    ]
    config = next(piece.name for piece in pieces if piece.data == GOOD.document)
    listing = Piece("manifest.json", to_json([{**GOOD_ITEM, "Config": config, "Layers": ["l"]}]))
    right = [*moved, listing, Piece(layer, GOOD.layers[0])]
    assert problems(right, tmp_path) == ""
    assert "has other layers than the image" in problems([*moved, listing, Piece(layer, EVIL.layers[0])], tmp_path)


def test_hidden_manifests_are_refused(tmp_path: Path) -> None:
    """Each of these Go's archive/tar reads as `manifest.json`; more in tests/judge."""
    evil = to_json([EVIL_ITEM])
    plain = block(b"manifest.json", b"0", len(evil)) + padded(evil)
    path = record(b"path", b"decoy")
    hidden = [
        block(b"x", b"x", 8) + padded(record(b"path", b"")) + plain,
        block(b"x", b"x", len(path)) + padded(path) + block(b"x", b"x", 14) + padded(record(b"comment", b"x")) + plain,
    ]
    rest = tar_of([*GOOD_FILES, *EVIL_FILES, Piece("manifest.json", to_json([GOOD_ITEM]))])
    for first in hidden:
        assert problems(first + rest[:-1024] + first + bytes(1024), tmp_path)
