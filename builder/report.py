"""What an image holds, for eyes and for programs."""

from __future__ import annotations

from pathlib import Path

from builder.build import build_image
from builder.cache import Cache
from builder.digest import sha256
from builder.errors import printable
from builder.image import Image
from builder.layer import Changes, store_paths
from builder.learn import known
from builder.media import candidates, host_architecture, open_members
from builder.progress import human
from builder.recipe import Recipe, RootLayer, StoreLayer, is_recipe, read_recipe
from builder.spec import Json


def describe(path: Path, cache: Cache | None = None) -> list[Json]:
    """Each image of an archive or a layout, or the one that a recipe asks for.

    Shape: `[{names, configDigest, config, history, layers: [{diffId, size, storePaths}]}]`; sizes in bytes,
    uncompressed. Raises BadInput.
    """
    if is_recipe(path):
        image = build_image(read_recipe(path))
        return [_describe([name.qualified for name in image.names], known(image, cache))]
    found = candidates(open_members(path), host_architecture())
    seen: dict[object, Changes] = {}
    return [_describe(list(candidate.names), known(candidate.read(), cache), seen) for candidate in found]


def _describe(names: list[str], image: Image, seen: dict[object, Changes] | None = None) -> Json:
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


def planned(recipe: Recipe) -> list[Json]:
    """The layers of a recipe, bottom first: `[{paths, size, why}]`, with sizes in bytes of NAR."""
    layers = []
    for layer in recipe.layers:
        if isinstance(layer, StoreLayer):
            infos, why = layer.paths, layer.why
        elif isinstance(layer, RootLayer):
            infos, why = layer.trees, "what lies at the root"
        else:
            infos, why = (layer.tar,), "made by a derivation of its own"
        paths = [info.path for info in sorted(infos, key=lambda info: (-info.nar_size, info.path))]
        layers.append({"paths": paths, "size": sum(info.nar_size for info in infos), "why": why})
    return layers


def layer_table(layers: list[Json]) -> str:
    """The plan as text: the bottom layer first, of each the largest paths."""
    lines = []
    for number, layer in enumerate(layers, 1):
        names = [path.rpartition("/")[2][33:] for path in layer["paths"]]
        lines.append(f"{number:>4}  {human(layer['size']):>9}  {_shortened(names):<60}  {layer['why']}")
    return "\n".join(printable(line) for line in lines)
