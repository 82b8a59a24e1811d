"""Describe the contents of images: as JSON, and as text."""

from __future__ import annotations

import os

from lamina.data.progress import human
from lamina.errors import printable
from lamina.image.cache import Cache
from lamina.image.contents import Changes, store_paths
from lamina.image.hashing import known
from lamina.image.image import Image
from lamina.oci.digest import sha256
from lamina.oci.strict_json import Json
from lamina.recipe.open import open_images


def inspect(
    source: Image | str | os.PathLike[str],
    *,
    platform: str | None = None,
    name: str | None = None,
    tag: str | None = None,
) -> list[Json]:
    """Describe each image of a recipe, an archive or a layout, or the given image.

    Shape: `[{names, configDigest, config, history, layers: [{diffId, size, storePaths}]}]`. Names are as the file
    spells them. Sizes are bytes of the uncompressed layer; layers go from the bottom to the top; `storePaths` are
    names in the store without its directory, sorted by name. `configDigest` is the image's ID (OCI image spec v1.1,
    config.md). `platform`, `name` and `tag` select images as in `open_images`. Every layer is read once, unless its
    digest is in the user's cache.

    Raises BadInput and BadUsage as `open_images` does.
    """
    images = [source] if isinstance(source, Image) else open_images(source, platform=platform, name=name, tag=tag)
    seen: dict[object, Changes] = {}
    cache = Cache.of_user()
    return [_describe(known(image, cache), seen) for image in images]


def _describe(image: Image, seen: dict[object, Changes]) -> Json:
    names = list(image.stored_names) or [name.qualified for name in image.names]
    layers = [
        {"diffId": layer.diff_id, "size": layer.size, "storePaths": sorted(held, key=lambda name: name[33:])}
        for layer, held in zip(image.layers, store_paths(image.layers, seen=seen), strict=True)
    ]
    history = list(image.history)
    digest = sha256(image.document())
    return {"names": names, "configDigest": digest, "config": image.config, "history": history, "layers": layers}


def table(images: list[Json]) -> str:
    """The description as text."""
    return "\n\n".join(_text(image) for image in images)


def _text(image: Json) -> str:
    config = image["config"]
    lines = [", ".join(image["names"]) or "(no name)"]
    lines.append(f"  for      {config.get('os')}/{config.get('architecture')}, created {config.get('created')}")
    for key, value in sorted((config.get("config") or {}).items()):
        if value:
            lines.append(f"  {key:<8} {_value(value)}")
    lines.append(f"  layers   {len(image['layers'])}, {human(sum(layer['size'] for layer in image['layers']))}")
    for layer in image["layers"]:
        lines.append(f"    {layer['diffId'][7:19]}  {human(layer['size']):>9}  {_contents(layer['storePaths'])}")
    return "\n".join(printable(line) for line in lines)


def _value(value: object) -> str:
    if isinstance(value, list):
        return " ".join(str(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}={item}" if item not in ({}, None) else str(key) for key, item in value.items())
    return str(value)


def _contents(paths: list[str]) -> str:
    if not paths:
        return "no store paths"
    return _shortened([path[33:] for path in paths])


def _shortened(names: list[str]) -> str:
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(names[:4]) + more
