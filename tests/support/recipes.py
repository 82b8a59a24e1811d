"""Recipes for tests, and the archives that they become."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lamina.image.image import Image
from lamina.image.layer import Layer
from lamina.media import classic, universal
from lamina.media.tarball import write
from lamina.recipe.open import build_image
from lamina.recipe.recipe import parse_recipe
from tests.support.archives import Piece, tar_of
from tests.support.trees import path_info

LAYOUTS = {"universal": universal.arrange, "classic": classic.arrange}
ARRANGEMENTS = {**LAYOUTS, "docker-1.9": universal.arrange_for_docker_1_9}


def recipe(*layers: dict[str, Any], **changes: Any) -> dict[str, Any]:
    fields = {
        "version": 1,
        "names": [{"name": "app", "tag": "1"}],
        "architecture": "amd64",
        "created": "1970-01-01T00:00:01Z",
        "config": {"Cmd": ["/bin/app"], "Env": ["A=1"]},
        "layers": list(layers),
    }
    return fields | changes


def store_layer(*paths: str, **stamp: int) -> dict[str, Any]:
    return {"kind": "store", "paths": [path_info(path) for path in paths], **stamp}


def root_layer(*trees: Path | str, **options: Any) -> dict[str, Any]:
    return {"kind": "root", "trees": [path_info(str(tree)) for tree in trees], **options}


def tar_layer(path: Path) -> dict[str, Any]:
    return {"kind": "tar", **path_info(str(path))}


def base(path: Path, name: str | None = None, tag: str | None = None) -> dict[str, Any]:
    return {"path": str(path), "name": name, "tag": tag}


def image_of(fields: dict[str, Any]) -> Image:
    return build_image(parse_recipe(fields, "recipe.json"))


def archive_of(fields: dict[str, Any], path: Path, layout: str = "universal", compressor: str = "none") -> Path:
    write([image_of(fields)], ARRANGEMENTS[layout], str(path), compressor)
    return path


def write_recipe(fields: dict[str, Any], directory: Path) -> Path:
    path = directory / "recipe.json"
    path.write_text(json.dumps(fields))
    return path


def save(pieces: Sequence[Piece], path: Path) -> Path:
    path.write_bytes(tar_of(pieces))
    return path


def bytes_of(layer: Layer) -> bytes:
    return b"".join(layer.blob.chunks())


def names_in(layer: Layer) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(bytes_of(layer))) as archive:
        return archive.getnames()
