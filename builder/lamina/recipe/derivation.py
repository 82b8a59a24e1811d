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
    with_references,
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
        """The beginning of errors about the user's arguments: the name of the image."""
        names = (self.fields.get("image") or {}).get("names") or [{}]
        name = names[0].get("name") if isinstance(names[0], dict) else None
        return f'image "{name}"' if name else str(self.where)

    def info(self, path: str) -> PathInfo:
        """The store path with hash, size and references. A path below a store path has those of the store path."""
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
    attributes = Attributes.read(path)
    recipe = _recipe(attributes)
    for text in advice(recipe):
        print(printable(f"warning: {attributes.subject}: {text}"), file=sys.stderr)
    database = attributes.fields.get("database")
    if database is None:
        return recipe
    layer = TarLayer(attributes.info(expect(database, str, "database", path)))
    return recipe._replace(layers=(*recipe.layers, layer))


def make_database(path: Path) -> Iterator[bytes]:
    """The layer with Nix' database: the store paths of the recipe, and those in the base's own database."""
    from lamina.recipe.base_database import registered_in  # sqlite, which few images need
    from lamina.recipe.nix_database import database_layer, registration

    attributes = Attributes.read(path)
    recipe = _recipe(attributes)
    own = {info.path for layer in recipe.layers if isinstance(layer, StoreLayer) for info in layer.paths}
    paths = {}
    if recipe.base:
        from lamina.image.contents import store_paths
        from lamina.recipe.open import open_base

        base = open_base(recipe.base, recipe.architecture)
        held = set[str]().union(*store_paths(base.layers))
        paths = {row.path: row for row in registered_in(base.layers, held)}
    paths |= {name: registration(attributes.info(name)) for name in own}
    stamp = attributes.fields.get("storeStamp") or {}
    owner = Stamp(stamp.get("uid", attributes.number("uid")), stamp.get("gid", attributes.number("gid")))
    roots = [name for name in strings(attributes.fields.get("registered"), "registered", path) if name in own]
    made = attributes.fields.get("made")
    return database_layer(paths.values(), owner, roots, Path(expect(made, str, "made", path)) if made else None)


def _recipe(attributes: Attributes) -> Recipe:
    """The recipe without the layer with a database."""
    path = attributes.where
    image = expect(attributes.fields.get("image"), dict, "image", path)
    config = attributes.text("config")
    at_root = _at_root(attributes)
    below = _joined([_read_layers(Path(file)) for file in strings(attributes.fields.get("layers"), "layers", path)])
    # The database lists packages in copyToRoot, so they are store paths of the image, too.
    registered = attributes.infos("registered")
    needed = (
        _needed(attributes, [attributes.info(config)], at_root, registered)
        if attributes.fields.get("storePaths", True)
        else []
    )
    taken = {info.path for layer in below if isinstance(layer, StoreLayer) for info in layer.paths}
    missing = [info for info in needed if info.path not in taken]
    room = _room(attributes, image, len(below) + len(at_root) + bool(attributes.fields.get("nixDB")))
    references = {info.path: info.references for info in attributes.graph.values()}
    layers = with_references([*below, *_planned(attributes, missing, room), *at_root], references)
    return parse_recipe(_document(attributes, image, Path(config), layers), attributes.subject)


def make_layers(path: Path) -> Json:
    """The layers for the attributes of `buildLayer`, which `nix/buildLayer.nix` describes. Raises BadInput.

    Shape: `{"version": 1, "layers": [...]}` with items as in a recipe.
    """
    attributes = Attributes.read(path)
    at_root = _at_root(attributes)
    needed = _needed(attributes, [], at_root, attributes.infos("paths"))
    room = attributes.number("maxLayers") if attributes.fields.get("maxLayers") is not None else None
    layers = [*_planned(attributes, needed, room), *at_root]
    return {"version": VERSION, "layers": [layer_json(layer) for layer in layers]}


def _at_root(attributes: Attributes) -> list[RecipeLayer]:
    """The layer of files at the root, if there are any."""
    made = attributes.fields.get("made")
    if made:
        return [TarLayer(attributes.info(expect(made, str, "made", attributes.where)))]
    trees = attributes.infos("trees")
    if not trees:
        return []
    stamp = Stamp(attributes.number("uid"), attributes.number("gid"), _store_stamp(attributes).mtime)
    listed = expect(attributes.fields.get("rules") or [], list, "rules", attributes.where)
    rules = tuple(parse_rule(rule, attributes.where) for rule in listed)
    keep, links = bool(attributes.fields.get("keepDirlinks")), bool(attributes.fields.get("links"))
    # A base's root directory must keep its owner and mode. buildLayer does not know whether there will be a base.
    image = attributes.fields.get("image")
    top = image is not None and not image.get("base")
    return [RootLayer(tuple(trees), stamp, keep, links, rules, top)]


def _needed(
    attributes: Attributes, documents: list[PathInfo], at_root: list[RecipeLayer], paths: Iterable[PathInfo] = ()
) -> list[PathInfo]:
    """The store paths of the image: `paths`, and everything that the documents and the files at the root depend on.

    The documents, trees and tars themselves are left out, since their content is elsewhere in the image, unless a store
    path or a file in the image refers to them: a copied program may look for its own store path, and links to the files
    of a tree refer to it.
    """
    start = {info.path for info in paths}
    pieces = list(documents)
    for layer in at_root:
        if isinstance(layer, RootLayer):
            start |= _referred_to(attributes, layer)
        elif isinstance(layer, TarLayer):
            pieces.append(layer.tar)
    start |= {reference for piece in pieces for reference in piece.references}
    return reachable(attributes.graph, start, attributes.where)


def _referred_to(attributes: Attributes, layer: RootLayer) -> set[str]:
    """The store paths that the files at the root refer to. Warns about files that hide different files."""
    from lamina.store.references import root_files  # only images with files at their root need it

    based = bool((attributes.fields.get("image") or {}).get("base"))
    files = root_files(layer.trees, attributes.graph, links=layer.links, keep_dirlinks=layer.keep_dirlinks, based=based)
    for path, used, hidden in files.collisions[:_WARNINGS]:
        _warn(attributes, f"/{path} of {hidden} is hidden by that of {used}")
    if len(files.collisions) > _WARNINGS:
        _warn(attributes, f"{len(files.collisions) - _WARNINGS} more files are hidden by others")
    return files.references


_WARNINGS = 5
"""Hidden files that are named; others are counted."""


def _warn(attributes: Attributes, text: str) -> None:
    """Print a warning once: the derivation of the database has the same attributes, and prints it."""
    if not attributes.fields.get("database"):
        print(printable(f"warning: {attributes.subject}: {text}"), file=sys.stderr)


def _room(attributes: Attributes, image: Json, others: int) -> int | None:
    """The number of layers for store paths. `maxLayers` also counts the layers of the base and of other content."""
    if attributes.fields.get("maxLayers") is None:
        return None
    below, base = 0, image.get("base")
    if base:
        from lamina.recipe.open import open_base

        architecture = expect(image.get("architecture"), str, "architecture", attributes.where)
        below = len(open_base(parse_base(base, attributes.where), architecture).layers)
    most = attributes.number("maxLayers")
    if most - below - others < 1:
        layers = "1 layer" if below == 1 else f"{below} layers"
        of_base = f"the base has {layers} and " if below else ""
        what = f"maxLayers is {most}, but {of_base}other content than store paths needs {others}"
        raise BadInput(attributes.subject, what, f"use at least {below + others + 1}; Docker takes at most 125")
    return most - below - others


def _planned(attributes: Attributes, needed: list[PathInfo], room: int | None) -> list[RecipeLayer]:
    """The store paths in at most `room` layers; in one layer if `room` is None."""
    stamp = _store_stamp(attributes)
    if not needed:
        return []
    if room is None:
        return [StoreLayer(tuple(needed), stamp, "all store paths")]
    if attributes.fields.get("pipeline") is not None:
        from lamina.planning.pipeline import run_pipeline

        pipeline = attributes.fields["pipeline"]
        if isinstance(pipeline, str):  # a file, which may have been built
            pipeline = read_json_file(Path(pipeline))
        return [StoreLayer(layer.paths, stamp, layer.reason) for layer in run_pipeline(pipeline, needed)]
    from lamina.planning.lock import read_lock
    from lamina.planning.plan import plan

    lock = attributes.fields.get("lock") and attributes.text("lock")
    volatile = strings(attributes.fields.get("volatile"), "volatile", attributes.where)
    for path in volatile:
        if path not in attributes.graph:
            raise BadInput(
                attributes.subject, f"volatile has {path}, which is not in the image", "take it out of volatile"
            )
    planned = plan(needed, room, volatile=volatile, previous=read_lock(Path(lock)) if lock else None)
    return [StoreLayer(layer.paths, stamp, layer.reason) for layer in planned]


def _store_stamp(attributes: Attributes) -> Stamp:
    stamp = expect(attributes.fields.get("storeStamp") or {}, dict, "storeStamp", attributes.where)
    mtime = expect(stamp.get("mtime", "@1"), str, "mtime", attributes.where)
    time = _time(attributes, mtime, "mtime")
    return Stamp(stamp.get("uid", 0), stamp.get("gid", 0), seconds(time, "mtime", attributes.subject))


def _time(attributes: Attributes, text: str, what: str) -> str:
    """An RFC 3339 time. GNU date parses other words, as in dockerTools. Raises BadInput."""
    try:
        return any_time(text, what, attributes.subject)
    except BadInput:
        command = ["date", "--utc", f"--date={text}", "+%Y-%m-%dT%H:%M:%SZ"]
    import subprocess  # few images need it

    # With structured attributes, attributes of a derivation are not environment variables of its builder.
    env = os.environ | {"PATH": str(attributes.fields.get("PATH") or os.environ.get("PATH", ""))}
    try:
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    except (OSError, ValueError, subprocess.SubprocessError):
        remedy = 'write a time like 1970-01-01T00:00:01Z, "now", or words that date -d takes'
        raise BadInput(attributes.subject, f"{what} is {shown(text)}", remedy) from None


def _joined(layers: list[list[RecipeLayer]]) -> list[RecipeLayer]:
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


def _document(attributes: Attributes, image: Json, config: Path, layers: list[RecipeLayer]) -> Json:
    empty = Recipe(names=(), architecture="", created="", config={}, layers=tuple(layers), has_references=True)
    own = read_json_file(config)
    created = expect(image.get("created"), str, "created", config)
    return {
        **recipe_json(empty),
        **image,
        "config": {} if own is None else own,
        "created": _time(attributes, created, "created"),
    }


def json_text(value: Json) -> bytes:
    """JSON for people and programs: sorted and indented, the same bytes each time."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"
