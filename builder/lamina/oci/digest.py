"""Digests in OCI's form, and the chain IDs of layers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NewType

from lamina.errors import BadInput

Digest = NewType("Digest", str)
"""`sha256:` and 64 lower-case hexadecimal digits (OCI image spec, descriptor.md, "Digests")."""

UNKNOWN = Digest("sha256:" + "0" * 64)
"""In place of a digest that is not known yet. It has the length of a digest, so sizes of documents are right."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def sha256(data: bytes) -> Digest:
    import hashlib  # loading OpenSSL takes 3 ms, and a recipe has no digest

    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


def parse_digest(text: object, where: object) -> Digest:
    """`text` as a digest. Raises BadInput: not a string, or another algorithm, length or case.

    Only a digest from this function may become a part of a path: nothing else keeps `../` out.
    """
    if isinstance(text, str) and _DIGEST.fullmatch(text):
        return Digest(text)
    raise BadInput(where, f"{text!r:.100} is no sha256 digest", "the file is damaged or of an unknown kind")


def hex_of(digest: Digest) -> str:
    """The 64 digits after `sha256:`."""
    return digest.removeprefix("sha256:")


def blob_path(digest: Digest) -> str:
    """Where an OCI layout keeps a blob (OCI image spec, image-layout.md)."""
    return f"blobs/sha256/{hex_of(digest)}"


def chain_ids(diff_ids: Iterable[Digest]) -> list[Digest]:
    """The chain ID of each layer, bottom first (OCI image spec, config.md, "Layer ChainID")."""
    chain: list[Digest] = []
    for diff_id in diff_ids:
        chain.append(sha256(f"{chain[-1]} {diff_id}".encode()) if chain else diff_id)
    return chain
