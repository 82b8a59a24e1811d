"""Archives with layers that are made byte by byte."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.judge.tars import block, padded, record
from tests.support.archives import Piece, digest, to_json

END = bytes(1024)
FILE = block(b"f", b"0") + END


def named(name: bytes, kind: bytes = b"0", link: bytes = b"", data: bytes = b"") -> bytes:
    """A member with names of any length."""
    records = (record(b"path", name) if len(name) > 100 else b"") + (
        record(b"linkpath", link) if len(link) > 100 else b""
    )
    extension = block(b"x", b"x", len(records)) + padded(records) if records else b""
    return extension + block(name, kind, len(data), link=link) + padded(data)


def image(
    layers: Sequence[bytes],
    times: int = 1,
    tags: Sequence[str] = ("x/y:1",),
    stored: bytes | None = None,
    **config: Any,
) -> list[Piece]:
    """The pieces of a docker archive with an image of these layers, listed a number of times.

    `stored` are the bytes of the only layer in the archive.
    """
    document = {
        "os": "linux",
        "architecture": "amd64",
        "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]},
    }
    names = {layer: f"l{number}" for number, layer in enumerate(dict.fromkeys(layers))}
    item = {"Config": "c", "Layers": [names[layer] for layer in layers]}
    items = [{**item, "RepoTags": list(tags) if number == 0 else []} for number in range(times)]
    blobs = [Piece(name, stored or layer) for layer, name in names.items()]
    return [Piece("manifest.json", to_json(items)), Piece("c", to_json(document | config)), *blobs]
