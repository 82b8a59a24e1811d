"""Layers: bytes are checked against the diff ID that is claimed, and what of the store a stack of them carries."""

from __future__ import annotations

import pytest

from lamina.data.blob import Bytes
from lamina.errors import BadInput
from lamina.image.contents import store_paths
from lamina.image.layer import Layer, hashed, hashing
from lamina.oci.digest import UNKNOWN, Digest, sha256
from tests.support.archives import Piece, folder, layer_of, tar_of
from tests.support.trees import hashed_name

A, B = hashed_name("a"), hashed_name("b")
BASE = [folder("nix"), folder("nix/store"), folder(f"nix/store/{A}"), Piece(f"nix/store/{A}/f", b"x")]
BOTH = [*BASE, Piece(f"nix/store/{B}", b"a file")]


def test_hashing_tells_diff_id_and_size() -> None:
    data = layer_of({"f": b"x"})
    seen: list[Layer] = []
    layer = Layer.of(Bytes(data), "it")
    assert b"".join(hashing(layer, seen.append)) == data
    assert [(item.diff_id, item.size) for item in seen] == [(sha256(data), len(data))]
    assert hashed(layer) == seen[0]


def test_bytes_that_are_not_those_of_the_diff_id_are_refused() -> None:
    claimed = Digest("sha256:" + "a" * 64)
    with pytest.raises(BadInput, match=f"base.tar.x.: the config says diff ID {claimed}, the bytes have sha256:"):
        hashed(Layer.of(Bytes(b"x"), "base.tar(x)", claimed))
    with pytest.raises(BadInput):
        hashed(Layer.of(Bytes(b"x"), "it", UNKNOWN))


def carried(*layers: list[Piece]) -> list[set[str]]:
    return store_paths([Layer.of(Bytes(tar_of(pieces)), "it") for pieces in layers])


def test_each_layer_carries_its_own_store_paths() -> None:
    assert carried(BASE, [Piece(f"nix/store/{B}", b"x")], [Piece("etc/passwd", b"")]) == [{A}, {B}, set()]


@pytest.mark.parametrize("prefix", ["", "./", "/"])
def test_names_are_compared_without_their_beginnings(prefix: str) -> None:
    assert carried([Piece(f"{prefix}nix/store/{A}/f", b"x")]) == [{A}]


@pytest.mark.parametrize(
    "name", ["nix/store/.links/x", "nix/store/short-x", "nix/var/x", f"store/{A}", f"nix/storex/{A}"]
)
def test_what_is_no_store_path_is_none(name: str) -> None:
    assert carried([Piece(name, b"x")]) == [set()]


@pytest.mark.parametrize(
    ("gone", "left"),
    [
        (f"nix/store/.wh.{A}", {B}),
        (f"nix/store/{A}/.wh.f", {B}),
        (f"nix/store/{A}/deep/.wh.f", {B}),
        (f"nix/store/{A}/.wh..wh..opq", {B}),
        ("nix/store/.wh..wh..opq", set()),
        ("nix/.wh.store", set()),
        ("nix/.wh..wh..opq", set()),
        (".wh.nix", set()),
        (".wh..wh..opq", set()),
        ("./.wh.nix", set()),
        ("etc/.wh.passwd", {A, B}),
        ("nix/store/.wh.unknown", {A, B}),
        (".wh.etc", {A, B}),
        ("etc/.wh..wh..opq", {A, B}),
    ],
)
def test_a_whiteout_takes_away_what_lies_below(gone: str, left: set[str]) -> None:
    assert carried(BOTH, [Piece(gone)]) == [left, set()]


def test_a_whiteout_takes_nothing_from_its_own_layer_or_a_later_one() -> None:
    assert carried(BOTH, [Piece("nix/store/.wh..wh..opq"), *BASE], BOTH) == [set(), {A}, {A, B}]


@pytest.mark.parametrize("name", ["nix", "nix/store"])
def test_a_store_that_becomes_a_link_carries_nothing(name: str) -> None:
    assert carried(BOTH, [Piece(name, link="elsewhere")]) == [set(), set()]
    assert carried(BOTH, [folder(name)]) == [{A, B}, set()]
