"""Layers laid over each other, by headers alone; and the plain tar of what they make."""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from pathlib import Path

import attrs
import pytest

from lamina.data.blob import Bytes
from lamina.errors import BadInput
from lamina.image.export import export
from lamina.image.image import Image
from lamina.image.layer import Layer, hashed
from lamina.image.rootfs import Node, root_of
from lamina.limits import Allowance
from lamina.oci.digest import Digest
from lamina.recipe.open import open_image
from tests.support.archives import docker_save, sample
from tests.support.doctored import ONE_HOLE
from tests.support.fixtures import Command
from tests.support.layers import MTIME, Content, folder, hard, info, layer, link
from tests.support.recipes import save


def names(root: Node) -> list[str]:
    return [path.decode() for path, _ in root.walk()]


def data(root: Node, name: str) -> bytes:
    [node] = [node for path, node in root.walk() if path == name.encode()]
    assert node.file.data
    return b"".join(node.file.data.chunks())


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (["a", "b/c"], ["a", "b", "b/c"]),
        (["./a", "/b", folder("c/")], ["a", "b", "c"]),
        ([folder("d"), "d/x", "d/.wh.x"], ["d", "d/x"]),
        (["d/.wh.x", "d/x"], ["d", "d/x"]),
        ([".wh..wh.plnk", "a"], ["a"]),
    ],
)
def test_one_layer(layers: list[Content], expected: list[str]) -> None:
    """A whiteout takes nothing from its own layer, wherever it stands."""
    assert names(root_of([layer(*layers)])) == expected


@pytest.mark.parametrize(
    ("upper", "expected"),
    [
        (["d/.wh.x"], ["d", "d/e", "d/e/y", "l"]),
        ([".wh.d"], ["l"]),
        (["d/.wh..wh..opq"], ["d", "l"]),
        (["d/new", "d/.wh..wh..opq"], ["d", "d/new", "l"]),
        (["d/e/new", "d/.wh..wh..opq"], ["d", "d/e", "d/e/new", "l"]),
        (["d/e/new", ".wh.d"], ["d", "d/e", "d/e/new", "l"]),
        (["d"], ["d", "l"]),
        ([link("d", "l")], ["d", "l"]),
        ([folder("d", mode=0o700)], ["d", "d/e", "d/e/y", "d/x", "l"]),
        (["l/z"], ["d", "d/e", "d/e/y", "d/x", "l", "l/z"]),
        ([".wh.nothing", "d/e/.wh.nothing"], ["d", "d/e", "d/e/y", "d/x", "l"]),
    ],
)
def test_over_another_layer(upper: list[Content], expected: list[str]) -> None:
    lower = layer(folder("d"), "d/x", folder("d/e"), "d/e/y", link("l", "d"))
    assert names(root_of([lower, layer(*upper)])) == expected


def test_a_link_of_the_same_layer_is_followed() -> None:
    root = root_of(
        [layer(folder("usr"), folder("usr/lib"), link("lib", "usr/lib"), ("lib/x", b"1"), link("up", "../.."))]
    )
    assert names(root) == ["lib", "up", "usr", "usr/lib", "usr/lib/x"]
    inside = root_of([layer(folder("a"), link("a/up", "../../../.."), ("a/up/x", b"1"), link("abs", "/a"), "abs/y")])
    assert names(inside) == ["a", "a/up", "a/y", "abs", "x"]


def test_hard_links_are_one_file() -> None:
    root = root_of([layer(("a", b"1")), layer(hard("b", "a"), ("a", b"2"))])
    assert (data(root, "a"), data(root, "b")) == (b"2", b"1")


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        (["../a"], "leaves the layer"),
        (["a/../../b"], "leaves the layer"),
        ([hard("b", "a")], "is a hard link to b'a', which is not there"),
        ([hard("b", "../a")], "leaves the layer"),
        ([folder("d"), hard("b", "d")], "hard link to a directory"),
        ([".wh."], "names nothing"),
        ([info("n", tarfile.CHRTYPE, devmajor=4096)], "a device with the numbers 4096, 0"),
        ([".wh..."], "names nothing"),
        ([link("a", "b"), link("b", "a"), "a/x"], "leads to itself"),
        ([info("v", b"V")], "of the unknown type b'V'"),
        ([info("s", pax_headers=dict(ONE_HOLE))], "the sparse file"),
    ],
)
def test_what_no_layer_may_hold(contents: list[Content], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        root_of([layer(*contents)])


def test_deleting_again_and_again_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lamina.image.rootfs.FILES", Allowance("files", 1000, 0, 1000, ""))
    root_of([layer(*(f"d/{n}" for n in range(100)), *["d/.wh..wh..opq"] * 8)])
    with pytest.raises(BadInput, match="more than 1000 files"):
        root_of([layer(*(f"d/{n}" for n in range(100)), *["d/.wh..wh..opq"] * 9)])


def test_a_layer_that_occurs_twice_is_compared_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And each claim of its diff ID is compared."""
    image = sample("a")
    pieces = docker_save([attrs.evolve(image, layers=image.layers * 3)])
    layers = open_image(save(pieces, tmp_path / "it.tar")).layers
    read: list[Layer] = []

    def counted(each: Layer) -> Layer:
        read.append(each)
        return hashed(each)

    monkeypatch.setattr("lamina.image.rootfs.hashed", counted)
    assert names(root_of(layers)) == ["file-a"]
    assert len(read) == 1
    with pytest.raises(BadInput, match="the config says diff ID"):
        root_of([layers[0], attrs.evolve(layers[1], diff_id=Digest("sha256:" + "a" * 64))])


def exported(layers: Sequence[Layer], target: Path) -> tarfile.TarFile:
    target.write_bytes(b"".join(export(Image({}, tuple(layers), ()), MTIME)))
    return tarfile.open(target)


def test_the_plain_tar(tmp_path: Path) -> None:
    lower = layer(
        folder("./", mode=0o750, uid=7),
        folder("bin"),
        info("bin/su", mode=0o4755, uid=1, gid=2),
        hard("bin/also", "bin/su"),
        info("null", tarfile.CHRTYPE, devmajor=1, devminor=3),
        info("cap", pax_headers={"SCHILY.xattr.security.capability": "\1\2"}),
        ("gone", b"x"),
        link("link", "bin"),
    )
    with exported([lower, layer(".wh.gone", ("a" * 120, b"x" * 700))], tmp_path / "fs.tar") as archive:
        found = {member.name: member for member in archive}
        long = archive.extractfile("./" + "a" * 120)
        assert long and long.read() == b"x" * 700
    assert list(found) == [".", "./" + "a" * 120, "./bin", "./bin/also", "./bin/su", "./cap", "./link", "./null"]
    assert {member.mtime for member in found.values()} == {MTIME}
    assert (found["."].mode, found["."].uid) == (0o750, 7)
    also = found["./bin/also"]
    assert (also.mode, also.uid, also.gid, also.isreg()) == (0o4755, 1, 2, True)
    assert (found["./bin/su"].type, found["./bin/su"].linkname) == (tarfile.LNKTYPE, "./bin/also")
    assert (found["./null"].type, found["./null"].devmajor, found["./null"].devminor) == (tarfile.CHRTYPE, 1, 3)
    assert found["./cap"].pax_headers == {"SCHILY.xattr.security.capability": "\1\2"}
    assert found["./link"].linkname == "bin"


def test_sixty_layers(tmp_path: Path) -> None:
    layers = [layer(f"file-{number}", ".wh.file-3") for number in range(60)]
    with exported(layers, tmp_path / "fs.tar") as archive:
        assert {member.name for member in archive} == {"."} | {f"./file-{n}" for n in range(60) if n != 3}


def test_a_layer_that_is_not_what_it_claims(tmp_path: Path) -> None:
    claimed = Layer.of(Bytes(bytes(1024)), "the layer", "sha256:" + "a" * 64)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="the config says diff ID"):
        exported([claimed], tmp_path / "fs.tar")


def test_the_command_writes_to_standard_output_too(tmp_path: Path, lamina: Command) -> None:
    image = save(docker_save([sample()]), tmp_path / "image.tar")
    file = tmp_path / "out.tar"
    assert lamina("export", image, "-o", file).returncode == 0
    done = lamina("export", image, "-o", "-")
    assert (done.returncode, done.stdout) == (0, file.read_bytes())
