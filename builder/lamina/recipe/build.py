"""From recipe to image: the base, the layers on top of it, and the config."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sized
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from lamina.errors import BadInput, BadUsage
from lamina.image.document import complete_history
from lamina.image.image import Image
from lamina.image.layer import Layer, Origin
from lamina.oci.config import check_types, inherit
from lamina.oci.strict_json import Json
from lamina.recipe.keys import NarHashes, layer_key, nar_hashes, root_key
from lamina.recipe.recipe import (
    OciOptions,
    Recipe,
    RecipeLayer,
    RootLayer,
    StoreLayer,
    TarLayer,
)
from lamina.store.closure import PathInfo
from lamina.store.root_tree import link_items, root_items
from lamina.store.sections import store_sections
from lamina.store.tree import Item, store_directories, store_items
from lamina.store.tree_blob import TreeBlob

if TYPE_CHECKING:
    from lamina.image.base_files import BaseFiles

NOTHING = Image(config={}, layers=(), history=())
"""What an image without a base is built on."""


def image_on(recipe: Recipe, base: Image, base_files: BaseFiles | None) -> Image:
    """The image that the recipe describes, on its base, or on NOTHING. Its own layers are made when they are read.

    A store path that the base already contains is not added again. Files go to where the base keeps their directories
    (`image/base_files.py`). Raises BadInput: the base is corrupt, or a path cannot be added to it.
    """
    layers, history = list(base.layers), list(base.history)
    if base.layers:
        history = complete_history(history, len(layers), recipe.created, recipe.base and recipe.base.path)
    for described, layer in zip(recipe.layers, layers_on(recipe, base_files), strict=True):
        if layer:
            layers.append(layer)
            history.append(_history(described, recipe.created))
    if not layers:
        layers.append(Layer.of(TreeBlob.of([]), "the empty layer"))
        history.append({"created": recipe.created, "created_by": "lamina: nothing"})
    image = Image(_config(recipe, base), tuple(layers), tuple(history), recipe.names)
    return _with_options(image, recipe.oci) if recipe.oci else image


def _with_options(image: Image, options: OciOptions) -> Image:
    """The image with the recipe's annotations and layer encoding. Raises BadInput: the compressor has no such level."""
    from lamina.image.annotate import parse_annotations
    from lamina.image.encoding import layer_encoding

    try:
        encoding = layer_encoding(options.layer_compressor, options.layer_level)
    except BadUsage as error:
        raise BadInput("the recipe", f"{error.where}: {error.what}", error.remedy) from None
    return attrs.evolve(image, annotations=parse_annotations(options.annotations, "the recipe"), encoding=encoding)


def layers_on(recipe: Recipe, base_files: BaseFiles | None) -> list[Layer | None]:
    """The recipe's own layers, in its order; None for one whose content the base already has."""
    known = nar_hashes(recipe.layers)
    layers = [_layer(described, base_files, known) for described in recipe.layers]
    return [_with_references(layer) for layer in layers] if recipe.has_references else layers


def _with_references(layer: Layer | None) -> Layer | None:
    return layer and attrs.evolve(layer, origin=layer.origin and layer.origin._replace(has_references=True))


def _layer(requested: RecipeLayer, base_files: BaseFiles | None, known: NarHashes) -> Layer | None:
    """The layer; None if the base already has everything that it would contain."""
    if isinstance(requested, StoreLayer):
        return _store_layer(requested, base_files)
    if isinstance(requested, RootLayer):
        return _root_layer(requested, base_files, known)
    return _tar_layer(requested, base_files)


def _store_layer(requested: StoreLayer, base_files: BaseFiles | None) -> Layer | None:
    infos = tuple(info for info in requested.paths if not base_files or not base_files.contains(info))
    if not infos:
        return None
    requested = requested._replace(paths=infos)
    paths, stamp = [info.path for info in infos], requested.stamp
    if base_files:
        directories = store_directories(paths, stamp)
        placed = base_files.place(directories)
        if placed != directories:  # the base keeps the store elsewhere, or with another owner or mode
            return _moved_store_layer(requested, base_files, placed)
    blob = TreeBlob(lambda: store_items(paths, stamp), lambda: store_sections(infos, stamp))
    origin = Origin("store", infos, requested.reason)
    return Layer(blob, _title(infos), key=layer_key(requested), weight=_weight(infos), origin=origin)


def _moved_store_layer(requested: StoreLayer, base_files: BaseFiles, directories: list[Item]) -> Layer:
    """A layer of store paths in the directories that the base has; without a key if the base has parts of a path."""
    paths = [info.path for info in requested.paths]
    blob = TreeBlob(lambda: base_files.place(store_items(paths, requested.stamp)))
    is_partly_there = any(base_files.has(os.fsencode(path).lstrip(b"/")) for path in paths)
    key = None if is_partly_there else layer_key(requested, directories)
    origin = Origin("store", requested.paths, requested.reason)
    return Layer(blob, _title(requested.paths), key=key, weight=_weight(requested.paths), origin=origin)


def _title(infos: Sized) -> str:
    return f"the layer of {len(infos)} store paths"


def _root_layer(requested: RootLayer, base_files: BaseFiles | None, known: NarHashes) -> Layer:
    """The layer of files at the root. Lists the trees' files now, because they are part of the layer's key."""
    where, weight, origin = "the layer of files at the root", _weight(requested.trees), Origin("root", requested.trees)
    try:
        items = _root_items(requested, base_files)
    except BadInput:  # raised again when the layer is read
        return Layer(TreeBlob(lambda: _root_items(requested, base_files)), where, weight=weight, origin=origin)
    key = root_key(requested, items, known)
    return Layer(TreeBlob(lambda: items), where, key=key, weight=weight, origin=origin)


def _root_items(requested: RootLayer, base_files: BaseFiles | None) -> list[Item]:
    trees = [info.path for info in requested.trees]
    below = base_files.has_directory if base_files else lambda _: False
    if requested.links:
        items = link_items(trees, requested.stamp, requested.rules, below, requested.top)
    else:
        keep, rules = requested.keep_dirlinks, requested.rules
        items = root_items(trees, requested.stamp, keep_dirlinks=keep, rules=rules, below=below, top=requested.top)
    return base_files.place(items) if base_files else items


def _tar_layer(requested: TarLayer, base_files: BaseFiles | None) -> Layer:
    from lamina.data.blob import FileRange, Source
    from lamina.data.compression import plain
    from lamina.image.base_files import place_tar

    path = requested.tar.path
    source = Source.open(Path(path))
    tar = plain(FileRange(source, 0, source.size), path)
    moved = place_tar(tar, base_files, path) if base_files else None
    if moved:
        key = layer_key(requested, moved)
        return Layer(TreeBlob.of(moved), path, key=key, weight=requested.tar.nar_size, origin=Origin("tar"))
    size, weight = tar.size, requested.tar.nar_size
    return Layer(tar, path, key=layer_key(requested), size=size, weight=weight, origin=Origin("tar"))


def _weight(infos: Iterable[PathInfo]) -> int:
    return sum(info.nar_size for info in infos)


def _history(requested: RecipeLayer, created: str) -> Json:
    """One line for `docker history`, with names without hashes."""
    if isinstance(requested, StoreLayer):
        names = sorted({info.name for info in requested.paths})
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        return {"created": created, "created_by": f"lamina: store paths {', '.join(names[:8])}{more}"}
    if isinstance(requested, RootLayer):
        return {"created": created, "created_by": "lamina: files at the root"}
    return {"created": created, "created_by": "lamina: files made by a script"}


def _config(recipe: Recipe, base: Image) -> Json:
    """The config document without `rootfs` and `history`.

    `config` is an object even when it is empty: a Mesos agent aborts without one (isolators/docker/runtime.cpp,
    CHECK(has_config)).
    """
    inherited = check_types(base.config.get("config") or {}, recipe.base and recipe.base.path)
    document: Json = {
        "architecture": recipe.architecture,
        "os": base.config.get("os") or "linux",
        "created": recipe.created,
        "config": inherit(inherited, recipe.config, recipe.inherit),
    }
    for key in ("author", "variant", "os.version", "os.features"):
        same_machine = base.config.get("architecture") == recipe.architecture
        if base.config.get(key) and same_machine:
            document[key] = base.config[key]
    return document
