"""What goes on a base lands where the base keeps its directories, and takes nothing of it away."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lamina.errors import BadInput
from lamina.image.cache import Cache
from lamina.image.hashing import with_digests
from lamina.image.image import Image
from lamina.image.layer import Layer
from lamina.image.nar import nar_size
from lamina.image.rootfs import Node, root_of
from tests.support import trees
from tests.support.archives import Piece, docker_save, folder, sample, tar_of
from tests.support.layers import hard
from tests.support.layers import layer as layer_of
from tests.support.recipes import base, image_of, recipe, root_layer, save, store_layer, tar_layer
from tests.support.trees import Link, Program, Store, Tree, make_tree

# As in every current distribution.
MERGED = [
    folder("usr"),
    folder("usr/bin"),
    Piece("usr/bin/sh", b"the base's shell"),
    folder("usr/lib"),
    Piece("bin", link="usr/bin"),
    Piece("lib", link="/usr/lib"),
    Piece("lib64", link="usr/lib64"),
    folder("etc"),
    Piece("etc/passwd", b"root"),
    Piece("tmp", directory=True, mode=0o1777),
    Piece("srv", directory=True, mode=0o750, owner=33),
]


def below(path: Path, *layers: Sequence[Piece]) -> dict[str, Any]:
    image = sample(layers=tuple(tar_of(pieces) for pieces in layers or (MERGED,)))
    return base(save(docker_save([image]), path / "base.tar"))


def on_base(tmp_path: Path, *layers: dict[str, Any]) -> Image:
    return image_of(recipe(*layers, base=below(tmp_path)))


def tree(tmp_path: Path, content: Tree, name: str = "tree") -> Path:
    return make_tree(tmp_path / name, content)


def upper(image: Image) -> dict[str, Node]:
    """What the layer on the base has, by name."""
    return {path.decode(): node for path, node in root_of([image.layers[-1]]).walk()}


def everything(image: Image) -> dict[str, Node]:
    return {path.decode(): node for path, node in root_of(image.layers).walk()}


def test_files_land_where_the_link_leads(tmp_path: Path) -> None:
    image = on_base(
        tmp_path, root_layer(tree(tmp_path, {"bin/app": Program(b"a"), "lib/app/x": b"x", "etc/app": b"e"}))
    )
    in_usr = ["usr", "usr/bin", "usr/bin/app", "usr/lib", "usr/lib/app", "usr/lib/app/x"]
    assert list(upper(image)) == ["etc", "etc/app", *in_usr]
    found = everything(image)
    assert found["bin"].file.about.link == b"usr/bin"
    assert found["usr/bin/sh"].file.data and found["usr/bin/app"].file.about.mode == 0o555


def test_a_link_to_nowhere_is_kept_too(tmp_path: Path) -> None:
    """Debian's minimal images have `/lib64 -> usr/lib64` before anything is there."""
    found = everything(on_base(tmp_path, root_layer(tree(tmp_path, {"lib64/ld.so": b"x"}))))
    assert found["lib64"].file.about.link == b"usr/lib64" and "usr/lib64/ld.so" in found


def test_a_directory_of_the_base_keeps_owner_and_mode(tmp_path: Path) -> None:
    own = tree(tmp_path, {"tmp/mine": b"x", "srv/mine": b"x", "new/mine": b"x"})
    found = upper(on_base(tmp_path, root_layer(own, uid=7, gid=8)))
    assert {name: (node.file.about.mode, node.file.about.uid) for name, node in found.items() if node.is_directory} == {
        "tmp": (0o1777, 0),
        "srv": (0o750, 33),
        "new": (0o755, 7),
    }
    assert found["tmp/mine"].file.about.uid == 7


def test_unless_somebody_asks_for_a_mode(tmp_path: Path) -> None:
    rules = [{"pattern": "/tmp", "mode": "700"}]
    found = upper(on_base(tmp_path, root_layer(tree(tmp_path, {"tmp/mine": b"x"}), rules=rules)))
    assert found["tmp"].file.about.mode == 0o700


@pytest.mark.parametrize("options", [{"links": True}, {"keepDirlinks": True}], ids=["links", "kept"])
def test_a_link_to_a_directory_does_not_hide_the_base_s(options: dict[str, Any], tmp_path: Path) -> None:
    """As `buildEnv` makes it of one package: `bin` itself is a link."""
    package = tree(tmp_path, {"app": Program(b"a")}, "package")
    image = on_base(tmp_path, root_layer(tree(tmp_path, {"bin": Link(str(package))}), **options))
    found = everything(image)
    assert found["bin"].file.about.link == b"usr/bin" and {"usr/bin/sh", "usr/bin/app"} <= set(found)


@pytest.mark.parametrize(("content", "what"), [({"bin": Link("/nowhere")}, "link"), ({"etc": b"x"}, "file")])
def test_what_would_hide_a_directory_is_refused(content: Tree, what: str, tmp_path: Path) -> None:
    image = on_base(tmp_path, root_layer(tree(tmp_path, content), keepDirlinks=True))
    with pytest.raises(
        BadInput, match=rf"base.tar\(/.*\): is a directory of the base, and the image has a {what} there"
    ):
        upper(image)


def test_the_base_s_own_link_may_be_given_again(tmp_path: Path) -> None:
    image = on_base(tmp_path, root_layer(tree(tmp_path, {"lib": Link("/usr/lib")}), links=True))
    assert everything(image)["lib"].file.about.link == b"/usr/lib"


def test_a_file_may_take_the_place_of_a_file(tmp_path: Path) -> None:
    image = on_base(tmp_path, root_layer(tree(tmp_path, {"etc/passwd": b"mine", "bin/sh": b"my own"})))
    assert [everything(image)[name].file.about.size for name in ("etc/passwd", "usr/bin/sh")] == [4, 6]


def test_of_two_files_for_one_place_the_one_under_its_own_name_counts(tmp_path: Path) -> None:
    image = on_base(tmp_path, root_layer(tree(tmp_path, {"bin/x": b"by the link", "usr/bin/x": b"itself"})))
    assert upper(image)["usr/bin/x"].file.about.size == len(b"itself")


def test_links_that_go_round_are_an_error(tmp_path: Path) -> None:
    around = below(tmp_path, [Piece("a", link="b"), Piece("b", link="a")])
    image = image_of(recipe(root_layer(tree(tmp_path, {"a/x": b"x"})), base=around))
    with pytest.raises(BadInput, match=r"base.tar\(/a\): its symbolic links form a circle"):
        upper(image)


def test_a_link_out_of_the_root_leads_to_the_root(tmp_path: Path) -> None:
    out = below(tmp_path, [folder("usr"), Piece("usr/up", link="../../../opt/./x"), folder("opt")])
    image = image_of(recipe(root_layer(tree(tmp_path, {"usr/up/f": b"x"})), base=out))
    assert list(upper(image)) == ["opt", "opt/x", "opt/x/f", "usr"]


def test_a_later_layer_of_the_base_counts(tmp_path: Path) -> None:
    image = image_of(
        recipe(
            root_layer(tree(tmp_path, {"bin/app": b"x"})),
            base=below(tmp_path, MERGED, [Piece(".wh.bin"), folder("bin")], [Piece("unrelated", b"x")]),
        )
    )
    assert list(upper(image)) == ["bin", "bin/app"]


def tar_on_disk(tmp_path: Path, layer: Layer) -> Path:
    path = tmp_path / "layer.tar"
    path.write_bytes(b"".join(layer.blob.chunks()))
    return path


def test_a_tar_that_a_script_made_is_put_where_the_base_keeps_its_directories(tmp_path: Path) -> None:
    made = layer_of(Piece("./bin/", directory=True).info(), ("./bin/app", b"program"), hard("./bin/too", "./bin/app"))
    image = on_base(tmp_path, tar_layer(tar_on_disk(tmp_path, made)))
    found = everything(image)
    assert found["bin"].file.about.link == b"usr/bin" and "usr/bin/sh" in found
    assert found["usr/bin/app"].file is found["usr/bin/too"].file
    assert found["usr/bin/app"].file.data is not None
    assert b"program" in b"".join(image.layers[-1].blob.chunks())


def test_a_tar_that_needs_no_moving_keeps_its_bytes(tmp_path: Path) -> None:
    made = tar_on_disk(tmp_path, layer_of(Piece("tmp", directory=True, mode=0o700).info(), ("usr/bin/app", b"x")))
    assert b"".join(on_base(tmp_path, tar_layer(made)).layers[-1].blob.chunks()) == made.read_bytes()


def test_the_store_is_where_the_base_keeps_it(tmp_path: Path, store: Store) -> None:
    path = store.add("one", {"f": b"x"})
    first, rest = store.inside.split("/", 1)
    linked = below(tmp_path, [folder("data"), Piece(first, link="data")])
    found = upper(image_of(recipe(store_layer(path), base=linked)))
    assert f"data/{rest}/{Path(path).name}/f" in found and first not in found


def test_the_store_s_directory_keeps_owner_and_mode(tmp_path: Path, store: Store) -> None:
    path = store.add("one", {"f": b"x"})
    parts = store.inside.split("/")
    above = [folder("/".join(parts[:count])) for count in range(1, len(parts))]
    shared = below(tmp_path, [*above, Piece(store.inside, directory=True, mode=0o1775, owner=30000)])
    about = upper(image_of(recipe(store_layer(path), base=shared)))[store.inside].file.about
    assert (about.mode, about.gid) == (0o1775, 30000)


def test_digests_of_one_base_are_not_taken_for_those_of_another(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    own = root_layer(tree(tmp_path, {"bin/app": b"x"}))
    plain = below(make_tree(tmp_path / "plain", {}), [folder("bin")])
    images = [image_of(recipe(own, base=base_files)) for base_files in (below(tmp_path), plain)]
    first, second = (with_digests(image, cache).diff_ids[-1] for image in images)
    assert first != second
    assert [with_digests(image, None).diff_ids[-1] for image in images] == [first, second]


TREES: dict[str, Tree] = {
    "empty": {},
    "files": {"a": b"", "b": b"12345678", "c": b"123456789", "bin/x": Program(b"#!/bin/sh\n")},
    "links": {"l": Link("target"), "deep/er/m": Link("x" * 17)},
    "names": {"n" * 255: b"x", "é": b"x", "sp ace": None},
}


@pytest.mark.parametrize("content", TREES.values(), ids=TREES)
def test_the_size_of_a_nix_archive(content: Tree, tmp_path: Path, store: Store) -> None:
    """As Nix itself makes it, where there is one."""
    path = store.add("tree", content)
    root: Node = root_of(image_of(recipe(store_layer(path))).layers)
    for part in path.encode().strip(b"/").split(b"/"):
        root = root.children[part]
    assert nar_size(root) == trees.nar_size(path)
    if shutil.which("nix-store"):
        assert nar_size(root) == len(subprocess.check_output(["nix-store", "--dump", path], timeout=60))
