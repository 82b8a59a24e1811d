"""What an image holds, for eyes and for programs."""

from __future__ import annotations

from pathlib import Path

from builder.errors import printable
from builder.image import Image
from builder.layer import Layer, hashed, store_paths
from builder.media import candidates, host_architecture, open_members
from builder.progress import human
from builder.spec import Json


def describe(path: Path) -> list[Json]:
    """Each image of an archive or a layout.

    Shape: `[{names, config, layers: [{diffId, size, storePaths}]}]`; sizes in bytes, uncompressed. Raises BadInput.
    """
    found = candidates(open_members(path), host_architecture())
    return [{"names": list(candidate.names), **_describe(candidate.read())} for candidate in found]


def _describe(image: Image) -> Json:
    held = store_paths(image.layers)
    layers = [_layer(*pair) for pair in zip(image.layers, held, strict=True)]
    return {"config": image.config, "history": list(image.history), "layers": layers}


def _layer(layer: Layer, held: set[str]) -> Json:
    size = layer.size if layer.size is not None else hashed(layer).size
    return {"diffId": layer.diff_id, "size": size, "storePaths": sorted(held, key=lambda name: name[33:])}


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
    names = [path[33:] for path in paths]
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(names[:4]) + more
