"""Digest maps: what is known from one is not read, what is read is compared, and nothing of one is remembered."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import attrs
import pytest

from lamina.errors import BadInput
from lamina.image.cache import Cache
from lamina.image.digest_map import DigestMap, WrongMap
from lamina.image.encoding import LayerEncoding
from lamina.limits import DIGEST_MAP_LAYERS
from lamina.media.oci_content import OciContent, oci_content
from lamina.oci.digest import Digest
from tests.support.archives import docker_save, sample
from tests.support.recipes import base, image_of, recipe, save, store_layer
from tests.support.trees import Store

ENCODINGS = [LayerEncoding("gz"), LayerEncoding("zstd", 1), LayerEncoding("none")]
ZEROS = Digest("sha256:" + "0" * 64)


def described(store: Store, *names: str) -> dict[str, Any]:
    """A recipe with a layer for each name, each with a NAR hash of its own."""
    layers = []
    for name in names:
        if not store.path(name).exists():
            store.add(name, {"data": name.encode() * 5000})
        layer = store_layer(str(store.path(name)))
        layer["paths"][0]["narHash"] = f"sha256:{name:0>52}"
        layers.append(layer)
    return recipe(*layers)


def made(fields: dict[str, Any], encoding: LayerEncoding, known: DigestMap | None = None) -> tuple[OciContent, int]:
    """The content for a machine with an empty cache, and how many bytes of layers were read for it."""
    read: list[int] = []
    content = oci_content([image_of(fields)], encoding, Cache(None), read.append, claims=lambda _: known)
    return content, sum(read)


def map_of(content: OciContent) -> DigestMap:
    """The map of a content, after its way through a registry."""
    found = DigestMap.of(blob.layer for blob in content.blobs.values())
    parsed = DigestMap.parse(found.document(), "a test")
    assert parsed == found and parsed.document() == found.document()
    return parsed


def sizes(content: OciContent) -> list[int]:
    return [blob.layer.size or 0 for blob in content.blobs.values()]


@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
def test_only_what_has_changed_is_read(store: Store, encoding: LayerEncoding) -> None:
    first, read = made(described(store, "a", "b", "c"), encoding)
    assert read == sum(sizes(first))
    known = map_of(first)
    for name in "abc":
        shutil.rmtree(store.path(name))
    unchanged = described_only(store, "a", "b", "c")
    again, read = made(unchanged, encoding, known)
    assert read == 0
    assert (again.tops, dict(again.documents)) == (first.tops, dict(first.documents))
    unchanged["layers"][2:] = described(store, "d")["layers"]
    changed, read = made(unchanged, encoding, known)
    assert len(changed.blobs) == 3 and read == sizes(changed)[2]


def described_only(store: Store, *names: str) -> dict[str, Any]:
    """The same recipe, while the files are not there."""
    for name in names:
        store.path(name).mkdir(parents=True)
    fields = described(store, *names)
    for name in names:
        store.path(name).rmdir()
    return fields


def test_layers_of_a_base_are_known_by_their_diff_ids(store: Store, tmp_path: Path) -> None:
    path = save(docker_save([sample()]), tmp_path / "base.tar")
    fields = described(store, "a") | {"base": base(path)}
    first, read = made(fields, LayerEncoding("zstd"))
    assert read > sizes(first)[-1]
    assert made(fields, LayerEncoding("zstd"), map_of(first))[1] == 0


def test_another_encoding_is_not_in_the_map(store: Store) -> None:
    first, read = made(described(store, "a"), LayerEncoding("zstd", 1))
    assert made(described(store, "a"), LayerEncoding("zstd", 2), map_of(first))[1] == read


@pytest.mark.parametrize("lie", [{"digest": ZEROS}, {"diff_id": ZEROS}, {"stored_size": 1}], ids=str)
def test_a_layer_that_is_read_is_compared(store: Store, lie: dict[str, Any]) -> None:
    fields = described(store, "a")
    first, _ = made(fields, LayerEncoding("zstd"))
    wrong = DigestMap({pair: attrs.evolve(claim, **lie) for pair, claim in map_of(first).claims.items()})
    content, _ = made(fields, LayerEncoding("zstd"), wrong)
    [blob] = content.blobs.values()
    with pytest.raises(WrongMap, match="the digest map in the registry has the digest"):
        list(blob.blob.chunks())


def test_a_map_that_contradicts_the_files_is_not_used(store: Store) -> None:
    fields = described(store, "a")
    first, read = made(fields, LayerEncoding("zstd"))
    image = image_of(fields)
    [layer] = image.layers
    size = layer.size or layer.blob.size
    wrong = DigestMap({pair: attrs.evolve(claim, size=1) for pair, claim in map_of(first).claims.items()})
    assert size != 1
    measured = attrs.evolve(image, layers=(attrs.evolve(layer, size=size),))
    counted: list[int] = []
    oci_content([measured], LayerEncoding("zstd"), Cache(None), counted.append, claims=lambda _: wrong)
    assert sum(counted) == read


def test_nothing_of_a_map_is_remembered(store: Store, tmp_path: Path) -> None:
    fields = described(store, "a", "b")
    known = map_of(made(fields, LayerEncoding("zstd"))[0])
    cache = Cache(tmp_path / "cache")
    oci_content([image_of(fields)], LayerEncoding("zstd"), cache, claims=lambda _: known)
    assert not (tmp_path / "cache").exists()


GOOD = {
    "key": "ab" * 32,
    "diffId": ZEROS,
    "size": 5,
    "encoding": "zstd-2-1",
    "digest": ZEROS,
    "storedSize": 3,
}


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"version": 2, "layers": []},
        {"version": 1, "layers": {}},
        {"version": 1, "layers": [GOOD] * (DIGEST_MAP_LAYERS + 1)},
        *(
            {"version": 1, "layers": [{**GOOD, name: value}]}
            for name, value in [
                ("key", "../x"),
                ("key", "AB" * 32),
                ("key", 1),
                ("diffId", "sha256:x"),
                ("digest", None),
                ("encoding", "zstd-2-1\n"),
                ("encoding", "../../x"),
                ("size", -1),
                ("size", True),
                ("size", 1 << 63),
                ("storedSize", "3"),
                ("storedSize", 1.5),
            ]
        ),
        {"version": 1, "layers": [{key: value for key, value in GOOD.items() if key != "size"}]},
    ],
)
def test_what_is_no_map_is_refused(document: object) -> None:
    assert DigestMap.parse(json.dumps({"version": 1, "layers": [GOOD]}).encode(), "a test").claims
    with pytest.raises(BadInput):
        DigestMap.parse(json.dumps(document).encode(), "a test")
