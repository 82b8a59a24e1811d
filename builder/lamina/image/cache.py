"""Remembered digests of layers, so that an unchanged layer is not read again to find out its digest.

A key is a hash of everything that determines a layer's bytes: the NAR hashes of the store paths, owner and time, the
names and modes of files that the base or symbolic links have moved, and the version of our tar. A digest is remembered
only if it was computed here, from bytes that were read here; what an image claims is never remembered. The digest of a
compressed layer has the layer's diff ID and the compressor as its key.

Each entry is a file with a checksum, put in place whole, so any number of processes may read and write. A damaged entry
counts as missing and is written again. The directory belongs to the user alone.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import attrs

from lamina.data.private import PrivateDirectory
from lamina.errors import BadInput, LaminaError, printable
from lamina.image.layer import Layer
from lamina.limits import DOCUMENT_BYTES
from lamina.oci.digest import Digest, hex_of, parse_digest, sha256
from lamina.oci.documents import Descriptor
from lamina.oci.strict_json import Json, canonical, expect, parse_json

_ENTRY_BYTES = 4096
"""The size limit of an entry about a layer."""

_NO_HOME = "/homeless-shelter"
"""The home directory of a Nix build. Nix refuses builds without a sandbox if it exists."""


@attrs.frozen
class Cache:
    """`directory` is created when the first entry is written. Without one, nothing is remembered."""

    directory: Path | None

    @classmethod
    def of_user(cls) -> Cache:
        """The cache of the user; one without a directory inside a derivation, or if others could write to it."""
        directory = _user_directory()
        problem = directory and PrivateDirectory(directory).problem()
        if problem:
            line = f"lamina: {directory}: the cache {problem}, so it is not used; remove it, or set XDG_CACHE_HOME"
            print(printable(line), file=sys.stderr)
            return cls(None)
        return cls(directory)

    def layer(self, key: str) -> tuple[Digest, int] | None:
        """Diff ID and size of the layer with that key."""
        with contextlib.suppress(LaminaError):
            entry = self._read(*_layer_file(key))
            if entry.get("key") == key:
                return parse_digest(entry.get("diffId"), "an entry"), _size(entry.get("size"))
        return None

    def remember(self, key: str, diff_id: Digest, size: int) -> None:
        """Remember the digest of bytes that were read just now."""
        self._write_entry(*_layer_file(key), entry={"key": key, "diffId": diff_id, "size": size})

    def report(self, key: str) -> Json:
        """What a report remembered under this key; empty if nothing is remembered."""
        with contextlib.suppress(LaminaError):
            entry = self._read("reports", key[:2], key[2:], limit=DOCUMENT_BYTES)
            if entry.get("key") == key:
                return expect(entry.get("value"), dict, "value", "an entry")
        return {}

    def remember_report(self, key: str, value: Json) -> None:
        """Remember what a report has just read here."""
        self._write_entry("reports", key[:2], key[2:], entry={"key": key, "value": value})

    def compressed_layer(self, diff_id: Digest, encoding: str) -> tuple[Digest, int, dict[str, str]] | None:
        """Digest, size and annotations of the layer with that diff ID, compressed as the key `encoding` says."""
        key = _compressed_key(diff_id, encoding)
        with contextlib.suppress(LaminaError):
            entry = self._read(*_compressed_file(key))
            if entry.get("key") == key:
                annotations = expect(entry.get("annotations", {}), dict, "annotations", "an entry")
                return parse_digest(entry.get("digest"), "an entry"), _size(entry.get("size")), annotations
        return None

    def remember_compressed(self, diff_id: Digest, encoding: str, stored: Descriptor) -> None:
        """Remember the descriptor of bytes that were compressed just now, from a layer that has this diff ID."""
        key = _compressed_key(diff_id, encoding)
        entry: Json = {"key": key, "digest": stored.digest, "size": stored.size}
        if stored.annotations:
            entry["annotations"] = dict(stored.annotations)
        self._write_entry(*_compressed_file(key), entry=entry)

    def layers_of_manifest(self, digest: Digest) -> list[Digest]:
        """The layers of a manifest that was loaded into a daemon; nothing if the manifest is not remembered.

        The manifest itself is remembered, and its digest compared, so an entry cannot claim other layers.
        """
        data = self._bytes("manifests", hex_of(digest), limit=DOCUMENT_BYTES)
        if data is None or sha256(data) != digest:
            return []
        with contextlib.suppress(LaminaError):
            layers = expect(parse_json(data, "an entry"), dict, "a manifest", "an entry").get("layers")
            listed = expect(layers, list, "layers", "an entry")
            return [Descriptor.from_json(item, "an entry").digest for item in listed]
        return []

    def remember_manifest(self, manifest: bytes) -> None:
        """Remember a manifest that a daemon has, with all its layers."""
        self._write("manifests", hex_of(sha256(manifest)), data=manifest)

    def _read(self, *parts: str, limit: int = _ENTRY_BYTES) -> Json:
        """An entry without its checksum. Raises BadInput: it is missing or damaged."""
        data = self._bytes(*parts, limit=limit)
        if data is None:
            raise BadInput("an entry", "is missing")
        entry = expect(parse_json(data, "an entry"), dict, "a cache entry", "an entry")
        if entry.pop("sum", None) != sha256(canonical(entry)):
            raise BadInput("an entry", "is damaged")
        return entry

    def _bytes(self, *parts: str, limit: int) -> bytes | None:
        return PrivateDirectory(self.directory).read(*parts, limit=limit) if self.directory else None

    def _write_entry(self, *parts: str, entry: Json) -> None:
        self._write(*parts, data=canonical({**entry, "sum": sha256(canonical(entry))}))

    def _write(self, *parts: str, data: bytes) -> None:
        """Write an entry, if possible: a cache that cannot be written to is no error."""
        if self.directory:
            with contextlib.suppress(OSError):
                PrivateDirectory(self.directory).write(*parts, data=data)


def _size(value: object) -> int:
    """Raises BadInput: not the size of any file."""
    size = expect(value, int, "a size", "an entry")
    if not 0 <= size < 1 << 63:
        raise BadInput("an entry", f"has the size {size}")
    return size


def _layer_file(key: str) -> tuple[str, str, str]:
    return "layers", key[:2], key[2:]


def _compressed_key(diff_id: Digest, encoding: str) -> str:
    return f"{diff_id} {encoding}"


def _compressed_file(key: str) -> tuple[str, str, str]:
    name = hex_of(sha256(key.encode()))
    return "compressed", name[:2], name[2:]


def _user_directory() -> Path | None:
    """`$XDG_CACHE_HOME/lamina`, by default `~/.cache/lamina`; None where nothing may be written.

    A build without a sandbox could write to these places, but it must not leave anything there. `nix-shell` and
    `nix develop` set the variables of a build too; they also set IN_NIX_SHELL.
    """
    home = os.environ.get("HOME", "")
    parent = os.environ.get("XDG_CACHE_HOME", os.path.join(home, ".cache") if home else "")
    is_build = os.environ.get("NIX_BUILD_TOP") or os.environ.get("NIX_ENFORCE_PURITY", "") not in ("", "0")
    if (is_build and not os.environ.get("IN_NIX_SHELL")) or not os.path.isabs(parent):
        return None
    is_homeless = _NO_HOME in (home.rstrip("/"), parent.rstrip("/")) or parent.startswith(_NO_HOME + "/")
    return None if is_homeless else Path(parent, "lamina")


def recall(layers: tuple[Layer, ...], cache: Cache) -> tuple[Layer, ...]:
    """The layers, with the diff IDs and the sizes that the cache has."""
    return tuple(_recalled(layer, cache) if layer.diff_id is None else layer for layer in layers)


def _recalled(layer: Layer, cache: Cache) -> Layer:
    entry = cache.layer(layer.key) if layer.key else None
    if entry is None or layer.size not in (None, entry[1]):
        return layer
    return attrs.evolve(layer, diff_id=entry[0], size=entry[1])


def remember(layer: Layer, cache: Cache | None) -> Layer:
    """Remember the digest of a layer that was just hashed, if it has a key; returns the layer."""
    if cache and layer.key and layer.diff_id and layer.size is not None:
        entry = layer.diff_id, layer.size
        if cache.layer(layer.key) != entry:
            cache.remember(layer.key, *entry)
    return layer
