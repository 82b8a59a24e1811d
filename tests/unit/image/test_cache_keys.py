"""What is remembered of one image never becomes a part of another, whatever anybody claims."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from lamina.data.blob import Source
from lamina.image.cache import Cache
from lamina.image.hashing import with_digests
from lamina.image.image import Image
from lamina.oci.digest import Digest, sha256
from lamina.report.verify import verify
from tests.support.archives import Piece, docker_save, folder, sample, tar_of
from tests.support.fixtures import Command
from tests.support.recipes import base, image_of, recipe, root_layer, save, store_layer, tar_layer, write_recipe
from tests.support.trees import Link, Store, make_tree, path_info

HONEST = [folder("usr"), folder("usr/bin"), Piece("bin", link="usr/bin")]
MOVED = [folder("usr"), folder("usr/other"), Piece("bin", link="usr/other")]
OTHER_MODE = [folder("usr"), folder("usr/bin"), Piece("bin", link="usr/bin"), Piece("var", directory=True, mode=0o700)]


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def bases(directory: Path, hostile: list[Piece]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A base, and one with other layers that claims the same diff IDs."""
    honest = docker_save([sample(layers=(tar_of(HONEST),))])
    layer = tar_of(hostile)
    false = [attrs.evolve(piece, data=layer) if piece.name.endswith("/layer.tar") else piece for piece in honest]
    return base(save(honest, directory / "honest.tar")), base(save(false, directory / "false.tar"))


def own_layer(kind: str, store: Store, directory: Path) -> dict[str, Any]:
    files = make_tree(directory / "tree", {"bin/tool": b"x", "var/f": b"y"})
    if kind == "root":
        return root_layer(files)
    if kind == "tar":
        path = directory / "layer.tar"
        path.write_bytes(tar_of([folder("bin"), Piece("bin/tool", b"x")]))
        return tar_layer(path)
    return store_layer(store.add("one", {"f": b"x"}))


@pytest.mark.parametrize("hostile", [MOVED, OTHER_MODE], ids=["another place", "another mode"])
@pytest.mark.parametrize("kind", ["root", "tar", "store"])
def test_a_base_that_claims_the_layers_of_another(
    kind: str, hostile: list[Piece], cache: Cache, store: Store, tmp_path: Path
) -> None:
    honest, false = bases(tmp_path, hostile)
    own = own_layer(kind, store, tmp_path)
    known_of_false = with_digests(image_of(recipe(own, base=false)), cache)
    right = with_digests(image_of(recipe(own, base=honest)), None)
    assert known_of_false.diff_ids[0] == right.diff_ids[0], "it claims the base of the other"
    assert with_digests(image_of(recipe(own, base=honest)), cache).diff_ids == right.diff_ids


def test_a_base_that_keeps_the_store_elsewhere(cache: Cache, store: Store, tmp_path: Path) -> None:
    """The store's directory is a link in both bases, which lead to different places."""
    path = store.add("one", {"f": b"x"})
    first = store.inside.split("/", 1)[0]
    images = []
    for place in ("here", "there"):
        layers = (tar_of([folder(place), Piece(first, link=place)]),)
        archive = save(docker_save([sample(layers=layers)]), tmp_path / f"{place}.tar")
        images.append(image_of(recipe(store_layer(path), base=base(archive))))
    assert [with_digests(image, cache).diff_ids for image in images] == [
        with_digests(image, None).diff_ids for image in images
    ]


def test_a_base_with_parts_of_a_store_path(cache: Cache, store: Store, tmp_path: Path) -> None:
    """Where the base has its store with another mode, files are placed by what the base has in the path."""
    path = store.add("one", {"d/f": b"x"})
    inside = path.lstrip("/")
    parts = inside.split("/")
    above = [folder("/".join(parts[:count])) for count in range(1, len(parts) - 1)]
    above.append(Piece("/".join(parts[:-1]), directory=True, mode=0o1775))
    images = []
    for place in ("a", "b"):
        pieces = [*above, folder(inside), folder(f"{inside}/{place}"), Piece(f"{inside}/d", link=place)]
        archive = save(docker_save([sample(layers=(tar_of(pieces),))]), tmp_path / f"{place}.tar")
        images.append(image_of(recipe(store_layer(path), base=base(archive))))
    assert [with_digests(image, cache).diff_ids for image in images] == [
        with_digests(image, None).diff_ids for image in images
    ]


def linking(store: Store) -> tuple[str, Path]:
    """A tree with a link to a directory in another store path, and that path."""
    library = Path(store.add("lib", {"lib/f": b"one"}))
    return store.add("tree", {"lib": Link(f"{library}/lib")}), library


@pytest.mark.parametrize("is_named", [True, False])
def test_files_behind_links_are_a_part_of_the_key(is_named: bool, cache: Cache, store: Store) -> None:
    """Collected, and built again with other bytes of the same length: the tree has the NAR hash that it had."""
    tree, library = linking(store)

    def image(nar_hash: str) -> Image:
        info = {**path_info(str(library)), "narHash": nar_hash}
        named = [{"kind": "store", "paths": [info]}] if is_named else []
        return image_of(recipe(*named, root_layer(tree)))

    first = with_digests(image("sha256:" + "1" * 52), cache)
    assert (image("sha256:" + "1" * 52).layers[-1].key is not None) == is_named
    (library / "lib/f").write_bytes(b"two")
    second = with_digests(image("sha256:" + "2" * 52), cache)
    assert first.diff_ids[-1] != second.diff_ids[-1]
    assert second.diff_ids == with_digests(image("sha256:" + "2" * 52), None).diff_ids


@pytest.mark.parametrize("target", ["../{lib}/lib", "{store}/{lib}/link", "{store}/{lib}/../{lib}/lib/"])
def test_links_to_links(target: str, cache: Cache, store: Store) -> None:
    library = Path(store.add("lib", {"lib/f": b"one", "link": Link("lib")}))
    link = Link(target.format(lib=library.name, store=store.directory))
    fields = recipe(root_layer(store.add("tree", {"lib": link})))
    first = with_digests(image_of(fields), cache)
    (library / "lib/f").write_bytes(b"two")
    assert with_digests(image_of(fields), cache).diff_ids != first.diff_ids


def test_a_tree_that_is_a_link(cache: Cache, store: Store) -> None:
    real = Path(store.add("real", {"f": b"one"}))
    store.path("tree").symlink_to(real)
    fields = recipe(root_layer(store.path("tree")))
    first = with_digests(image_of(fields), cache)
    (real / "f").write_bytes(b"two")
    assert with_digests(image_of(fields), cache).diff_ids != first.diff_ids


def test_a_link_that_led_nowhere_when_it_was_hashed(cache: Cache, store: Store) -> None:
    late = store.path("late")
    tree = store.add("tree", {"lib": Link(str(late))})
    fields = recipe(root_layer(tree))
    first = with_digests(image_of(fields), cache)
    make_tree(late, {"f": b"x"})
    assert with_digests(image_of(fields), cache).diff_ids != first.diff_ids


def test_one_path_with_two_hashes_is_not_believed(store: Store) -> None:
    tree, library = linking(store)
    infos = [{**path_info(str(library)), "narHash": f"sha256:{digit * 52}"} for digit in "12"]
    layers = [{"kind": "store", "paths": [info]} for info in infos]
    assert image_of(recipe(*layers, root_layer(tree))).layers[-1].key is None


@pytest.fixture
def stale(store: Store, tmp_path: Path) -> Callable[[], tuple[Path, dict[str, str], Digest]]:
    """A recipe whose layer's digest is remembered wrongly, the environment with that cache, and the right digest."""

    def make() -> tuple[Path, dict[str, str], Digest]:
        fields = recipe(store_layer(store.add("one", {"f": b"x" * 200_000})))
        [layer] = with_digests(image_of(fields), None).layers
        assert layer.key and layer.size and layer.diff_id
        Cache(tmp_path / "home/lamina").remember(layer.key, sha256(b"another"), layer.size)
        return write_recipe(fields, tmp_path), {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "home")}, layer.diff_id

    return make


def into(output: str, *words: object, environment: dict[str, str], directory: Path) -> tuple[int, bytes]:
    """Standard output to a file or to a pipe; the exit status and the error output."""
    command = [sys.executable, "-m", "lamina", *map(str, words)]
    with (directory / "out.tar").open("wb") as file:
        if output == "file":
            done = subprocess.run(command, env=environment, stdout=file, stderr=subprocess.PIPE, timeout=60)
            return done.returncode, done.stderr
        done = subprocess.run(command, env=environment, capture_output=True, timeout=60)
        file.write(done.stdout)
        return done.returncode, done.stderr


CASES: dict[str, tuple[str, list[str]]] = {
    "a file": ("file", []),
    "compressed": ("pipe", ["--compressor", "gz"]),
    "a pipe with --check": ("pipe", ["--check"]),
    "merged": ("file", ["merge"]),
}


@pytest.mark.parametrize("output, options", CASES.values(), ids=CASES)
def test_a_wrong_digest_is_found_where_bytes_are_hashed_and_then_it_is_right(
    output: str, options: list[str], stale: Callable[[], tuple[Path, dict[str, str], Digest]], tmp_path: Path
) -> None:
    path, environment, right = stale()
    command = "merge" if options == ["merge"] else "build"
    words = (command, path, "-o", "-", *(option for option in options if option != "merge"))
    status, errors = into(output, *words, environment=environment, directory=tmp_path)
    assert status == 1 and errors.count(b"\n") == 1, errors
    assert f"the digest {right}, and {sha256(b'another')} was remembered; run the command again".encode() in errors
    status, errors = into(output, *words, environment=environment, directory=tmp_path)
    assert (status, errors) == (0, b"")
    if command == "build" and "gz" not in options:
        assert not verify(tmp_path / "out.tar").problems


def test_into_a_pipe_nothing_is_hashed(
    stale: Callable[[], tuple[Path, dict[str, str], Digest]], tmp_path: Path
) -> None:
    """The price of its speed: every consumer refuses this archive, see tests/consumers/test_wrong_digest.py."""
    path, environment, _ = stale()
    assert into("pipe", "build", path, "-o", "-", environment=environment, directory=tmp_path) == (0, b"")
    assert verify(tmp_path / "out.tar").problems


@pytest.mark.parametrize("command", ["build", "merge"])
def test_a_file_is_right_whatever_was_remembered(
    command: str, stale: Callable[[], tuple[Path, dict[str, str], Digest]], lamina: Command, tmp_path: Path
) -> None:
    path, environment, _ = stale()
    other = tmp_path / "other"
    other.mkdir()
    more = [write_recipe(recipe(names=[]), other)] if command == "merge" else []
    done = lamina(command, path, *more, "-o", "written.tar", env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert not verify(tmp_path / "written.tar").problems


def test_claims_of_an_archive_are_not_remembered(lamina: Command, tmp_path: Path) -> None:
    """Neither by looking at it, nor by building on it. (Reports remember what they read in headers, and no digest.)"""
    _, false = bases(tmp_path, MOVED)
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "home")}
    lamina("inspect", false["path"], env=environment)
    lamina("verify", false["path"], env=environment)
    lamina("inspect", write_recipe(recipe(base=false), tmp_path), env=environment)
    remembered = [
        path.relative_to(tmp_path / "home" / "lamina") for path in (tmp_path / "home").rglob("*") if path.is_file()
    ]
    assert {path.parts[0] for path in remembered} <= {"reports"}


def test_the_manifest_of_an_image_in_a_daemon_speaks_for_itself(cache: Cache) -> None:
    layers = [{"mediaType": "a/x", "digest": sha256(bytes([n])), "size": 1} for n in range(3)]
    manifest = json.dumps({"layers": layers}).encode()
    cache.remember_manifest(manifest)
    assert cache.layers_of_manifest(sha256(manifest)) == [layer["digest"] for layer in layers]
    assert cache.directory
    [entry] = [path for path in cache.directory.rglob("*") if path.is_file()]
    entry.write_bytes(manifest.replace(b'"a/x"', b'"a/y"'))
    assert cache.layers_of_manifest(sha256(manifest)) == []
    entry.write_bytes(json.dumps({"diffIds": [layers[0]["digest"]], "key": sha256(manifest)}).encode())
    assert cache.layers_of_manifest(sha256(manifest)) == []


def test_open_files_are_not_a_part_of_a_key(store: Store, tmp_path: Path) -> None:
    """The same recipe has the same keys in every process."""
    honest, _ = bases(tmp_path, MOVED)
    layers = [own_layer(kind, store, tmp_path) for kind in ("root", "tar", "store")]
    first, second = ([layer.key for layer in image_of(recipe(*layers, base=honest)).layers] for _ in range(2))
    Source.open(Path(honest["path"]))
    assert first == second and None not in first[1:]
