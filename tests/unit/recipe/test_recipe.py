"""Recipes: what they say is read exactly, and anything else is refused in one line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from lamina.errors import BadInput
from lamina.oci.reference import Reference
from lamina.recipe.recipe import Base, RootLayer, StoreLayer, TarLayer, parse_recipe, read_recipe, recipe_json
from lamina.store.ownership import Stamp
from tests.support.trees import hashed_name, path_info

PATH = f"/nix/store/{hashed_name('hello')}"

WHOLE: dict[str, Any] = {
    "version": 1,
    "names": [{"name": "Quay.io/Me/App", "tag": "V1"}, {"name": "app", "tag": "latest"}],
    "architecture": "arm64",
    "created": "1970-01-01T00:00:01Z",
    "config": {"Cmd": ["/bin/sh"], "Env": ["A=1"]},
    "base": {"path": "/base.tar", "name": "alpine", "tag": None},
    "inherit": "env",
    "layers": [
        {"kind": "store", "paths": [path_info(PATH)], "uid": 1, "gid": 2, "mtime": 3},
        {
            "kind": "root",
            "trees": [path_info("/a"), path_info("/b")],
            "keepDirlinks": True,
            "uid": 0,
            "gid": 0,
            "mtime": 1,
        },
        {"kind": "tar", **path_info("/layer.tar")},
    ],
}


def test_everything_that_a_recipe_says() -> None:
    recipe = parse_recipe(WHOLE, "it")
    assert recipe.names == (Reference("quay.io", "me/app", "V1"), Reference("docker.io", "library/app", "latest"))
    assert (recipe.architecture, recipe.created, recipe.inherit) == ("arm64", "1970-01-01T00:00:01Z", "env")
    assert recipe.base == Base("/base.tar", "alpine", None)
    store, root, tar = recipe.layers
    assert isinstance(store, StoreLayer)
    assert ([info.path for info in store.paths], store.stamp) == ([PATH], Stamp(1, 2, 3))
    assert isinstance(root, RootLayer)
    assert ([info.path for info in root.trees], root.stamp, root.keep_dirlinks) == (["/a", "/b"], Stamp(), True)
    assert isinstance(tar, TarLayer) and tar.tar.path == "/layer.tar"
    assert parse_recipe(recipe_json(recipe), "it") == recipe


def test_what_a_recipe_may_leave_out() -> None:
    short = {key: WHOLE[key] for key in ("version", "names", "architecture", "created", "config")}
    layers = [{"kind": "store", "paths": []}, {"kind": "root", "trees": []}]
    recipe = parse_recipe({**short, "layers": layers}, "it")
    assert (recipe.base, recipe.inherit) == (None, "docker")
    assert recipe.layers == (StoreLayer(()), RootLayer((), Stamp(0, 0, 1), keep_dirlinks=False))


def changed(place: str, value: object) -> dict[str, Any]:
    """The whole recipe with another value at a place like `layers.0.uid`."""
    recipe: dict[str, Any] = json.loads(json.dumps(WHOLE))
    inner: Any = recipe
    *way, last = [int(part) if part.isdigit() else part for part in place.split(".")]
    for part in way:
        inner = inner[part]
    inner[last] = value
    return recipe


@pytest.mark.parametrize(
    ("place", "value", "why"),
    [
        ("version", 2, "recipe of version 2; this Lamina reads version 1: build the recipe again"),
        ("version", None, "recipe of version None"),
        ("version", "1", "recipe of version '1'"),
        ("version", True, "recipe of version True"),
        ("version", 1.0, "recipe of version 1.0"),
        ("nmaes", [], "the recipe has the unknown field 'nmaes'"),
        ("names", None, "names is missing, not an array"),
        ("names", "app", "names is 'app', not an array"),
        ("names.0", "app", "an item of names is 'app', not an object"),
        ("names.0.name", None, "an image's name is missing, not a string"),
        ("names.0.name", "a//b", "'a//b' is no image name"),
        ("names.0.tag", 1, "an image's tag is 1, not a string"),
        ("names.0.tag", "a b", "'a b' is no image tag"),
        ("names.0.digest", "x", "a name has the unknown field 'digest'"),
        ("architecture", None, "architecture is missing, not a string"),
        ("created", 1, "created is 1, not a string"),
        ("created", "now", "created is 'now', not an RFC 3339 time"),
        ("config", [], "config is [], not an object"),
        ("config.Cmd", "sh", 'config.Cmd is "sh"; it takes a list of strings'),
        ("base", "x", "base is 'x', not an object"),
        ("base.path", None, "base.path is missing, not a string"),
        ("base.name", 1, "base.name is 1, not a string"),
        ("base.tag", [], "base.tag is [], not a string"),
        ("base.digest", "x", "base has the unknown field 'digest'"),
        ("inherit", "all", "inherit is 'all'; write one of: docker, env"),
        ("inherit", None, "inherit is None; write one of: docker, env"),
        ("inherit", [], "inherit is []; write one of: docker, env"),
        ("layers", None, "layers is missing, not an array"),
        ("layers.0", 1, "a layer is 1, not an object"),
        ("layers.0.kind", None, "a layer's kind is missing, not a string"),
        ("layers.0.kind", "nar", "a layer of kind 'nar'; write one of: store, root, tar"),
        ("layers.0.trees", [], "a layer of kind store has the unknown field 'trees'"),
        ("layers.0.paths", None, "paths is missing, not an array"),
        ("layers.0.paths.0", PATH, f"a store path is '{PATH}', not an object"),
        ("layers.0.paths.0.path", "/etc", "'/etc' is no store path"),
        ("layers.0.paths.0.narHash", None, "narHash is missing, not a string"),
        ("layers.0.paths.0.narSize", 1.5, "narSize is 1.5, not a whole number"),
        ("layers.0.paths.0.url", "x", "a store path has the unknown field 'url'"),
        ("layers.0.uid", -1, "uid is -1; write a number from 0 to 4294967295"),
        ("layers.0.gid", 1 << 32, "gid is 4294967296; write a number"),
        ("layers.0.mtime", True, "mtime is True, not a whole number"),
        ("layers.0.mtime", "1", "mtime is '1', not a whole number"),
        ("layers.1.trees", "/a", "trees is '/a', not an array"),
        ("layers.1.trees.0", 1, "a store path is 1, not an object"),
        ("layers.1.keepDirlinks", 1, "keepDirlinks is 1, not bool"),
        ("layers.2.path", None, "path is missing, not a string"),
        ("layers.2.uid", 0, "a layer of kind tar has the unknown field 'uid'"),
    ],
)
def test_one_wrong_thing_is_one_line(place: str, value: object, why: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_recipe(changed(place, value), "recipe.json")
    assert str(caught.value).startswith(f"recipe.json: {why}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [None, [], "x", 1])
def test_what_is_no_recipe(value: object) -> None:
    with pytest.raises(BadInput, match=f"it: a recipe is {re.escape('missing' if value is None else repr(value))}"):
        parse_recipe(value, "it")


def test_a_recipe_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=f"{tmp_path}/gone: No such file or directory; give a recipe"):
        read_recipe(tmp_path / "gone")
    with pytest.raises(BadInput, match=f"{tmp_path}: Is a directory; give a recipe"):
        read_recipe(tmp_path)
