"""The contents of images, as reports see them."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from lamina.errors import BadInput
from lamina.image.cache import Cache
from lamina.limits import Allowance
from lamina.recipe.open import open_image
from lamina.recipe.recipe import parse_recipe
from lamina.report.contents import Contents, all_contents, contents_of
from lamina.report.references import referred_by_files, searched
from lamina.store.names import PackageName, package_name
from tests.support.archives import SHAPES, Piece, Sample, Shape, docker_save, folder, sample, tar_of
from tests.support.recipes import bytes_of, image_of, recipe, root_layer, save, store_layer
from tests.support.trees import Link, Program, Store, hashed_name

APP, LIB, OLD = (hashed_name(name) for name in ("app-1.2", "lib-3-dev", "old"))
TOP = (folder("nix"), folder("nix/store"))


def of_store(*pieces: Piece) -> bytes:
    return tar_of([*TOP, *pieces])


IMAGE = sample(
    layers=(
        of_store(Piece(f"nix/store/{LIB}", f"I am /nix/store/{LIB}".encode()), Piece(f"nix/store/{OLD}", b"x")),
        of_store(
            folder(f"nix/store/{APP}"),
            Piece(f"nix/store/{APP}/run", b"y" * (1 << 20) + f"see {LIB}".encode()),
            Piece(f"nix/store/{APP}/link", link=f"../{LIB}"),
            Piece(f"nix/store/.wh.{OLD}"),
        ),
        tar_of([folder("bin"), Piece("bin/app", link=f"/nix/store/{APP}/run"), Piece("etc/motd", b"hello")]),
    )
)


def contents(image: Sample, shape: Shape, directory: Path) -> Contents:
    return contents_of(open_image(save(shape([image]), directory / "it.tar")), files=True)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_paths_and_files_of_each_layer(shape: Shape, tmp_path: Path) -> None:
    found = contents(IMAGE, shape, tmp_path)
    assert [[held.path[11:] for held in layer.paths] for layer in found.layers] == [[LIB, OLD], [APP], []]
    assert [held.size for layer in found.layers for held in layer.paths] == [
        1024,
        1024,
        512 * 4 + (1 << 20) + 512 - 512,
    ]
    assert [[file.path for file in layer.files or ()] for layer in found.layers] == [
        [],
        [f"nix/store/.wh.{OLD}"],
        ["bin/app", "etc/motd"],
    ]
    assert {path.base: path.hidden for path in found.paths.values()} == {LIB: False, OLD: True, APP: False}
    assert all(path.references is None and path.nar_hash is None for path in found.paths.values())


def test_references_are_searched_for(tmp_path: Path) -> None:
    found = searched(contents(IMAGE, SHAPES["OCI archive"], tmp_path))
    assert {path.base: path.references for path in found.paths.values()} == {
        LIB: (f"/nix/store/{LIB}",),
        OLD: (),
        APP: (f"/nix/store/{LIB}",),
    }
    assert list(referred_by_files(found)) == [(2, "bin/app", {f"/nix/store/{APP}"})]


def test_searching_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The megabyte of `y` could begin a hash everywhere."""
    monkeypatch.setattr("lamina.report.references.SEARCHED", Allowance("places", 1 << 19, 0, 1 << 19, ""))
    found = contents(IMAGE, SHAPES["OCI archive"], tmp_path)
    with pytest.raises(BadInput, match="more than 524288 places"):
        searched(found)


def test_images_share_what_was_read_of_layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever diff IDs they claim: `inspect` compares them only where it reads the layer."""
    limit = Allowance("members", 7, 0, 7, "")
    monkeypatch.setattr("lamina.report.members.LAYER_MEMBERS", limit)
    image = open_image(save(docker_save([sample("a", "b")]), tmp_path / "it.tar"))
    other = attrs.evolve(image, layers=tuple(attrs.evolve(each, diff_id=None) for each in image.layers))
    found = all_contents([image, other] * 10)
    assert {layer.file_count for each in found for layer in each.layers} == {1}


def test_a_recipe_says_it_without_reading(tmp_path: Path) -> None:
    store = Store(tmp_path / "nix/store")
    lib = store.add("lib-3", {"so": b"x" * 600})
    app = store.add("app-1", {"bin/app": Program(b"#!" + lib.encode()), "l" * 200: Link(lib)})
    fields = recipe(store_layer(lib, app), root_layer(store.add("root", {"bin/app": Link(f"{app}/bin/app")})))
    fields["references"] = ["0", "0"]
    image = image_of(fields)
    cache = Cache(tmp_path / "cache")
    found = contents_of(image, cache=cache)
    assert {path.path: path.references for path in found.paths.values()} == {lib: (lib,), app: (lib,)}
    first = found.layers[0]
    directories = (store.inside.count("/") + 1) * 512
    assert sum(held.size or 0 for held in first.paths) + directories + 1024 == len(bytes_of(image.layers[0]))
    for path in Path(lib).iterdir():
        path.unlink()
    assert contents_of(image_of(fields), cache=cache).layers == found.layers  # remembered
    del fields["references"]
    assert not contents_of(image_of(fields), cache=cache).has_references


def test_files_that_are_not_here(tmp_path: Path) -> None:
    found = contents_of(image_of(recipe(store_layer(f"/nix/store/{APP}"))))
    assert [held.size for held in found.layers[0].paths] == [None]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("openssl-3.0.12-dev", PackageName("openssl", "3.0.12", "dev")),
        ("hello", PackageName("hello")),
        ("python3.11-numpy-1.26", PackageName("python3.11-numpy", "1.26")),
        ("glibc-2.38-44", PackageName("glibc", "2.38-44")),
        ("bash-interactive-man", PackageName("bash-interactive", "", "man")),
        ("a-b-", PackageName("a-b-")),
        ("dev", PackageName("dev")),
        ("gcc-wrapper--1", PackageName("gcc-wrapper", "-1")),
        ("x-1-lib-2", PackageName("x", "1-lib-2")),
    ],
)
def test_names(text: str, parts: PackageName) -> None:
    assert package_name(text) == parts


def test_references_of_a_recipe() -> None:
    paths = [f"/nix/store/{name}" for name in (APP, LIB)]
    fields = recipe(store_layer(*paths), references=["1 0", ""])
    read = parse_recipe(fields, "r").layers[0]
    assert [info.references for info in read.paths] == [tuple(sorted(paths)), ()]  # type: ignore[union-attr]
