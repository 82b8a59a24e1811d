"""Digest maps: the digests of layers as another machine has computed them, so that this one need not read the layers.

A layer is identified by its key in the digest cache, or by its diff ID if Lamina did not make it. A map is only as
trustworthy as the place that it comes from. So nothing of it is put into the cache, and bytes that are read are
compared with it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping

import attrs

from lamina.data.blob import Blob
from lamina.errors import BadInput
from lamina.image.layer import Layer
from lamina.limits import DIGEST_MAP_LAYERS
from lamina.oci.digest import Digest, parse_digest
from lamina.oci.strict_json import Json, canonical, expect, parse_json

_VERSION = 1
_KEY = re.compile(r"[0-9a-f]{64}")
_ENCODING = re.compile(r"[a-z]{1,8}-[0-9]{1,2}-[0-9]{1,4}")


@attrs.frozen
class Claim:
    """What a map says about a layer: its diff ID and size, and the digest and size of its stored form.

    `size` may be None for a layer that Lamina did not make: its size is known only after reading it.
    """

    diff_id: Digest
    size: int | None
    digest: Digest
    stored_size: int


@attrs.frozen
class DigestMap:
    """Claims by the layer's key or diff ID, and by the key of the encoding."""

    claims: Mapping[tuple[str, str], Claim] = attrs.field(factory=dict)

    @classmethod
    def of(cls, layers: Iterable[Layer]) -> DigestMap:
        """Claims about the stored form of these layers. A layer that is stored as it came is left out."""
        return cls({pair: claim for layer in layers for pair, claim in _claims_about(layer)})

    @classmethod
    def parse(cls, data: bytes, where: str) -> DigestMap:
        """Raises BadInput: this is no digest map."""
        fields = expect(parse_json(data, where), dict, "the digest map", where)
        if fields.get("version") != _VERSION:
            raise BadInput(where, f"version {fields.get('version')!r:.40} of the digest map", "use a newer Lamina")
        entries = expect(fields.get("layers"), list, "layers", where)
        if len(entries) > DIGEST_MAP_LAYERS:
            raise BadInput(where, f"more than {DIGEST_MAP_LAYERS} layers in the digest map", "remove it")
        return cls(dict(_parsed(expect(entry, dict, "a layer", where), where) for entry in entries))

    def document(self) -> bytes:
        """The map as JSON: the same bytes for the same claims."""
        return canonical({"version": _VERSION, "layers": [_entry(*item) for item in sorted(self.claims.items())]})

    def about(self, layer: Layer, encoding: str) -> Claim | None:
        """What the map says about a layer; None also if that contradicts what is known."""
        claim = self.claims.get((layer.key or layer.diff_id or "", encoding))
        if claim is None or layer.diff_id not in (None, claim.diff_id) or layer.size not in (None, claim.size):
            return None
        return claim


def _claims_about(layer: Layer) -> Iterator[tuple[tuple[str, str], Claim]]:
    stored = layer.stored
    name = layer.key or layer.diff_id
    if stored and stored.encoding and layer.diff_id and name:
        described = stored.descriptor
        yield (name, stored.encoding), Claim(layer.diff_id, layer.size, described.digest, described.size)


def _entry(pair: tuple[str, str], claim: Claim) -> Json:
    name, encoding = pair
    entry: Json = {
        "diffId": claim.diff_id,
        "encoding": encoding,
        "digest": claim.digest,
        "storedSize": claim.stored_size,
    }
    if name != claim.diff_id:
        entry["key"] = name
    if claim.size is not None:
        entry["size"] = claim.size
    return entry


def _parsed(entry: Json, where: str) -> tuple[tuple[str, str], Claim]:
    """Raises BadInput: a value of another kind."""
    diff_id, digest = parse_digest(entry.get("diffId"), where), parse_digest(entry.get("digest"), where)
    encoding = _matching(_ENCODING, entry.get("encoding"), "encoding", where)
    name = _matching(_KEY, entry["key"], "key", where) if "key" in entry else diff_id
    size = _size(entry["size"], where) if "size" in entry else None
    if name != diff_id and size is None:
        raise BadInput(where, "a layer without a size in the digest map", "remove the map")
    return (name, encoding), Claim(diff_id, size, digest, _size(entry.get("storedSize"), where))


def _matching(pattern: re.Pattern[str], value: object, what: str, where: str) -> str:
    text = expect(value, str, what, where)
    if not pattern.fullmatch(text):
        raise BadInput(where, f"{text!r:.80} as {what} in the digest map", "remove the map")
    return text


def _size(value: object, where: str) -> int:
    size = expect(value, int, "a size", where)
    if not 0 <= size < 1 << 63:
        raise BadInput(where, "an impossible size in the digest map", "remove the map")
    return size


class WrongMap(BadInput):
    """A digest map has another digest or another size for a layer than its bytes have."""


def wrong_map(where: str, digest: Digest) -> WrongMap:
    """The error for a layer to which the map gives this digest."""
    problem = f"the digest map in the registry has the digest {digest} for this layer, but its bytes have another"
    return WrongMap(where, problem, "push without the map, and find out who wrote it")


@attrs.frozen(eq=False)
class Claimed(Blob):
    """A blob with the digest and size that a digest map has for it; `size` is None if the map has none."""

    blob: Blob
    digest: Digest
    size: int | None
    where: str

    def pieces(self) -> Iterator[bytes]:
        """Raises WrongMap before the last piece, if the bytes are others."""
        state = hashlib.sha256()
        total = 0
        last = b""
        for chunk in self.blob.chunks():
            state.update(chunk)
            total += len(chunk)
            yield last
            last = chunk
        if f"sha256:{state.hexdigest()}" != self.digest or self.size not in (None, total):
            raise wrong_map(self.where, self.digest)
        yield last
