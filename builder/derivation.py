"""From what a Nix derivation was given to a recipe.

`nix/recipe.nix` passes its arguments as structured attributes, with the reference graph of everything that the
image names. Which store paths the image needs follows from the graph alone: no file of the closure is read.
"""

from __future__ import annotations

import datetime
import json
import os
from pathlib import Path

from builder.closure import Graph, PathInfo, parse_graph, reachable
from builder.errors import BadInput
from builder.recipe import Recipe, RecipeLayer, RootLayer, StoreLayer, TarLayer, parse_recipe, recipe_json
from builder.spec import Json, expect, parse_json, strings
from builder.tree import Stamp


def attributes_file() -> Path:
    """Where Nix put the derivation's attributes. Nix 2.8 names the path as it is outside the sandbox."""
    told = Path(os.environ.get("NIX_ATTRS_JSON_FILE", ""))
    return told if told.is_file() else Path(os.environ.get("NIX_BUILD_TOP", "."), ".attrs.json")


def make_recipe(path: Path) -> Recipe:
    """The recipe that the attributes in `path` ask for.

    Shape: `{image: {names, architecture, created, inherit, base}, config: PATH, trees: [PATH],
    made: PATH | null, uid, gid,
    keepDirlinks, closure: [...]}`; see `nix/recipe.nix`. Raises BadInput.
    """
    fields = expect(parse_json(path.read_bytes(), path), dict, "the attributes", path)
    image = expect(fields.get("image"), dict, "image", path)
    trees = strings(fields.get("trees"), "trees", path)
    made = fields.get("made")
    config = expect(fields.get("config"), str, "config", path)
    graph = parse_graph(fields.get("closure"), path)
    pieces = [config, *trees, *([made] if made else [])]
    layers: list[RecipeLayer] = []
    needed = _needed(graph, pieces, path)
    if needed:
        layers.append(StoreLayer(tuple(needed)))
    stamp = Stamp(
        uid=expect(fields.get("uid", 0), int, "uid", path), gid=expect(fields.get("gid", 0), int, "gid", path)
    )
    if made:
        layers.append(TarLayer(made))
    elif trees:
        layers.append(RootLayer(tuple(trees), stamp, bool(fields.get("keepDirlinks"))))
    return parse_recipe(_document(image, Path(config), layers), path)


def _document(image: Json, config: Path, layers: list[RecipeLayer]) -> Json:
    empty = Recipe(names=(), architecture="", created="", config={}, layers=tuple(layers))
    own = parse_json(config.read_bytes(), config)
    created = image.get("created")
    return {
        **recipe_json(empty),
        **image,
        "config": {} if own is None else own,
        "created": _now() if created == "now" else created,
    }


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _needed(graph: Graph, pieces: list[str], where: object) -> list[PathInfo]:
    """What the image's own pieces refer to, at any distance.

    The pieces themselves are not shipped as store paths, since their content goes to other places of the image;
    unless something refers to them: a program that is copied to the root still looks for itself in the store.
    """
    for path in pieces:
        if path not in graph:
            raise BadInput(where, f"the closure graph does not hold {path}", "the graph is damaged")
    return reachable(graph, {reference for path in pieces for reference in graph[path].references}, where)


def recipe_text(recipe: Recipe) -> bytes:
    """A recipe for eyes and for programs: sorted, indented, the same bytes each time."""
    return json.dumps(recipe_json(recipe), indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"
