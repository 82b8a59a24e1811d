"""Digests: how they are written, and the chain that names a stack of layers."""

from __future__ import annotations

import pytest

from lamina.errors import BadInput
from lamina.oci.digest import UNKNOWN, Digest, chain_ids, hex_of, parse_digest, sha256

EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_digest_of_nothing() -> None:
    assert sha256(b"") == EMPTY
    assert parse_digest(EMPTY, "it") == EMPTY
    assert hex_of(Digest(EMPTY)) == EMPTY[7:]
    assert len(UNKNOWN) == len(EMPTY)


@pytest.mark.parametrize(
    "text",
    [
        None,
        5,
        "",
        EMPTY[7:],
        EMPTY.upper(),
        EMPTY[:-1],
        EMPTY + "0",
        EMPTY + "\n",
        "sha512:" + "0" * 128,
        "sha256:../" + "0" * 61,
    ],
)
def test_what_is_no_digest_is_refused(text: object) -> None:
    with pytest.raises(BadInput, match=r"it: .* is no sha256 digest"):
        parse_digest(text, "it")


def test_a_chain_as_the_oci_specification_tells_it() -> None:
    a, b, c = (sha256(text) for text in (b"a", b"b", b"c"))
    ab = sha256(f"{a} {b}".encode())
    assert chain_ids([]) == []
    assert chain_ids([a, b, c]) == [a, ab, sha256(f"{ab} {c}".encode())]
