"""`lamina plan`: sizes are those of the layers that are built, and digests are shown when the cache has them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import lamina as library
from lamina.image.cache import Cache
from lamina.recipe.recipe import parse_recipe
from lamina.report.plan import layer_table, planned
from tests.support.archives import layer_of
from tests.support.fixtures import Command
from tests.support.recipes import base, recipe, root_layer, store_layer, tar_layer, write_recipe
from tests.support.trees import Store, make_tree, nar_size


@pytest.fixture
def path(tmp_path: Path, store: Store) -> Path:
    """A recipe with a layer of each kind. The root has links to a large tree: little of it is in that layer."""
    tool = make_tree(store.path("tool"), {"bin/tool": b"x" * 300_000})
    tar = tmp_path / "layer.tar"
    tar.write_bytes(layer_of({"etc/motd": b"hello"}))
    layers = [store_layer(str(tool)), root_layer(tool, links=True), tar_layer(tar)]
    for layer in layers[:2]:
        for info in layer.get("paths", layer.get("trees", [])):
            info["narSize"] = 300_500
    return write_recipe(recipe(*layers), tmp_path)


def test_sizes_are_those_of_the_image(path: Path, tmp_path: Path, lamina: Command) -> None:
    plan = json.loads(lamina("plan", path, "--json").stdout)
    assert [layer["exact"] for layer in plan] == [True] * 3
    assert [layer["diffId"] for layer in plan] == [None] * 3
    library.write(library.build_image(path), tmp_path / "out.tar")
    [description] = library.inspect(tmp_path / "out.tar")
    assert [layer["size"] for layer in plan] == [layer["size"] for layer in description["layers"]]
    assert plan[1]["size"] < 5000


def test_digests_are_shown_when_they_are_known(path: Path, tmp_path: Path, lamina: Command) -> None:
    library.write(library.build_image(path), tmp_path / "out.tar")
    [description] = library.inspect(tmp_path / "out.tar")
    digests = [layer["diffId"] for layer in description["layers"]]
    assert [layer["diffId"] for layer in json.loads(lamina("plan", path, "--json").stdout)] == digests
    shown = lamina("plan", path).stdout.decode().splitlines()
    for digest, line in zip(digests, shown, strict=True):
        assert digest.removeprefix("sha256:")[:12] in line


def test_without_the_store_sizes_are_estimated(tmp_path: Path, store: Store) -> None:
    read = parse_recipe(recipe(store_layer(str(store.path("gone")))), "recipe.json")
    [layer] = planned(read)
    [info] = read.layers[0].paths  # type: ignore[union-attr]
    assert (layer["exact"], layer["size"]) == (False, info.nar_size)
    assert f"~{info.nar_size} B" in layer_table([layer])


def test_without_its_base_sizes_are_estimated(tmp_path: Path, store: Store) -> None:
    tree = make_tree(store.path("tool"), {"a": b"a"})
    [layer] = planned(parse_recipe(recipe(store_layer(str(tree)), base=base(tmp_path / "gone.tar")), "recipe.json"))
    assert layer["exact"] is False


def test_what_the_base_has_takes_nothing(tmp_path: Path, store: Store) -> None:
    tree = make_tree(store.path("tool"), {"a": b"a"})
    below = write_recipe(recipe(store_layer(str(tree))), tmp_path).rename(tmp_path / "below.json")
    library.write(library.build_image(below), tmp_path / "base.tar")
    fields = recipe(store_layer(str(tree)), base=base(tmp_path / "base.tar"))
    fields["layers"][0]["paths"][0]["narSize"] = nar_size(str(tree))
    [layer] = planned(parse_recipe(fields, "recipe.json"), Cache.of_user())
    assert (layer["size"], layer["exact"]) == (0, True) and layer["why"].endswith("already in the base")
