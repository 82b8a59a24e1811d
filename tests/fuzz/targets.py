"""What is fuzzed: for each reader a function that gives it bytes and looks at what comes of them.

Whatever the bytes: only LaminaError may be raised, its message fits one printable line, and what is printed of an
image holds nothing that steers a terminal.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import attrs

from lamina.compat.check import CONSUMERS
from lamina.data.blob import Bytes
from lamina.data.budget import Budget
from lamina.data.compression import Decompressed, plain
from lamina.errors import LaminaError
from lamina.image import workers as learn
from lamina.image.chunked import chunked
from lamina.image.contents import store_paths
from lamina.image.digest_map import DigestMap
from lamina.image.export import export
from lamina.image.image import Image
from lamina.image.layer import Layer, Stored
from lamina.image.merge import merged
from lamina.limits import ERROR_TEXT
from lamina.media import classic, universal
from lamina.media.tarball import stream
from lamina.oci.digest import sha256
from lamina.oci.documents import Descriptor
from lamina.oci.reference import parse_reference
from lamina.oci.strict_json import canonical, parse_json
from lamina.planning.lock import parse_lock
from lamina.planning.pipeline import run_pipeline
from lamina.planning.plan import plan
from lamina.recipe.base_database import registered_in
from lamina.recipe.derivation import json_text, make_layers
from lamina.recipe.nix_database import database
from lamina.recipe.open import build_image, open_images
from lamina.recipe.recipe import parse_recipe, recipe_json
from lamina.report.chunked import check_table
from lamina.report.describe import inspect, table
from lamina.report.plan import layer_table, planned
from lamina.report.sbom.databases import distribution_packages
from lamina.report.verify import verify
from lamina.store.closure import parse_graph, reachable
from lamina.tar.read import entries
from tests.fuzz.command_lines import command_line
from tests.judge import documents as documents_of_images
from tests.judge import readers
from tests.limits.chunked import layer as layer_with_table
from tests.limits.chunked import packed as packed_frame
from tests.support.archives import Piece, tar_of
from tests.support.reading import read_image
from tests.support.trees import hashed_name

Target = Callable[[bytes], None]

SEPARATOR = b"\n--\n"
"""Between the parts of an input that stands for an image."""


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """An error of Lamina's is a fine answer, when it is one printable line of a length that somebody reads."""
    try:
        yield
    except LaminaError as error:
        check_line(str(error))


def check_line(line: str) -> None:
    assert line.isprintable(), f"not printable: {line!r}"
    assert len(line) < 4 * 10 * ERROR_TEXT, "an error that nobody reads to its end"


def with_check_sums(data: bytes) -> bytes:
    """The tar with the check sum of every header put right: else nothing behind one is reached."""
    whole = bytearray(data)
    for start in range(0, len(whole) - 511, 512):
        if whole[start + 257 : start + 262] == b"ustar":
            whole[start + 148 : start + 156] = b" " * 8
            whole[start + 148 : start + 156] = b"%06o\0 " % sum(whole[start : start + 512])
    return bytes(whole)


def tar_index(data: bytes) -> None:
    with refusing():
        for entry in entries(Bytes(with_check_sums(data)), "it"):
            assert entry.size >= 0 and entry.offset > 0


def compression(data: bytes) -> None:
    """The first byte says whether a decoder is chosen by it, or by what libmagic makes of the rest."""
    kinds = ("gzip", "bzip2", "xz", "zstd")
    choice, rest = data[:1], Bytes(data[1:])
    with refusing():
        forced = choice and choice[0] < len(kinds)
        blob = Decompressed(rest, kinds[choice[0]], "it", Budget(len(data))) if forced else plain(rest, "it")
        for chunk in blob.chunks():
            assert len(chunk) <= 64 << 20


def documents(data: bytes) -> None:
    with refusing():
        value = parse_json(data, "it")
        assert parse_json(canonical(value), "it") == value
        with refusing():
            Descriptor.from_json(value, "it")
        parse_lock(value, "it")
    with refusing():
        claims = DigestMap.parse(data, "it")
        assert DigestMap.parse(claims.document(), "it") == claims


def names(data: bytes) -> None:
    with refusing():
        reference = parse_reference(data.decode(errors="surrogateescape"), "it")
        assert parse_reference(reference.familiar, "it") == reference
        assert parse_reference(reference.qualified, "it") == reference
        check_line(reference.familiar)


def recipe(data: bytes) -> None:
    with refusing():
        read = parse_recipe(parse_json(data, "it"), "it")
        assert parse_recipe(recipe_json(read), "it") == read
        check_text(layer_table(planned(read, measure=False)))
        json_text(recipe_json(read))


def closure(data: bytes) -> None:
    """The attributes of `buildLayer`, or a graph alone, which is planned in every way."""
    with refusing():
        value = parse_json(data, "it")
        if isinstance(value, dict):
            with in_file(data) as path:
                json_text(make_layers(path))
            return
        graph = parse_graph(value, "it")
        infos = reachable(graph, graph, "it")
        assert {info.path for info in infos} == set(graph)
        for layers in (plan(infos, 1), plan(infos, 5), run_pipeline([["popularity_contest"]], infos)):
            assert sorted(info.path for layer in layers for info in layer.paths) == sorted(graph)


def archive(data: bytes) -> None:
    """The bytes are an archive, plain or compressed as a whole."""
    with in_file(with_check_sums(data)) as path:
        look_at(path)


def docker_archive(data: bytes) -> None:
    """Parts: manifest.json, repositories, a member for each further part; `NAME` is a part's first line."""
    parts = filled(data)
    pieces = [Piece("manifest.json", parts[0]), Piece("repositories", (parts[1:] or [b"{}"])[0])]
    with in_file(with_check_sums(packed([*pieces, *named(parts[2:])]))) as path:
        look_at(path)


def oci_layout(data: bytes) -> None:
    """Parts: index.json, then blobs, which are stored under their digests."""
    parts = filled(data)
    blobs = [Piece(f"blobs/sha256/{hashlib.sha256(part).hexdigest()}", part) for part in parts[1:]]
    layout = [Piece("oci-layout", b'{"imageLayoutVersion": "1.0.0"}'), Piece("index.json", parts[0])]
    with in_file(with_check_sums(packed([*blobs, *layout]))) as path:
        look_at(path)


def base_layer(data: bytes) -> None:
    """The bytes are a layer of a base, plain or compressed."""
    with refusing():
        layer = Layer.of(plain(Bytes(with_check_sums(data)), "it"), "it")
        with refusing():
            for held in store_paths([layer, layer]):
                assert all(re.match("[0-9a-z]{32}-", name) for name in held)
        stored = b"".join(export(Image({}, (layer, layer), ()), 1))
        assert all(entry.name.startswith(b"./") for entry in entries(Bytes(stored), "it"))


def chunked_layer(data: bytes) -> None:
    """The bytes are the parts of a zstd:chunked layer, whose documents are compared with its tar.

    Parts: entries of the table of contents, lines of tar-split data, and pieces of the tar, each in a frame of its own.
    `%N%` in an entry is where the frame of piece N starts, `~N~` in a line is base64 of the piece.
    """
    parts = filled(data)
    pieces = [with_check_sums(part) for part in parts[2:]]
    frames = [packed_frame(piece) for piece in pieces]
    entries, split = parts[0], (parts[1:] or [b""])[0]
    for at, piece in enumerate(pieces):
        entries = entries.replace(b"%%%d%%" % at, b"%d" % len(b"".join(frames[:at])))
        split = split.replace(b"~%d~" % at, b64encode(piece))
    stored, notes = layer_with_table(b"".join(frames), [entries.decode(errors="replace")], split.split(b"\n"))
    with refusing():
        compare_table(b"".join(pieces), stored, notes)


def chunked_tar(data: bytes) -> None:
    """The bytes are a tar. As a zstd:chunked layer it is the same tar, and its documents agree with it."""
    tar = with_check_sums(data)
    notes: dict[str, str] = {}
    stored = b"".join(chunked([tar], 1, 1, notes.update))
    assert b"".join(Decompressed(Bytes(stored), "zstd", "it", Budget(len(stored))).chunks()) == tar
    if notes:
        compare_table(tar, stored, notes)


def compare_table(tar: bytes, stored: bytes, notes: Mapping[str, str]) -> None:
    descriptor = Descriptor("", sha256(stored), len(stored), notes)
    layer = attrs.evolve(Layer.of(Bytes(tar), "it"), stored=Stored(descriptor, Bytes(stored)))
    check_table(layer, Budget(len(stored)))


def nix_database(data: bytes) -> None:
    """The bytes are the database of a Nix in a base."""
    with refusing():
        layer = Layer.of(Bytes(tar_of([Piece("nix/var/nix/db/db.sqlite", data)])), "it")
        rows = registered_in([layer], {hashed_name(name) for name in ("one", "two")})
        assert database(rows) == database(reversed(rows))


_PACKAGE_DATABASES = ("var/lib/dpkg/status", "lib/apk/db/installed", "var/lib/rpm/rpmdb.sqlite")


def package_database(data: bytes) -> None:
    """The bytes after the first one are the package database of a distribution; the first one says of which."""
    with refusing():
        path = _PACKAGE_DATABASES[data[0] % 3 if data else 0]
        layer = Layer.of(Bytes(tar_of([Piece(path, data[1:])])), "it")
        for part in distribution_packages([layer])[0]:
            assert part.purl.isascii() and part.purl.startswith("pkg:") and part.layer == 0


def tar_judge(data: bytes) -> None:
    """A tar that we read is read alike by Go's archive/tar and Python's tarfile. (GNU tar would be a new process.)"""
    difference = readers.disagreement(with_check_sums(data), ("Go's archive/tar", "Python's tarfile"))
    assert not difference, difference


def document_judge(data: bytes) -> None:
    """The first byte chooses the kind of document."""
    if data[:1] in documents_of_images.KINDS:
        difference = documents_of_images.disagreement(data[:1], data[1:])
        assert not difference, difference


TARGETS: dict[str, Target] = {
    target.__name__: target
    for target in (
        tar_index,
        compression,
        documents,
        names,
        recipe,
        closure,
        archive,
        docker_archive,
        oci_layout,
        base_layer,
        chunked_layer,
        chunked_tar,
        nix_database,
        package_database,
        tar_judge,
        document_judge,
        command_line,
    )
}


def filled(data: bytes) -> list[bytes]:
    """The parts of an input; `@N@` in one is the digest of part N, `#N#` its size. Later parts are filled first."""
    parts = data.split(SEPARATOR)[:12]
    for at in range(len(parts) - 1, -1, -1):
        for other in range(at + 1, len(parts)):
            digest, size = sha256(parts[other]).encode(), b"%d" % len(parts[other])
            parts[at] = parts[at].replace(b"@%d@" % other, digest).replace(b"#%d#" % other, size)
    return parts


def named(parts: list[bytes]) -> list[Piece]:
    lines = [part.partition(b"\n") for part in parts]
    return [Piece(name[:90].decode("latin-1").replace("\0", "_"), content) for name, _, content in lines]


def packed(pieces: list[Piece]) -> bytes:
    try:
        return tar_of(pieces)
    except (ValueError, UnicodeError):  # a name that ustar cannot hold
        return b""


@functools.cache
def _memory_file() -> int:
    return os.memfd_create("input")


@contextlib.contextmanager
def in_file(data: bytes) -> Iterator[Path]:
    """A file with the bytes that lies nowhere on a disk."""
    descriptor = _memory_file()
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, data, 0)
    yield Path(f"/proc/self/fd/{descriptor}")


def look_at(path: Path) -> None:
    """All that the commands do with an image from elsewhere, but for sending it away."""
    learn._WORTH_FORKING = 1 << 60  # a fuzzer does not see what another process does
    with refusing():
        images = inspect(path)
        check_text(table(images))
        assert json.dumps(images, indent=2).isascii()
    verdict = verify(path, consumers=CONSUMERS)
    for problem in verdict.problems:
        check_line(problem)
    assert all(str(finding).isprintable() for finding in verdict.findings)
    with refusing():
        image = read_image(path)
        for arrange in (universal.arrange, classic.arrange):
            for _ in stream([image], arrange, lambda _: None):
                pass
    with refusing():
        both = merged([*open_images(path), *open_images(path)])
        for _ in stream(both, universal.arrange, lambda _: None):
            pass
    fields = {"version": 1, "names": [], "architecture": "amd64", "created": "1970-01-01T00:00:01Z", "config": {}}
    with refusing():
        base = {"path": str(path), "name": None, "tag": None}
        built = build_image(parse_recipe({**fields, "layers": [], "base": base}, "it"))
        for _ in stream([built], universal.arrange, lambda _: None):
            pass


def check_text(text: str) -> None:
    for line in text.split("\n"):
        assert line.isprintable(), f"not printable: {line!r}"
