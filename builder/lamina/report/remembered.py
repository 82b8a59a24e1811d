"""Keys for what reports remember about layers in the digest cache: the layer's own key, or the file that contains it.

A file is unchanged if its inode number, size and times are the same. Users cannot set the time of the last status
change. Nothing is remembered about a file that changed in the last seconds, since it may change again at that time.
"""

from __future__ import annotations

import os
import time
from typing import TypeGuard

from lamina.data.blob import Blob
from lamina.image.layer import Layer
from lamina.oci.digest import hex_of, sha256
from lamina.oci.strict_json import canonical

_VERSION = 1
"""Version of what is remembered."""

_SETTLED = 2.0
"""Seconds after which a file counts as finished."""


def key_of(layer: Layer, kind: str, **facts: object) -> str | None:
    """The key of what is remembered about a layer; None if nothing is."""
    identity: object = layer.key or _place(layer.blob)
    return hex_of(sha256(canonical({"report": _VERSION, kind: identity, **facts}))) if identity else None


def _place(blob: Blob) -> list[int] | None:
    """Where the bytes of a layer are, compressed or not: the file, its times, and the part of it."""
    if blob.place is None:
        return None
    source, offset, size = blob.place
    info = os.fstat(source.file.fileno())
    if not info.st_nlink or abs(time.time() - info.st_ctime) < _SETTLED:
        return None
    return [info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns, offset, size]


def are_texts(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def pairs_in(value: object, count: int) -> list[tuple[int, int]] | None:
    """The value as `count` pairs of numbers; None if it has another form."""
    if not isinstance(value, list) or len(value) != count:
        return None
    for pair in value:
        if not isinstance(pair, list) or len(pair) != 2 or not all(type(number) is int for number in pair):
            return None
    return [(first, second) for first, second in value]
