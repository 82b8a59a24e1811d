"""Describe the contents of images: as JSON, and as text."""

from __future__ import annotations

import json
import os
import shlex

from lamina.data.progress import human
from lamina.image.cache import Cache
from lamina.image.hashing import with_digests
from lamina.image.image import Image
from lamina.oci.digest import sha256
from lamina.oci.strict_json import Json
from lamina.recipe.open import open_images
from lamina.report.contents import Contents, LayerContents, all_contents
from lamina.report.style import Style
from lamina.store.closure import base_name, name_of

_DURATIONS = ("Interval", "Timeout", "StartPeriod", "StartInterval")
"""Fields of Healthcheck in nanoseconds (Docker image spec v1.2)."""

_LEAST_WIDTH, _MOST_WIDTH = 8, 24
"""Columns of the keys in the text."""


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
    cache = Cache.of_user()
    measured = (with_digests(image, cache) for image in images)
    return [describe(contents) for contents in all_contents(measured, cache=cache)]


def describe(contents: Contents) -> Json:
    """The description of one image, as `inspect` returns it."""
    image = contents.image
    names = list(image.stored_names) or [name.qualified for name in image.names]
    layers = [
        {"diffId": layer.diff_id, "size": layer.size, "storePaths": sorted(_visible(layer), key=name_of)}
        for layer in contents.layers
    ]
    history = list(image.history)
    digest = sha256(image.document())
    return {"names": names, "configDigest": digest, "config": image.config, "history": history, "layers": layers}


def _visible(layer: LayerContents) -> list[str]:
    return [base_name(held.path) for held in layer.paths if not held.hidden]


def table(images: list[Json], style: Style = Style()) -> str:  # noqa: B008
    """The description as text."""
    return "\n\n".join(text(image, style) for image in images)


def text(image: Json, style: Style, *, layers: bool = True) -> str:
    """One image as text; without `layers` only their number and size."""
    config = image["config"]
    lines = [", ".join(image["names"]) or "(no name)"]
    rows = [("for", f"{config.get('os')}/{config.get('architecture')}, created {config.get('created')}")]
    fields = sorted((config.get("config") or {}).items())
    rows += [(key, _value(value, key)) for key, value in fields if value]
    rows.append(("layers", f"{len(image['layers'])}, {human(sum(layer['size'] for layer in image['layers']))}"))
    width = max(_LEAST_WIDTH, *(min(len(key), _MOST_WIDTH) for key, _ in rows))
    lines += [f"  {key:<{width}} {value}" for key, value in rows]
    for layer in image["layers"] if layers else ():
        lines.append(f"    {layer['diffId'][7:19]}  {human(layer['size']):>9}  {_contents(layer['storePaths'])}")
    return "\n".join([style.line(lines[0], "title"), *map(style.line, lines[1:])])


def _value(value: object, key: str) -> str:
    """A value of the config: a list as shell words, an object as KEY=VALUE, durations in seconds."""
    if isinstance(value, list):
        return shlex.join(str(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{name}={_item(item, name, key)}" if item not in ({}, None) else name
                         for name, item in value.items())  # fmt: skip
    return str(value)


def _item(item: object, name: str, key: str) -> str:
    is_duration = key == "Healthcheck" and name in _DURATIONS and not isinstance(item, bool)
    if is_duration and isinstance(item, int) and abs(item) < 1 << 63:
        return f"{item / 1e9:g}s"
    if isinstance(item, list):
        return shlex.join(str(word) for word in item)
    return item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)


def _contents(paths: list[str]) -> str:
    if not paths:
        return "no store paths"
    return _shortened([name_of(path) for path in paths])


def _shortened(names: list[str]) -> str:
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(names[:4]) + more
