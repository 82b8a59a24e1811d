"""Input that is small and wants much: no command takes 300 MB of memory or 10 s of a processor for any of it."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import re
import resource
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
import zstandard

from tests.support.archives import Piece, docker_save, sample, tar_of, to_json
from tests.support.closures import store_path
from tests.support.recipes import base, recipe, save, write_recipe

MEGABYTES = 300
SECONDS = 10

_MEASURED = """
import os, subprocess, sys
process = subprocess.Popen([sys.executable, "-m", "lamina", *sys.argv[1:]], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
print(os.waitstatus_to_exitcode(status), used.ru_maxrss >> 10)
"""
"""Linux counts for a process what the one that started it had; so that one must be small, and not this one."""


@attrs.frozen
class Answer:
    """How a command ended, and what it took."""

    status: int
    said: str
    megabytes: int


def answer_of(*arguments: object) -> Answer:
    """Run `lamina`, which is killed when it uses the processor for too long."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS)),
    )
    status, megabytes = done.stdout.split()
    return Answer(int(status), done.stderr, int(megabytes))


def is_refused(match: str, *arguments: object) -> None:
    answer = answer_of(*arguments)
    assert answer.megabytes < MEGABYTES, f"{answer.megabytes} MB"
    assert answer.status == 1, answer
    assert re.fullmatch(r"lamina: [^\n]*\n", answer.said) and re.search(match, answer.said), answer.said


def build_is_refused(match: str, path: Path) -> None:
    out = path.parent / "out.tar"
    is_refused(match, "build", write_recipe(recipe(base=base(path)), path.parent), "-o", out)
    assert not out.exists()


ZEROS = bytes(16 << 20)
BOMBS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 9, mtime=0),
    "bzip2": bz2.compress,
    "xz": lambda data: lzma.compress(data, preset=0),
    "zstd": lambda data: zstandard.compress(data, 1),
}


def bomb(kind: str) -> bytes:
    """A gigabyte of zeros."""
    return BOMBS[kind](ZEROS) * 64


def with_layer(packed: bytes, claimed: bytes = b"x") -> list[Piece]:
    """An image whose one layer has these bytes, and the digest of `claimed`."""
    config = {"os": "linux", "rootfs": {"diff_ids": ["sha256:" + hashlib.sha256(claimed).hexdigest()]}}
    listing = [{"Config": "c", "RepoTags": ["a:1"], "Layers": ["l"]}]
    return [Piece("c", to_json(config)), Piece("l", packed), Piece("manifest.json", to_json(listing))]


TOO_MUCH = (
    r"more than \d+ bytes unpacked from compressed parts; no image is like this; if you trust it, unpack it first"
)


@pytest.mark.parametrize("kind", BOMBS)
def test_a_layer_that_unpacks_to_a_gigabyte(kind: str, tmp_path: Path) -> None:
    is_refused(rf"it.tar\(l\): {TOO_MUCH}", "inspect", save(with_layer(bomb(kind)), tmp_path / "it.tar"))


def test_an_archive_that_unpacks_to_a_gigabyte(tmp_path: Path) -> None:
    path = tmp_path / "it.tar"
    path.write_bytes(bomb("zstd"))
    build_is_refused(f"it.tar: {TOO_MUCH}", path)


def test_a_base_of_which_much_is_zeros_is_taken(tmp_path: Path) -> None:
    """As with a sparse /var/log/lastlog."""
    layer = tar_of([Piece("lastlog", bytes(100 << 20))])
    path = save(with_layer(gzip.compress(layer, 6, mtime=0), layer), tmp_path / "it.tar")
    assert path.stat().st_size * 900 < len(layer)
    answer = answer_of("build", write_recipe(recipe(base=base(path)), tmp_path), "-o", tmp_path / "out.tar")
    assert (answer.status, answer.said) == (0, "") and answer.megabytes < MEGABYTES


def header(name: str, **fields: object) -> bytes:
    info = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(info, key, value)
    return info.tobuf(tarfile.USTAR_FORMAT)


def with_pax_records() -> bytes:
    """A megabyte of PAX records, and a member."""
    records = b"6 a=b\n" * ((1 << 20) // 6)
    return header("x", type=b"x", size=len(records)) + records + bytes(-len(records) % 512) + header("y")


LAYERS: dict[str, tuple[bytes, str]] = {
    "PAX records": (with_pax_records(), "a PAX header of more than 64 records"),
    "members": (header("x") * 30_000, r"more than \d+ files in its layers"),
    "headers before a member": (header("x", type=b"x") * 30_000, "an empty header before a tar member"),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_of_headers(kind: str, tmp_path: Path) -> None:
    block, match = LAYERS[kind]
    packed = gzip.compress(block, 9, mtime=0) * ((200 << 20) // len(block))
    build_is_refused(match, save(with_layer(packed), tmp_path / "it.tar"))


def test_an_archive_of_more_members_than_any_image_has(tmp_path: Path) -> None:
    path = tmp_path / "it.tar"
    path.write_bytes(gzip.compress(b"".join(header(f"{number}") for number in range(60_000)), mtime=0))
    is_refused("more than 50000 members", "verify", path)


def test_an_archive_of_long_names(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for number in range(5000):
            archive.addfile(tarfile.TarInfo("d/" * 1900 + str(number)))
    path = tmp_path / "it.tar"
    path.write_bytes(gzip.compress(buffer.getvalue(), 1, mtime=0))
    is_refused("or than 16777216 bytes of names", "verify", path)


NAMES = [f"a:{number}" for number in range(200_000)]
MANY_VALUES = r"more than \d+ values in its documents"
MANIFESTS = {
    "lists": (b"[" + b"[]," * 1_300_000 + b"[]]", MANY_VALUES),
    "objects": (b"[" + b'{"a":{}},' * 300_000 + b"{}]", MANY_VALUES),
    "depth": (b"[" * 150_000, "nested too deeply|not JSON"),
    "a long number": (b"[" + b"9" * 4_000_000 + b"]", "not JSON"),
    "a long string": (b'["' + "\U0001f600".encode() * 1_000_000 + b'"]', "an item of manifest.json is"),
    "names": (
        to_json([{"Config": "c", "RepoTags": [f"a:{n}" for n in range(250_000)], "Layers": []}]),
        "more than 10000 names of images",
    ),
    "white space": (b" " * (5 << 20), "larger than 4194304 bytes"),
}


@pytest.mark.parametrize("kind", MANIFESTS)
def test_a_document_that_wants_much(kind: str, tmp_path: Path) -> None:
    data, match = MANIFESTS[kind]
    is_refused(match, "inspect", save([Piece("manifest.json", data)], tmp_path / "it.tar"))


RECIPES = {
    "objects": (b'{"x": [' + b'{"a":"b"},' * 490_000 + b"1]}", "recipe of version None"),
    "values": (b'{"x": [' + b"1," * 1_100_000 + b"1]}", "JSON of more than 1000000 values"),
    "bytes": (b'{"x": "' + b"x" * (17 << 20) + b'"}', "JSON of more than 16777216 bytes"),
}


@pytest.mark.parametrize("kind", RECIPES)
def test_a_recipe_that_wants_much(kind: str, tmp_path: Path) -> None:
    data, match = RECIPES[kind]
    path = tmp_path / "recipe.json"
    path.write_bytes(data)
    is_refused(match, "plan", path)


def test_one_layer_five_hundred_times(tmp_path: Path) -> None:
    """Its headers are read once, and its bytes too."""
    layer = header("nix/store/x") * 20_000 + bytes(1024)
    identity = "sha256:" + hashlib.sha256(layer).hexdigest()
    config = {"os": "linux", "rootfs": {"diff_ids": [identity] * 500}}
    item = {"Config": "c", "RepoTags": ["a:1"], "Layers": ["l"] * 500}
    pieces = [Piece("c", to_json(config)), Piece("l", layer), Piece("manifest.json", to_json([item] * 20))]
    path = save(pieces, tmp_path / "it.tar")
    for command in ("inspect", "verify"):
        answer = answer_of(command, path)
        assert answer.megabytes < MEGABYTES and answer.status in (0, 1), answer


def test_whiteouts_of_everything_below(tmp_path: Path) -> None:
    names = [hashlib.md5(b"%d" % n).hexdigest().replace("e", "z") + "-x" for n in range(20_000)]
    added = b"".join(header(f"nix/store/{name}") for name in names) + bytes(1024)
    taken = b"".join(header(f"nix/store/.wh.{name}") for name in names) + bytes(1024)
    path = save(docker_save([sample(layers=(added, taken, added, taken))]), tmp_path / "it.tar")
    answer = answer_of("inspect", path)
    assert answer.status == 0 and answer.megabytes < MEGABYTES, answer


def test_v1_chains_without_number(tmp_path: Path) -> None:
    """Thousands of tops, which share all but the last of their parents, of as many as the image has layers."""
    image = sample(layers=(bytes(1024),) * 60)
    pieces = [piece for piece in docker_save([image]) if piece.name != "repositories"]
    for number in range(8000):
        parent = {"parent": f"i{min(number, 59) - 1}"} if number else {}
        layer = Piece(f"i{number}/layer.tar", bytes(1024))
        pieces += [Piece(f"i{number}/json", to_json({"id": f"i{number}", **parent})), layer]
    tags = {"a": {str(number): f"i{number}" for number in range(59, 8000)}}
    answer = answer_of("verify", save([*pieces, Piece("repositories", to_json(tags))], tmp_path / "it.tar"))
    assert answer == attrs.evolve(answer, status=0, said="") and answer.megabytes < MEGABYTES, answer


def test_a_chain_of_store_paths_that_look_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [store_path("x", number) for number in range(4000)]
    graph = [
        {"path": path, "narHash": "x", "narSize": 5, "references": paths[at + 1 : at + 2]}
        for at, path in enumerate(paths)
    ]
    attributes = tmp_path / "attributes.json"
    attributes.write_bytes(json.dumps({"closure": graph, "paths": paths[:1], "maxLayers": 50}).encode())
    monkeypatch.setenv("NIX_ATTRS_JSON_FILE", str(attributes))
    answer = answer_of("recipe", "--layers", "-o", tmp_path / "layers.json")
    assert answer.status == 0 and answer.megabytes < MEGABYTES, answer
