"""`python -m bench.chunks [CLOSURE]`: which part of an image must be fetched after every store path was renamed.

Builds bench/relocated.nix twice, the second time with another libc, and compares layers, whole files, and chunks. The
bytes are compressed, as a puller would fetch them. Chunks are cut in two ways: as containers/storage cuts them for
zstd:chunked, and at multiples of a length.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy

from bench import closures
from bench.measure import ROOT
from lamina.data.block_compression import compressed
from tests.support.builds import environment

HOLE = 1 << 10
"""The shortest run of zeros that is a chunk of its own."""

SPLIT_BITS = 16
"""A chunk ends where so many bits of the rolling checksum are set, on average after 64 KiB."""

WINDOW = 64

Cut = Callable[[bytes], list[bytes]]
Known = dict[str, set[bytes]]
"""By method: the digests of all pieces."""

Sizes = dict[bytes, int]
"""The compressed size of each piece, by its digest."""


def rolling(data: bytes) -> list[bytes]:
    """Chunks as pkg/chunked/compressor of containers/storage cuts them. Holes, which are not fetched, are left out."""
    values = numpy.frombuffer(data, numpy.uint8).astype(numpy.uint32)
    total = numpy.cumsum(values, dtype=numpy.uint32)
    dropped, before = numpy.zeros_like(values), numpy.zeros_like(values)
    dropped[WINDOW:], before[WINDOW:] = values[:-WINDOW], total[:-WINDOW]
    start = WINDOW * (WINDOW - 1) * 31
    checksum = numpy.cumsum(total - before - WINDOW * dropped, dtype=numpy.uint32) + numpy.uint32(start)
    mask = (1 << SPLIT_BITS) - 1
    ends = {int(at) + 1 for at in numpy.flatnonzero((checksum & mask) == mask)}
    filled = numpy.concatenate(([-1], numpy.flatnonzero(values), [len(data)]))
    holes = [(int(filled[at]) + 1, int(filled[at + 1])) for at in numpy.flatnonzero(numpy.diff(filled) > HOLE)]
    ends = {end for end in ends if not any(first < end <= last for first, last in holes)}
    cuts = sorted({0, len(data)} | ends | {edge for hole in holes for edge in hole})
    zeros = set(holes)
    return [data[first:last] for first, last in pairwise(cuts) if (first, last) not in zeros]


def fixed(size: int, data: bytes) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


METHODS: dict[str, Cut] = {
    "whole files": lambda data: [data],
    "chunks, rolling checksum": rolling,
    "chunks of 64 KiB": partial(fixed, 64 << 10),
    "chunks of 128 KiB": partial(fixed, 128 << 10),
}


def packed(data: bytes) -> int:
    return sum(map(len, compressed([data], "zstd", threads=1)))


def files(store_path: str) -> Iterator[Path]:
    for directory, _, names in os.walk(store_path):
        for name in sorted(names):
            path = Path(directory, name)
            if path.is_file() and not path.is_symlink() and path.stat().st_size:
                yield path


def digests(store_path: str) -> dict[str, set[bytes]]:
    """By method, the digests of everything in the store path."""
    contents = [path.read_bytes() for path in files(store_path)]
    return {
        method: {hashlib.sha256(piece).digest() for data in contents for piece in cut(data)}
        for method, cut in METHODS.items()
    }


def missing(known: Known, store_path: str) -> tuple[dict[str, Sizes], int, int]:
    """By method, the compressed sizes of what is not known; and the bytes of all files, plain and compressed."""
    contents = [path.read_bytes() for path in files(store_path)]
    found: dict[str, Sizes] = {method: {} for method in METHODS}
    for method, cut in METHODS.items():
        for data in contents:
            for piece in cut(data):
                digest = hashlib.sha256(piece).digest()
                if digest not in known[method] and digest not in found[method]:
                    found[method][digest] = packed(piece)
    return found, sum(map(len, contents)), packed(b"".join(contents))


def closure(release: str, name: str) -> set[str]:
    options = ["--argstr", "release", release, "--argstr", "closure", name]
    words = ["nix-build", "--no-out-link", str(ROOT / "bench/relocated.nix"), *options]
    built = subprocess.check_output(words, env=environment(), text=True)
    printed = subprocess.check_output(["nix-store", "-qR", *built.split()], env=environment(), text=True)
    return set(printed.split())


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "large"
    closures.download([name])
    old, new = closure("1", name), closure("2", name)
    known: Known = {method: set() for method in METHODS}
    sizes: dict[str, Sizes] = {method: {} for method in METHODS}
    plain = whole = 0
    with ProcessPoolExecutor(2) as pool:
        for found in pool.map(digests, old):
            for method, values in found.items():
                known[method] |= values
        for more, size, compressed_size in pool.map(partial(missing, known), new - old):
            plain, whole = plain + size, whole + compressed_size
            for method, pieces in more.items():
                sizes[method] |= pieces
    print(
        f"{len(new)} store paths, {len(new - old)} of them renamed: {plain / 1e6:.1f} MB, {whole / 1e6:.1f} MB packed"
    )
    for method, pieces in sizes.items():
        fetched = sum(pieces.values())
        print(f"{method}: {len(pieces)} to fetch, {fetched / 1e6:.1f} MB, {fetched / whole:.1%}", flush=True)


if __name__ == "__main__":
    main()
