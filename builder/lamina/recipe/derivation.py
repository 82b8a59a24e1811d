"""From the attributes of a Nix derivation to a recipe.

`nix/lib/recipe.nix` passes its arguments as structured attributes, with the reference graph of everything that the
image names. Which store paths the image needs follows from the graph alone; files are read only where a part of a store
path is copied to the root (`lamina/store/references.py`).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from lamina.errors import BadInput, printable
from lamina.oci.config import shown
from lamina.oci.strict_json import Json, expect, read_json_file, strings
from lamina.oci.timestamps import any_time, seconds
from lamina.recipe.advice import advice
from lamina.recipe.open import open_base
from lamina.recipe.recipe import (
    VERSION,
    Recipe,
    RecipeLayer,
    RootLayer,
    StoreLayer,
    TarLayer,
    layer_json,
    parse_base,
    parse_layer,
    parse_recipe,
    parse_rule,
    recipe_json,
)
from lamina.store.closure import Graph, PathInfo, parse_graph, reachable, store_path_in
from lamina.store.ownership import Stamp


def attributes_file() -> Path:
    """The file with the derivation's attributes. In the sandbox, Nix 2.8 sets a path that exists outside only."""
    configured = Path(os.environ.get("NIX_ATTRS_JSON_FILE", ""))
    return configured if configured.is_file() else Path(os.environ.get("NIX_BUILD_TOP", "."), ".attrs.json")


class Attributes(NamedTuple):
    """The attributes of a derivation: `fields` of the file `where`, and the graph in the field `closure`."""

    fields: Json
    graph: Graph
    where: Path

    @classmethod
    def read(cls, path: Path) -> Attributes:
        fields = expect(read_json_file(path), dict, "the attributes", path)
        return cls(fields, parse_graph(fields.get("closure"), path), path)

    @property
    def subject(self) -> str:
        """What the user called it: errors about what the user wrote start so."""
        names = (self.fields.get("image") or {}).get("names") or [{}]
        name = names[0].get("name") if isinstance(names[0], dict) else None
        return f'image "{name}"' if name else str(self.where)

    def info(self, path: str) -> PathInfo:
        """The store path; of a path below one, its content is fixed by the store path's."""
        known = self.graph.get(path) or self.graph.get(store_path_in(path) or "")
        if known is None:
            raise BadInput(self.where, f"the closure graph does not contain {path}", "the graph is damaged")
        return known._replace(path=path)

    def infos(self, key: str) -> list[PathInfo]:
        return [self.info(path) for path in strings(self.fields.get(key), key, self.where)]

    def text(self, key: str) -> str:
        return expect(self.fields.get(key), str, key, self.where)

    def number(self, key: str) -> int:
        return expect(self.fields.get(key, 0), int, key, self.where)


def make_recipe(path: Path) -> Recipe:
    """The recipe for the attributes in the file `path`, which `nix/lib/recipe.nix` describes. Raises BadInput."""
    given = Attributes.read(path)
    recipe = _recipe(given)
    for text in advice(recipe):
        print(printable(f"warning: {given.subject}: {text}"), file=sys.stderr)
    database = given.fields.get("database")
    if database is None:
        return recipe
    layer = TarLayer(given.info(expect(database, str, "database", path)))
    return recipe._replace(layers=(*recipe.layers, layer))


def make_database(path: Path) -> Iterator[bytes]:
    """The layer with Nix' database: the store paths of the recipe, and those in the base's own database."""
    from lamina.recipe.base_database import registered_in  # sqlite, which few images need
    from lamina.recipe.nix_database import database_layer, registration

    given = Attributes.read(path)
    recipe = _recipe(given)
    there = {info.path for layer in recipe.layers if isinstance(layer, StoreLayer) for info in layer.paths}
    paths = {}
    if recipe.base:
        from lamina.image.contents import store_paths

        base = open_base(recipe.base, recipe.architecture)
        held = set[str]().union(*store_paths(base.layers))
        paths = {row.path: row for row in registered_in(base.layers, held)}
    paths |= {name: registration(given.info(name)) for name in there}
    told = given.fields.get("storeStamp") or {}
    owner = Stamp(told.get("uid", given.number("uid")), told.get("gid", given.number("gid")))
    roots = [name for name in strings(given.fields.get("registered"), "registered", path) if name in there]
    made = given.fields.get("made")
    return database_layer(paths.values(), owner, roots, Path(expect(made, str, "made", path)) if made else None)


def _recipe(given: Attributes) -> Recipe:
    """The recipe without the layer with a database."""
    path = given.where
    image = expect(given.fields.get("image"), dict, "image", path)
    config = given.text("config")
    at_root = _at_root(given)
    below = _siblings([_read_layers(Path(file)) for file in strings(given.fields.get("layers"), "layers", path)])
    # The database lists packages in copyToRoot, so they are store paths of the image, too.
    registered = given.infos("registered")
    needed = _needed(given, [given.info(config)], at_root, registered) if given.fields.get("storePaths", True) else []
    taken = {info.path for layer in below if isinstance(layer, StoreLayer) for info in layer.paths}
    wanted = [info for info in needed if info.path not in taken]
    room = _room(given, image, len(below) + len(at_root) + bool(given.fields.get("nixDB")))
    layers = [*below, *_planned(given, wanted, room), *at_root]
    return parse_recipe(_document(given, image, Path(config), layers), given.subject)


def make_layers(path: Path) -> Json:
    """The layers for the attributes of `buildLayer`, which `nix/buildLayer.nix` describes. Raises BadInput.

    Shape: `{"version": 1, "layers": [...]}` with items as in a recipe.
    """
    given = Attributes.read(path)
    at_root = _at_root(given)
    needed = _needed(given, [], at_root, given.infos("paths"))
    room = given.number("maxLayers") if given.fields.get("maxLayers") is not None else None
    layers = [*_planned(given, needed, room), *at_root]
    return {"version": VERSION, "layers": [layer_json(layer) for layer in layers]}


def _at_root(given: Attributes) -> list[RecipeLayer]:
    """The layer of files at the root, if there are any."""
    made = given.fields.get("made")
    if made:
        return [TarLayer(given.info(expect(made, str, "made", given.where)))]
    trees = given.infos("trees")
    if not trees:
        return []
    stamp = Stamp(given.number("uid"), given.number("gid"), _store_stamp(given).mtime)
    told = expect(given.fields.get("rules") or [], list, "rules", given.where)
    rules = tuple(parse_rule(rule, given.where) for rule in told)
    keep, links = bool(given.fields.get("keepDirlinks")), bool(given.fields.get("links"))
    # Only the image itself knows that there is no base, whose root directory would get another owner and mode.
    image = given.fields.get("image")
    top = image is not None and not image.get("base")
    return [RootLayer(tuple(trees), stamp, keep, links, rules, top)]


def _needed(
    given: Attributes, documents: list[PathInfo], at_root: list[RecipeLayer], paths: Iterable[PathInfo] = ()
) -> list[PathInfo]:
    """The paths, and what the image's own pieces refer to, at any distance.

    A piece itself is not shipped as a store path, since its content goes to another place of the image; unless
    something in the image refers to it: a program that is copied to the root still looks for itself in the store, and
    links to the files of a tree lead there.
    """
    start = {info.path for info in paths}
    pieces = list(documents)
    for layer in at_root:
        if isinstance(layer, RootLayer):
            start |= _referred_to(given, layer)
        elif isinstance(layer, TarLayer):
            pieces.append(layer.tar)
    start |= {reference for piece in pieces for reference in piece.references}
    return reachable(given.graph, start, given.where)


def _referred_to(given: Attributes, layer: RootLayer) -> set[str]:
    """The store paths that the files at the root refer to. Says which files hide others that differ from them."""
    from lamina.store.references import root_files  # an image without files at its root does without

    based = bool((given.fields.get("image") or {}).get("base"))
    files = root_files(layer.trees, given.graph, links=layer.links, keep_dirlinks=layer.keep_dirlinks, based=based)
    for path, used, hidden in files.collisions[:_WARNINGS]:
        _warn(given, f"/{path} of {hidden} is hidden by that of {used}")
    if len(files.collisions) > _WARNINGS:
        _warn(given, f"{len(files.collisions) - _WARNINGS} more files are hidden by others")
    return files.references


_WARNINGS = 5


def _warn(given: Attributes, text: str) -> None:
    """Once: the database of an image is made from the same attributes."""
    if not given.fields.get("database"):
        print(printable(f"warning: {given.subject}: {text}"), file=sys.stderr)


def _room(given: Attributes, image: Json, others: int) -> int | None:
    """The number of layers for store paths. `maxLayers` also counts the layers of the base and of other content."""
    if given.fields.get("maxLayers") is None:
        return None
    below, base = 0, image.get("base")
    if base:
        architecture = expect(image.get("architecture"), str, "architecture", given.where)
        below = len(open_base(parse_base(base, given.where), architecture).layers)
    most = given.number("maxLayers")
    if most - below - others < 1:
        layers = "1 layer" if below == 1 else f"{below} layers"
        of_base = f"the base has {layers} and " if below else ""
        what = f"maxLayers is {most}, but {of_base}other content than store paths needs {others}"
        raise BadInput(given.subject, what, f"use at least {below + others + 1}; Docker takes at most 125")
    return most - below - others


def _planned(given: Attributes, needed: list[PathInfo], room: int | None) -> list[RecipeLayer]:
    """The store paths in at most `room` layers; in one layer if `room` is None."""
    stamp = _store_stamp(given)
    if not needed:
        return []
    if room is None:
        return [StoreLayer(tuple(needed), stamp, "all store paths")]
    if given.fields.get("pipeline") is not None:
        from lamina.planning.pipeline import run_pipeline

        pipeline = given.fields["pipeline"]
        if isinstance(pipeline, str):  # a file, which may have been built
            pipeline = read_json_file(Path(pipeline))
        return [StoreLayer(layer.paths, stamp, layer.reason) for layer in run_pipeline(pipeline, needed)]
    from lamina.planning.lock import read_lock
    from lamina.planning.plan import plan

    lock = given.fields.get("lock") and given.text("lock")
    volatile = strings(given.fields.get("volatile"), "volatile", given.where)
    for path in volatile:
        if path not in given.graph:
            raise BadInput(given.subject, f"volatile has {path}, which is not in the image", "take it out of volatile")
    planned = plan(needed, room, volatile=volatile, previous=read_lock(Path(lock)) if lock else None)
    return [StoreLayer(layer.paths, stamp, layer.reason) for layer in planned]


def _store_stamp(given: Attributes) -> Stamp:
    told = expect(given.fields.get("storeStamp") or {}, dict, "storeStamp", given.where)
    mtime = expect(told.get("mtime", "@1"), str, "mtime", given.where)
    time = _time(given, mtime, "mtime")
    return Stamp(told.get("uid", 0), told.get("gid", 0), seconds(time, "mtime", given.subject))


def _time(given: Attributes, text: str, what: str) -> str:
    """An RFC 3339 time; of other words, as dockerTools takes them, what GNU date makes of them. Raises BadInput."""
    try:
        return any_time(text, what, given.subject)
    except BadInput:
        command = ["date", "--utc", f"--date={text}", "+%Y-%m-%dT%H:%M:%SZ"]
    import subprocess  # few images need it

    # With structured attributes, what a derivation sets is no variable of its builder.
    env = os.environ | {"PATH": str(given.fields.get("PATH") or os.environ.get("PATH", ""))}
    try:
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    except (OSError, ValueError, subprocess.SubprocessError):
        remedy = 'write a time like 1970-01-01T00:00:01Z, "now", or words that date -d takes'
        raise BadInput(given.subject, f"{what} is {shown(text)}", remedy) from None


def _siblings(layers: list[list[RecipeLayer]]) -> list[RecipeLayer]:
    """The layers of several derivations, bottom first. A store path stays in the first layer that contains it."""
    taken: set[str] = set()
    result: list[RecipeLayer] = []
    for layer in (layer for made in layers for layer in made):
        if isinstance(layer, StoreLayer):
            layer = layer._replace(paths=tuple(info for info in layer.paths if info.path not in taken))
            taken |= {info.path for info in layer.paths}
            if not layer.paths:
                continue
        result.append(layer)
    return result


def _read_layers(path: Path) -> list[RecipeLayer]:
    fields = expect(read_json_file(path), dict, "the result of buildLayer", path)
    if fields.get("version") != VERSION:
        raise BadInput(path, f"layers of version {fields.get('version')!r:.20}", "build them again")
    return [parse_layer(item, path) for item in expect(fields.get("layers"), list, "layers", path)]


def _document(given: Attributes, image: Json, config: Path, layers: list[RecipeLayer]) -> Json:
    empty = Recipe(names=(), architecture="", created="", config={}, layers=tuple(layers))
    own = read_json_file(config)
    created = expect(image.get("created"), str, "created", config)
    return {
        **recipe_json(empty),
        **image,
        "config": {} if own is None else own,
        "created": _time(given, created, "created"),
    }


def json_text(value: Json) -> bytes:
    """JSON for people and programs: sorted and indented, the same bytes each time."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"
