"""Digests in OCI's form, and the chain IDs of layers."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, NewType

from lamina.errors import BadInput

if TYPE_CHECKING:
    from hashlib import _Hash

Digest = NewType("Digest", str)
"""`sha256:` and 64 lower-case hexadecimal digits; of a blob, also `sha512:` and 128 (OCI image spec, descriptor.md,
"Digests").
"""

UNKNOWN = Digest("sha256:" + "0" * 64)
"""A placeholder for a digest that is not known yet. It has the same length, so sizes of documents are right."""

_DIGEST = r"sha256:[0-9a-f]{64}"
_BLOB_DIGEST = r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}"


def sha256(data: bytes) -> Digest:
    import hashlib  # loading OpenSSL takes 3 ms, and a recipe has no digest

    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


def parse_digest(text: object, where: object) -> Digest:
    """`text` as a digest. Raises BadInput: not a string, or another algorithm, length or case.

    Only a digest from this function may become a part of a path: nothing else keeps `../` out.
    """
    if isinstance(text, str) and re.fullmatch(_DIGEST, text):
        return Digest(text)
    raise BadInput(where, f"{text!r:.100} is no sha256 digest", "the file is damaged or of an unknown kind")


def parse_blob_digest(text: object, where: object) -> Digest:
    """`text` as the digest of a blob, by one of the algorithms that the OCI image spec registers. Raises BadInput."""
    if isinstance(text, str) and re.fullmatch(_BLOB_DIGEST, text):
        return Digest(text)
    what = f"{text!r:.160} is no sha256 or sha512 digest"
    raise BadInput(where, what, "the file is damaged or of an unknown kind")


def is_sha256(digest: Digest) -> bool:
    return digest.startswith("sha256:")


def hex_of(digest: Digest) -> str:
    """The digits after `sha256:`, or after `sha512:`."""
    return digest.partition(":")[2]


def blob_path(digest: Digest) -> str:
    """Where an OCI layout keeps a blob (OCI image spec, image-layout.md)."""
    return f"blobs/{digest.replace(':', '/')}"


def hasher(digest: Digest) -> _Hash:
    """A new hash object of the digest's algorithm."""
    import hashlib

    return hashlib.new(digest.partition(":")[0])


def belongs(digest: Digest, data: bytes) -> bool:
    """Whether the digest is that of the bytes."""
    state = hasher(digest)
    state.update(data)
    return state.hexdigest() == hex_of(digest)


def chain_ids(diff_ids: Iterable[Digest]) -> list[Digest]:
    """The chain ID of each layer, bottom first (OCI image spec, config.md, "Layer ChainID")."""
    chain: list[Digest] = []
    for diff_id in diff_ids:
        chain.append(sha256(f"{chain[-1]} {diff_id}".encode()) if chain else diff_id)
    return chain


def common_layers(diff_ids: Iterable[Digest], others: Iterable[Iterable[Digest]]) -> int:
    """How many of the lowest layers have the same chain IDs as layers of other images."""
    chains = {chain for other in others for chain in chain_ids(other)}
    return sum(1 for _ in itertools.takewhile(chains.__contains__, chain_ids(diff_ids)))
