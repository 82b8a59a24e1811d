"""The cache of digests: facts when it is well, as good as empty when it is not, and never a wrong image."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import pytest

from lamina.errors import BadInput
from lamina.image.cache import Cache, recall
from lamina.image.hashing import with_digests
from lamina.media import universal
from lamina.media.tarball import stream, write
from lamina.oci.digest import sha256
from lamina.oci.strict_json import canonical
from tests.support.recipes import archive_of, image_of, recipe, store_layer
from tests.support.trees import Store

KEY, DIGEST = "ab" * 32, sha256(b"x")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def entry(cache: Cache) -> Path:
    """The one file that is there."""
    assert cache.directory
    [file] = [path for path in cache.directory.rglob("*") if path.is_file()]
    return file


def test_what_was_remembered_comes_back(cache: Cache) -> None:
    assert cache.layer(KEY) is None
    cache.remember(KEY, DIGEST, 1024)
    assert cache.layer(KEY) == (DIGEST, 1024)


def become_a_directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


def rewritten(**fields: object) -> Callable[[Path], object]:
    return lambda file: file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


def wrong(**fields: object) -> Callable[[Path], object]:
    """With the right checksum."""

    def change(file: Path) -> None:
        entry = {**json.loads(file.read_text()), **fields}
        del entry["sum"]
        file.write_bytes(canonical({**entry, "sum": sha256(canonical(entry))}))

    return change


SPOILT: dict[str, Callable[[Path], object]] = {
    "empty": lambda file: file.write_bytes(b""),
    "cut short": lambda file: file.write_bytes(file.read_bytes()[:-7]),
    "written twice": lambda file: file.write_bytes(file.read_bytes() * 2),
    "zeros": lambda file: file.write_bytes(bytes(200)),
    "not UTF-8": lambda file: file.write_bytes(b'{"diffId": "\xff"}'),
    "another kind": lambda file: file.write_text("[]"),
    "deep": lambda file: file.write_text("[" * 100_000),
    "no digest": rewritten(diffId="sha256:../../x"),
    "no size": rewritten(size="1024"),
    "of another layer": rewritten(key="cd" * 32),
    "of a digest that differs in a digit": rewritten(diffId=DIGEST),
    **{f"of the size {size}": wrong(size=size) for size in (-1, 1 << 63, 1 << 70, True, 1024.0, None)},
    "of a digest that is none": wrong(diffId="sha256:../../x"),
    "of another key, with its checksum": wrong(key="cd" * 32),
    "a directory": become_a_directory,
    "not to be read": lambda file: file.chmod(0),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_an_entry_that_is_damaged_is_none_and_is_written_anew(
    spoil: Callable[[Path], object], cache: Cache, store: Store
) -> None:
    fields = recipe(store_layer(store.add("one", {"f": b"x"})))
    right = with_digests(image_of(fields), cache)
    spoil(entry(cache))
    if os.geteuid() or spoil is not SPOILT["not to be read"]:
        assert with_digests(image_of(fields), None).diff_ids == right.diff_ids
    again = with_digests(image_of(fields), cache)
    assert [(layer.diff_id, layer.size) for layer in again.layers] == [(right.diff_ids[0], right.layers[0].size)]
    written = json.loads(entry(cache).read_text())
    assert (written["diffId"], written["size"]) == (right.diff_ids[0], right.layers[0].size)


def test_a_digest_that_is_known_needs_no_look_at_the_store(cache: Cache, store: Store) -> None:
    path = store.add("one", {"f": b"x"})
    fields = recipe(store_layer(path))
    seen = with_digests(image_of(fields), cache)
    shutil.rmtree(path)
    again = with_digests(image_of(fields), cache)
    assert [(layer.diff_id, layer.size) for layer in again.layers] == [
        (layer.diff_id, layer.size) for layer in seen.layers
    ]


def test_a_size_that_is_wrong_is_an_error_and_no_other_image(cache: Cache, store: Store) -> None:
    fields = recipe(store_layer(store.add("one", {"f": b"x"})))
    [layer] = with_digests(image_of(fields), cache).layers
    assert layer.key and layer.diff_id
    cache.remember(layer.key, layer.diff_id, 512)
    with pytest.raises(BadInput, match=r"has \d+ bytes more than when it was hashed"):
        list(stream([with_digests(image_of(fields), cache)], universal.arrange, lambda _: None))


def test_where_none_can_be_kept_nothing_is_remembered(tmp_path: Path, store: Store) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache = Cache(tmp_path / "file/cache")
    fields = recipe(store_layer(store.add("one", {"f": b"x"})))
    assert with_digests(image_of(fields), cache).diff_ids == with_digests(image_of(fields), None).diff_ids


def test_what_was_learnt_before_an_error_is_kept(cache: Cache, tmp_path: Path, store: Store) -> None:
    """The larger layer is read first."""
    good, bad = store.add("good", {"f": bytes(5000)}), store.add("bad", {"f": b"x"})
    fields = recipe(store_layer(good), store_layer(bad))
    image = image_of(fields)
    assert all(layer.blob.size for layer in image.layers)
    Path(bad, "f").unlink()
    with pytest.raises(BadInput, match="bad/f"):
        write([image], universal.arrange, str(tmp_path / "out.tar"), cache=cache)
    assert [layer.diff_id is not None for layer in recall(image.layers, cache)] == [True, False]


def test_two_builds_at_once_share_it(tmp_path: Path, store: Store) -> None:
    """The same cache and the same output: both end well, with the bytes that one alone makes."""
    paths = [store.add(f"p{number}", {"f": bytes([number]) * 5000}) for number in range(12)]
    fields = recipe(*(store_layer(path) for path in paths))
    alone = archive_of(fields, tmp_path / "alone.tar").read_bytes()
    cache, output = Cache(tmp_path / "cache"), tmp_path / "out.tar"
    context = get_context("fork")
    builds = [
        context.Process(target=write, args=([image_of(fields)], universal.arrange, str(output), "none", cache))
        for _ in range(8)
    ]
    for build in builds:
        build.start()
    for build in builds:
        build.join(60)
    assert [build.exitcode for build in builds] == [0] * 8
    assert output.read_bytes() == alone
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")], "nothing is left over"
    assert with_digests(image_of(fields), cache).diff_ids == with_digests(image_of(fields), None).diff_ids
    assert cache.directory
    entries = [path for path in cache.directory.rglob("*") if path.is_file()]
    assert len(entries) == 12 and all(json.loads(path.read_text())["key"] for path in entries)
