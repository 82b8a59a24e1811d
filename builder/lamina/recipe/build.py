"""From recipe to image: the base, the layers on top of it, the config of both."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from lamina.image.document import complete_history
from lamina.image.image import Image
from lamina.image.layer import Layer
from lamina.oci.config import check_types, inherit
from lamina.oci.digest import hex_of, sha256
from lamina.oci.strict_json import Json, canonical
from lamina.recipe.recipe import (
    Recipe,
    RecipeLayer,
    RootLayer,
    StoreLayer,
    TarLayer,
    layer_json,
)
from lamina.store.closure import PathInfo
from lamina.store.ownership import Stamp
from lamina.store.root_tree import link_items, root_items
from lamina.store.tree import Item, store_directories, store_items
from lamina.store.tree_blob import TreeBlob
from lamina.tar.write import FORMAT

if TYPE_CHECKING:
    from lamina.image.base import BaseFiles

NOTHING = Image(config={}, layers=(), history=())
"""What an image without a base is built on."""


def image_on(recipe: Recipe, base: Image, base_files: BaseFiles | None) -> Image:
    """The image that the recipe describes, on its base, or on NOTHING. Its own layers are made when they are read.

    A store path that the base already contains is not added again. Files go to where the base keeps their directories
    (`image/base.py`). Raises BadInput: the base is corrupt, or a path cannot be added to it.
    """
    layers, history = list(base.layers), list(base.history)
    if base.layers:
        history = complete_history(history, len(layers), recipe.created, recipe.base and recipe.base.path)
    for wanted in recipe.layers:
        layer = _layer(wanted, base_files)
        if layer:
            layers.append(layer)
            history.append(_history(wanted, recipe.created))
    if not layers:
        layers.append(Layer.of(TreeBlob.of([]), "the empty layer"))
        history.append({"created": recipe.created, "created_by": "lamina: nothing"})
    return Image(_config(recipe, base), tuple(layers), tuple(history), recipe.names)


def _layer(wanted: RecipeLayer, base_files: BaseFiles | None) -> Layer | None:
    """The layer; None when everything that it would hold is there already."""
    if isinstance(wanted, StoreLayer):
        return _store_layer(wanted, base_files)
    if isinstance(wanted, RootLayer):
        blob = TreeBlob(lambda: _root_items(wanted, base_files))
        return Layer(blob, "the layer of files at the root", key=_key(wanted, base_files), weight=_weight(wanted.trees))
    return _tar_layer(wanted, base_files)


def _store_layer(wanted: StoreLayer, base_files: BaseFiles | None) -> Layer | None:
    infos = tuple(info for info in wanted.paths if not base_files or not base_files.contains(info))
    if not infos:
        return None
    paths, stamp = [info.path for info in infos], wanted.stamp
    if base_files and _is_moved(base_files, infos, stamp):
        on: BaseFiles | None = base_files
        blob = TreeBlob(lambda: base_files.place(store_items(paths, stamp)))
    else:
        on, blob = None, TreeBlob(lambda: store_items(paths, stamp))
    key = _key(wanted._replace(paths=infos), on)
    return Layer(blob, f"the layer of {len(infos)} store paths", key=key, weight=_weight(infos))


def _is_moved(base_files: BaseFiles, infos: Iterable[PathInfo], stamp: Stamp) -> bool:
    """Whether the base keeps the store, or a directory above it, elsewhere or of another owner than we would."""
    items = store_directories((info.path for info in infos), stamp)
    return base_files.place(items) != items


def _root_items(wanted: RootLayer, base_files: BaseFiles | None) -> list[Item]:
    trees = [info.path for info in wanted.trees]
    below = base_files.has_directory if base_files else lambda _: False
    if wanted.links:
        items = link_items(trees, wanted.stamp, wanted.rules, below, wanted.top)
    else:
        keep, rules = wanted.keep_dirlinks, wanted.rules
        items = root_items(trees, wanted.stamp, keep_dirlinks=keep, rules=rules, below=below, top=wanted.top)
    return base_files.place(items) if base_files else items


def _tar_layer(wanted: TarLayer, base_files: BaseFiles | None) -> Layer:
    from lamina.data.blob import FileRange, Source
    from lamina.data.compression import plain
    from lamina.image.base import place_tar

    path = wanted.tar.path
    source = Source.open(Path(path))
    tar = plain(FileRange(source, 0, source.size), path)
    moved = place_tar(tar, base_files, path) if base_files else None
    if moved:
        return Layer(moved, path, key=_key(wanted, base_files), weight=wanted.tar.nar_size)
    return Layer(tar, path, key=_key(wanted), size=tar.size, weight=wanted.tar.nar_size)


def _weight(infos: Iterable[PathInfo]) -> int:
    return sum(info.nar_size for info in infos)


def _key(wanted: RecipeLayer, base_files: BaseFiles | None = None) -> str | None:
    """What the layer's bytes hang on, and nothing else: for the cache of digests. None: there is no telling."""
    fields = layer_json(wanted)
    fields.pop("why", None)
    if base_files and not base_files.is_known:
        return None
    on = {"on": list(base_files.diff_ids)} if base_files else {}
    return hex_of(sha256(canonical({"tar": FORMAT, **fields, **on})))


def _history(wanted: RecipeLayer, created: str) -> Json:
    """One line for `docker history`; names without hashes, so that it can be read."""
    if isinstance(wanted, StoreLayer):
        names = sorted({info.name for info in wanted.paths})
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        return {"created": created, "created_by": f"lamina: store paths {', '.join(names[:8])}{more}"}
    if isinstance(wanted, RootLayer):
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
