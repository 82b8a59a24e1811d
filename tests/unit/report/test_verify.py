"""Verifying: sound archives of every kind pass; one wrong bit, layer or document does not."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import attrs
import pytest

from lamina.data.blob import FileRange, Source
from lamina.data.checked import Checked
from lamina.errors import BadInput
from lamina.oci.digest import Digest
from lamina.oci.documents import Descriptor
from lamina.report.stored import StoredDigests
from lamina.report.verify import verify
from tests.support.archive_checks import Opened
from tests.support.archives import (
    SHAPES,
    WRAPPERS,
    Piece,
    Shape,
    digest,
    docker_save,
    oci_platforms,
    sample,
    tar_of,
    to_json,
)
from tests.support.fixtures import Command
from tests.support.kinds_of_images import KINDS
from tests.support.recipes import LAYOUTS, archive_of, save

shapes = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())


def problems(path: Path) -> str:
    return "\n".join(verify(path).problems)


@shapes
def test_what_other_tools_write_is_sound(shape: Shape, tmp_path: Path) -> None:
    images = [sample("a", "b", "a"), sample("a", names=("other:2",))]
    path = save(shape(images), tmp_path / "it.tar")
    verdict = verify(path)
    assert verdict.problems == ()
    layers = {layer for image in images for layer in image.layers}
    assert (verdict.images, verdict.layers, verdict.size) == (2, len(layers), sum(map(len, layers)))


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_so_it_is_when_compressed(wrapper: str, tmp_path: Path) -> None:
    path = tmp_path / "it.tar"
    path.write_bytes(WRAPPERS[wrapper](tar_of(docker_save([sample()]))))
    assert verify(path).problems == ()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_we_write_is_sound(kind: str, layout: str, tmp_path: Path) -> None:
    assert verify(archive_of(KINDS[kind](tmp_path), tmp_path / "out.tar", layout)).problems == ()


def test_a_real_archive_is_sound(alpine: Path) -> None:
    assert attrs.astuple(verify(alpine)) == (1, 1, 5818880, (), (), ())


@shapes
def test_one_bit_of_a_layer_is_found(shape: Shape, tmp_path: Path) -> None:
    """Wherever in it the bit is."""
    image = sample("a", "b")
    pieces = shape([image])
    data = tar_of(pieces)
    forms = (image.layers[1], WRAPPERS["gzip"](image.layers[1]))
    stored = next(form for form in forms if form in data)
    start = data.index(stored)
    for offset in range(0, len(stored), max(1, len(stored) // 40)):
        place = start + offset
        (tmp_path / "it.tar").write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert problems(tmp_path / "it.tar"), f"nobody saw byte {offset} of {len(stored)}"


def test_one_bit_of_any_blob_of_ours_is_found(tmp_path: Path) -> None:
    path = archive_of(KINDS["on_a_base"](tmp_path), tmp_path / "out.tar")
    it = Opened.at(path)
    for info in it.infos:
        if not info.name.startswith("blobs/sha256/") or not info.isreg():
            continue
        for offset in range(0, info.size, max(1, info.size // 25)):
            place = info.offset_data + offset
            path.write_bytes(it.raw[:place] + bytes([it.raw[place] ^ 4]) + it.raw[place + 1 :])
            assert problems(path), f"nobody saw byte {offset} of {info.name}"


def rewritten(path: Path, name: str, data: bytes | None) -> Path:
    """The archive with another document, or with None without it."""
    it = Opened.at(path)
    changed = path.with_name("changed.tar")
    with tarfile.open(changed, "w", format=tarfile.USTAR_FORMAT) as archive:
        for info in it.infos:
            content = data if info.name == name else it.data.get(info.name, b"")
            if content is not None:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return changed


@pytest.mark.parametrize("layout", LAYOUTS)
def test_swapped_and_dropped_layers_are_found(layout: str, tmp_path: Path) -> None:
    path = archive_of(KINDS["on_a_base"](tmp_path), tmp_path / "out.tar", layout)
    item: dict[str, Any] = Opened.at(path).listing
    layers = item["Layers"]
    for wrong in ([layers[1], layers[0], layers[2]], layers[:-1], [*layers, layers[0]]):
        assert problems(rewritten(path, "manifest.json", to_json([item | {"Layers": wrong}])))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_missing_member_is_found(layout: str, tmp_path: Path) -> None:
    path = archive_of(KINDS["store_and_root"](tmp_path), tmp_path / "out.tar", layout)
    optional = ("repositories", "oci-layout", "index.json", "manifest.json")
    for name in Opened.at(path).data:
        if name not in optional and not name.endswith("/VERSION"):
            assert problems(rewritten(path, name, None)), f"nobody missed {name}"


def test_two_sides_that_tell_of_different_images_are_found(tmp_path: Path) -> None:
    path = archive_of(KINDS["store_and_root"](tmp_path), tmp_path / "out.tar")
    other = archive_of(KINDS["one_layer"](tmp_path / "other"), tmp_path / "other.tar")
    with tarfile.open(path) as archive:
        assert archive.getnames()
    one, two = Opened.at(path), Opened.at(other)
    pieces = {name: data for it in (two, one) for name, data in it.data.items()}
    pieces["index.json"] = two.data["index.json"]
    mixed = save([Piece(name, data) for name, data in pieces.items() if name != "repositories"], tmp_path / "mixed.tar")
    assert "manifest.json and index.json contain different images" in problems(mixed)


def with_v1(changes: dict[str, Any], tmp_path: Path, which: int = -1) -> str:
    """What is found when the v1 document of a layer says something else."""
    path = save(docker_save([sample("a", "b", "c")]), tmp_path / "it.tar")
    identities = sample("a", "b", "c").legacy_ids
    name = f"{identities[which]}/json"
    fields = Opened.at(path).json(name) | {key: identities[value] for key, value in changes.items()}
    return problems(rewritten(path, name, to_json(fields)))


def test_a_v1_chain_that_is_too_short_or_goes_round_is_found(tmp_path: Path) -> None:
    assert with_v1({}, tmp_path) == ""
    assert "the v1 chain of env/two:1 has another length" in with_v1({"parent": 0}, tmp_path)
    assert "the chain of parents forms a circle" in with_v1({"parent": 2}, tmp_path, 0)


def test_a_problem_in_one_place_does_not_hide_another(tmp_path: Path) -> None:
    pieces = docker_save([sample("a", "b", names=("x:1",)), sample("c", names=("y:1",))])
    wrong = [
        attrs.evolve(piece, data=piece.data[:-1] + b"x") if piece.name.endswith("layer.tar") else piece
        for piece in pieces
    ]
    assert len(verify(save(wrong, tmp_path / "it.tar")).problems) == 3


def test_bytes_are_read_once_whatever_is_claimed_of_them(tmp_path: Path) -> None:
    """Two images have the same file as their layer, one of them through a link and with another diff ID."""
    images = [sample("a"), sample("b", names=("other:2",))]
    pieces = docker_save(images)
    [first, second] = [piece for piece in pieces if piece.name.endswith("/layer.tar")]
    linked = attrs.evolve(second, data=b"", link=f"../{first.name}")
    path = save([linked if piece is second else piece for piece in pieces], tmp_path / "it.tar")
    read: list[int] = []
    found = verify(path, progress=read.append).problems
    assert sum(read) == len(first.data)
    assert len(found) == 1 and f"({second.name}): the config says diff ID" in found[0]


def test_a_blob_of_two_names_is_read_once(tmp_path: Path) -> None:
    """And is found to be wrong under the second name."""
    stored, digests = StoredDigests(), [Digest(digest(data)) for data in (b"right", b"wrong")]
    (tmp_path / "it").write_bytes(b"right")
    source = Source.open(tmp_path / "it")
    right, wrong = (Checked(FileRange(source, 0, 5), Descriptor("", each, 5), "it") for each in digests)
    stored.compare(right)
    (tmp_path / "it").write_bytes(b"wrong")
    stored.compare(right)
    with pytest.raises(BadInput, match="not those of its digest"):
        stored.compare(wrong)


def test_a_layer_that_is_no_tar_is_found(tmp_path: Path) -> None:
    path = save(docker_save([sample(layers=(b"no tar " * 200,))]), tmp_path / "it.tar")
    assert "layer.tar): no tar archive" in problems(path)


def test_all_platforms_are_looked_at(tmp_path: Path) -> None:
    images = [sample(machine, architecture=machine) for machine in ("amd64", "arm64")]
    verdict = verify(save(oci_platforms(images), tmp_path / "it.tar"))
    assert (verdict.images, verdict.layers, verdict.problems) == (2, 2, ())


def test_the_command_tells_programs(tmp_path: Path, lamina: Command) -> None:
    save(docker_save([sample()]), tmp_path / "it.tar")
    done = lamina("verify", "it.tar", "--json")
    assert (done.returncode, done.stderr) == (0, b"")
    parsed = json.loads(done.stdout)
    assert parsed == {"sound": True, "images": 1, "layers": 2, "size": parsed["size"], "problems": [], "unchecked": []}
    broken = docker_save([sample()])[:-1]
    save([piece for piece in broken if not piece.name.endswith("layer.tar")], tmp_path / "it.tar")
    done = lamina("verify", "it.tar", "--json")
    parsed = json.loads(done.stdout)
    assert done.returncode == 1 and parsed["sound"] is False
    assert done.stderr.decode().splitlines() == [f"lamina: {problem}" for problem in parsed["problems"]] != []
