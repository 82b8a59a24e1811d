"""Digests of layers already seen, so that an unchanged layer is never read again to learn its digest.

A key is a hash of everything that fixes a layer's bytes: the NAR hashes of what it is made of, its owner and time,
and the version of our tar. So an entry is a fact for ever. Each is a file of its own, put in place whole, so any
number of processes may read and write; one that is damaged, or another key's, counts as absent and is written anew.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import attrs

from lamina.data.output import whole_file
from lamina.errors import BadInput, LaminaError
from lamina.image.layer import Layer
from lamina.oci.digest import Digest, hex_of, parse_digest, sha256
from lamina.oci.strict_json import Json, canonical, expect, read_json_file, strings


@attrs.frozen
class Cache:
    """`directory` is made when it is needed; where it cannot be, nothing is remembered."""

    directory: Path

    @classmethod
    def of_user(cls) -> Cache:
        """`$XDG_CACHE_HOME/lamina`, by default `~/.cache/lamina`. A derivation has no home, and so no cache."""
        home = os.environ.get("XDG_CACHE_HOME") or Path(os.environ.get("HOME", "/nonexistent"), ".cache")
        return cls(Path(home, "lamina"))

    def _file(self, key: str) -> Path:
        return self.directory / "layers" / key[:2] / key[2:]

    def layer(self, key: str) -> tuple[Digest, int] | None:
        """Diff ID and size of the layer with that key."""
        file = self._file(key)
        with contextlib.suppress(LaminaError):
            entry = _get(file, key)
            return parse_digest(entry.get("diffId"), file), expect(entry.get("size"), int, "size", file)
        return None

    def remember(self, key: str, diff_id: Digest, size: int) -> None:
        _put(self._file(key), key, {"diffId": diff_id, "size": size})

    def layers_of_manifest(self, digest: Digest) -> list[Digest]:
        """The diff IDs of an image that we have sent somewhere, by the digest of its manifest; else nothing."""
        file = self._manifest(digest)
        with contextlib.suppress(LaminaError):
            return [parse_digest(item, file) for item in strings(_get(file, digest).get("diffIds"), "diffIds", file)]
        return []

    def remember_manifest(self, digest: Digest, diff_ids: list[Digest]) -> None:
        _put(self._manifest(digest), digest, {"diffIds": diff_ids})

    def _manifest(self, digest: Digest) -> Path:
        return self.directory / "manifests" / hex_of(digest)


def _get(file: Path, key: str) -> Json:
    """The entry. Raises BadInput: there is none, or it is damaged, or that of another key."""
    entry = expect(read_json_file(file), dict, "a cache entry", file)
    if entry.pop("sum", None) != sha256(canonical(entry)) or entry.get("key") != key:
        raise BadInput(file, "a damaged cache entry", "it is written anew")
    return entry


def _put(file: Path, key: str, entry: Json) -> None:
    """Write an entry, or leave it: a cache that cannot be written to is no error."""
    with contextlib.suppress(OSError, LaminaError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):
            file.rmdir()  # an empty directory in its place
        with whole_file(file, durable=False) as out:
            entry = {**entry, "key": key}
            out.write(canonical({**entry, "sum": sha256(canonical(entry))}))


def recall(layers: tuple[Layer, ...], cache: Cache) -> tuple[Layer, ...]:
    """The layers, with the diff IDs and the sizes that the cache knows."""
    return tuple(_recalled(layer, cache) if layer.diff_id is None else layer for layer in layers)


def _recalled(layer: Layer, cache: Cache) -> Layer:
    entry = cache.layer(layer.key) if layer.key else None
    if entry is None or layer.size not in (None, entry[1]):
        return layer
    return attrs.evolve(layer, diff_id=entry[0], size=entry[1])


def remember(layer: Layer, cache: Cache | None) -> Layer:
    """Note the diff ID of a layer that has a key; the layer itself."""
    if cache and layer.key and layer.diff_id and layer.size is not None:
        entry = layer.diff_id, layer.size
        if cache.layer(layer.key) != entry:
            cache.remember(layer.key, *entry)
    return layer
