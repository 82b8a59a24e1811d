"""From recipe to image: the base, the layers on top of it, the config of both."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from builder.closure import PathInfo
from builder.config import check_types, inherit
from builder.digest import hex_of, sha256
from builder.image import Image, complete_history
from builder.layer import Layer
from builder.recipe import Recipe, RecipeLayer, RootLayer, StoreLayer, TarLayer, is_recipe, layer_json, read_recipe
from builder.spec import Json, canonical
from builder.stamp import Stamp
from builder.tar import FORMAT
from builder.tree import Item, link_items, root_items, store_directories, store_items
from builder.tree_blob import TreeBlob

if TYPE_CHECKING:
    from builder.onto import Ground

NOTHING = Image(config={}, layers=(), history=())
"""What an image without a base is built on."""


def build_image(recipe: Recipe) -> Image:
    """The image that the recipe asks for; its own layers are made when a medium reads them.

    A store path that the base carries is not shipped again, and files go where the base keeps their directories
    (`onto.py`). Raises BadInput.
    """
    base, ground = _base(recipe) if recipe.base else (NOTHING, None)
    layers, history = list(base.layers), list(base.history)
    if base.layers:
        history = complete_history(history, len(layers), recipe.created, recipe.base and recipe.base.path)
    for wanted in recipe.layers:
        layer = _layer(wanted, ground)
        if layer:
            layers.append(layer)
            history.append(_history(wanted, recipe.created))
    if not layers:
        layers.append(Layer.of(TreeBlob.of([]), "the empty layer"))
        history.append({"created": recipe.created, "created_by": "lamina: nothing"})
    return Image(_config(recipe, base), tuple(layers), tuple(history), recipe.names)


def _base(recipe: Recipe) -> tuple[Image, Ground]:
    from builder.media import read_image  # readers and decoders, which an image without a base has no use for
    from builder.onto import Ground

    assert recipe.base
    base = read_image(Path(recipe.base.path), recipe.base.name, recipe.base.tag, recipe.architecture)
    return base, Ground.of(base, recipe.base.path)


def open_image(path: Path, name: str | None = None, tag: str | None = None) -> Image:
    """The image that a recipe asks for, or the one in an archive or a layout. Raises BadInput."""
    if is_recipe(path):
        return build_image(read_recipe(path))
    from builder.media import read_image

    return read_image(path, name, tag)


def _layer(wanted: RecipeLayer, ground: Ground | None) -> Layer | None:
    """The layer; None when everything that it would hold is there already."""
    if isinstance(wanted, StoreLayer):
        return _store_layer(wanted, ground)
    if isinstance(wanted, RootLayer):
        blob = TreeBlob(lambda: _root_items(wanted, ground))
        return Layer(blob, "the layer of files at the root", key=_key(wanted, ground), weight=_weight(wanted.trees))
    return _tar_layer(wanted, ground)


def _store_layer(wanted: StoreLayer, ground: Ground | None) -> Layer | None:
    infos = tuple(info for info in wanted.paths if not ground or not ground.carries(info))
    if not infos:
        return None
    paths, stamp = [info.path for info in infos], wanted.stamp
    if ground and _is_moved(ground, infos, stamp):
        on: Ground | None = ground
        blob = TreeBlob(lambda: ground.place(store_items(paths, stamp)))
    else:
        on, blob = None, TreeBlob(lambda: store_items(paths, stamp))
    key = _key(wanted._replace(paths=infos), on)
    return Layer(blob, f"the layer of {len(infos)} store paths", key=key, weight=_weight(infos))


def _is_moved(ground: Ground, infos: Iterable[PathInfo], stamp: Stamp) -> bool:
    """Whether the base keeps the store, or a directory above it, elsewhere or of another owner than we would."""
    items = store_directories((info.path for info in infos), stamp)
    return ground.place(items) != items


def _root_items(wanted: RootLayer, ground: Ground | None) -> list[Item]:
    trees = [info.path for info in wanted.trees]
    below = ground.has_directory if ground else lambda _: False
    if wanted.links:
        items = link_items(trees, wanted.stamp, wanted.rules, below)
    else:
        keep, rules = wanted.keep_dirlinks, wanted.rules
        items = root_items(trees, wanted.stamp, keep_dirlinks=keep, rules=rules, below=below)
    return ground.place(items) if ground else items


def _tar_layer(wanted: TarLayer, ground: Ground | None) -> Layer:
    from builder.blob import FileRange, Source
    from builder.compression import plain
    from builder.onto import place_tar

    path = wanted.tar.path
    source = Source.open(Path(path))
    tar = plain(FileRange(source, 0, source.size), path)
    moved = place_tar(tar, ground, path) if ground else None
    if moved:
        return Layer(moved, path, key=_key(wanted, ground), weight=wanted.tar.nar_size)
    return Layer(tar, path, key=_key(wanted), size=tar.size, weight=wanted.tar.nar_size)


def _weight(infos: Iterable[PathInfo]) -> int:
    return sum(info.nar_size for info in infos)


def _key(wanted: RecipeLayer, ground: Ground | None = None) -> str | None:
    """What the layer's bytes hang on, and nothing else: for the cache of digests. None: there is no telling."""
    fields = layer_json(wanted)
    fields.pop("why", None)
    if ground and not ground.is_known:
        return None
    on = {"on": list(ground.diff_ids)} if ground else {}
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
