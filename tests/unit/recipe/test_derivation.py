"""From a derivation's attributes to a recipe: which store paths the image needs follows from the graph alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lamina.errors import BadInput
from lamina.recipe.derivation import attributes_file, json_text, make_recipe
from lamina.recipe.recipe import Recipe, RecipeLayer, RootLayer, StoreLayer, TarLayer, recipe_json
from lamina.store.ownership import Stamp
from tests.support.archives import oci_platforms, sample, tar_of
from tests.support.trees import Store, hashed_name

IMAGE = {
    "names": [{"name": "app", "tag": "1"}],
    "architecture": "amd64",
    "created": "1970-01-01T00:00:01Z",
    "inherit": "docker",
    "base": None,
}


class Derivation:
    """What Nix gives to the builder of a recipe. `refers` says what each store path refers to."""

    def __init__(self, store: Store, file: Path, config: object = None) -> None:
        self.store = store
        self.file = file
        self.refers: dict[str, list[str]] = {"config": []}
        self.attributes: dict[str, Any] = {"image": dict(IMAGE), "trees": [], "made": None}
        self.attributes["config"] = store.add_file("config", json.dumps(config).encode())

    def at(self, name: str) -> str:
        return str(self.store.path(name))

    def recipe(self) -> Recipe:
        closure = [
            {"path": self.at(name), "narHash": "x", "narSize": 1, "references": [self.at(other) for other in others]}
            for name, others in self.refers.items()
        ]
        self.file.write_text(json.dumps({**self.attributes, "closure": closure}))
        return make_recipe(self.file)

    def shipped(self) -> list[str]:
        """The names of the store paths that the image gets."""
        layers = [layer for layer in self.recipe().layers if isinstance(layer, StoreLayer)]
        assert all(layer.paths for layer in layers), "an empty layer is left out"
        return sorted(info.name for layer in layers for info in layer.paths)


def trees(layer: RecipeLayer) -> list[str]:
    assert isinstance(layer, RootLayer)
    return [info.path for info in layer.trees]


@pytest.fixture
def derivation(store: Store, tmp_path: Path) -> Derivation:
    return Derivation(store, tmp_path / "attrs.json")


def test_what_a_tree_refers_to_is_shipped_and_the_tree_is_not(derivation: Derivation) -> None:
    derivation.refers |= {"tree": ["libc"], "libc": ["libc", "locale"], "locale": []}
    derivation.attributes["trees"] = [derivation.at("tree")]
    assert derivation.shipped() == ["libc", "locale"]
    [layer] = derivation.recipe().layers[1:]
    assert trees(layer) == [derivation.at("tree")]
    assert isinstance(layer, RootLayer) and layer.stamp == Stamp() and not layer.keep_dirlinks


def test_a_tree_that_refers_to_itself_is_shipped_too(derivation: Derivation) -> None:
    """A program that was copied to the root still looks for its own files in the store."""
    derivation.refers |= {"tree": ["tree", "libc"], "libc": []}
    derivation.attributes["trees"] = [derivation.at("tree")]
    assert derivation.shipped() == ["libc", "tree"]


def test_a_tree_that_another_one_refers_to_is_shipped_too(derivation: Derivation) -> None:
    derivation.refers |= {"one": [], "two": ["one"]}
    derivation.attributes["trees"] = [derivation.at("one"), derivation.at("two")]
    assert derivation.shipped() == ["one"]


def test_what_the_config_names_is_shipped_and_the_config_is_not(derivation: Derivation) -> None:
    derivation.refers |= {"config": ["redis"], "redis": ["redis", "libc"], "libc": [], "unused": []}
    assert derivation.shipped() == ["libc", "redis"]


def test_nothing_needed_is_no_layer(derivation: Derivation) -> None:
    assert derivation.recipe().layers == ()
    derivation.refers["tree"] = []
    derivation.attributes |= {"trees": [derivation.at("tree")], "uid": 5, "gid": 6, "keepDirlinks": True}
    [layer] = derivation.recipe().layers
    assert trees(layer) == [derivation.at("tree")]
    assert isinstance(layer, RootLayer) and layer.stamp == Stamp(5, 6, 1) and layer.keep_dirlinks


def test_what_a_script_made_takes_the_place_of_the_trees(derivation: Derivation) -> None:
    derivation.refers |= {"tree": ["libc"], "made": ["dash"], "libc": [], "dash": []}
    derivation.attributes |= {"trees": [derivation.at("tree")], "made": derivation.at("made")}
    assert derivation.shipped() == ["dash"]
    [layer] = derivation.recipe().layers[1:]
    assert isinstance(layer, TarLayer) and layer.tar.path == derivation.at("made")


@pytest.mark.parametrize(("given", "config"), [(None, {}), ({"Cmd": ["x"], "User": None}, {"Cmd": ["x"]})])
def test_the_config_comes_from_its_file(given: object, config: object, store: Store, tmp_path: Path) -> None:
    assert Derivation(store, tmp_path / "attrs.json", given).recipe().config == config


def test_now_is_the_time_of_the_build(derivation: Derivation) -> None:
    derivation.attributes["image"]["created"] = "now"
    assert derivation.recipe().created > "2026"


@pytest.mark.parametrize("missing", ["config", "tree"])
def test_a_piece_that_the_graph_does_not_hold_is_an_error(missing: str, derivation: Derivation) -> None:
    derivation.refers["tree"] = []
    derivation.attributes["trees"] = [derivation.at("tree")]
    del derivation.refers[missing]
    with pytest.raises(BadInput, match=f"attrs.json: the closure graph does not contain .*{hashed_name(missing)}"):
        derivation.recipe()


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("image", None, "image is missing, not an object"),
        ("trees", "x", "trees is 'x', not an array"),
        ("config", None, "config is missing, not a string"),
        ("uid", "5", "uid is '5', not a whole number"),
        ("gid", -1, "gid is -1; write a number from 0"),
    ],
)
def test_attributes_of_other_types_are_refused(field: str, value: object, why: str, derivation: Derivation) -> None:
    derivation.refers["tree"] = []
    derivation.attributes["trees"] = [derivation.at("tree")]
    derivation.attributes[field] = value
    with pytest.raises(BadInput, match=f'(attrs.json|image "app"): {why}'):
        derivation.recipe()


def test_a_recipe_is_written_the_same_each_time(derivation: Derivation) -> None:
    derivation.refers |= {"config": ["b", "a"], "a": [], "b": []}
    text = json_text(recipe_json(derivation.recipe()))
    derivation.refers = dict(reversed(derivation.refers.items()))
    assert json_text(recipe_json(derivation.recipe())) == text
    assert text.endswith(b"}\n")
    assert [item["path"] for item in json.loads(text)["layers"][0]["paths"]] == sorted(map(derivation.at, "ab"))


def test_where_nix_puts_the_attributes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIX_BUILD_TOP", str(tmp_path))
    monkeypatch.delenv("NIX_ATTRS_JSON_FILE", raising=False)
    assert attributes_file() == tmp_path / ".attrs.json"
    attributes = tmp_path / "attributes.json"
    monkeypatch.setenv("NIX_ATTRS_JSON_FILE", str(attributes))
    assert attributes_file() == tmp_path / ".attrs.json", "in the sandbox Nix 2.8 sets a path that is not there"
    attributes.write_text("{}")
    assert attributes_file() == attributes


@pytest.mark.parametrize("platforms", [["arm64"], ["amd64", "arm64"]], ids=["only it", "beside this machine's"])
def test_max_layers_counts_the_layers_of_the_platform_of_the_base(
    derivation: Derivation, tmp_path: Path, platforms: list[str]
) -> None:
    """The image's architecture selects the base's platform, not this machine's: arm64 has one layer, amd64 has two."""
    images = {"amd64": sample("a", "b", architecture="amd64"), "arm64": sample("a", architecture="arm64")}
    path = tmp_path / "base.tar"
    path.write_bytes(tar_of(oci_platforms([images[name] for name in platforms])))
    derivation.attributes["image"] |= {"architecture": "arm64", "base": {"path": str(path)}}
    derivation.refers |= {"config": ["hello"], "hello": []}
    derivation.attributes["maxLayers"] = 2
    assert derivation.shipped() == ["hello"]
