"""Compare the readers for a long time: `python -m tests.judge --seconds 1800 tar`, `documents` or `compressed`.

Prints how many inputs all readers read alike, how many ours refuses, and how many disagreements there were. An input
with a disagreement is kept in a file.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from lamina.oci.spelling import Shape
from tests.fuzz.seeds import LAYER, WHITEOUTS, long_names
from tests.fuzz.targets import with_check_sums
from tests.judge import compressed, documents, readers
from tests.judge.tars import doubtful_tar, sparse_tar

_SEEDS = (LAYER, WHITEOUTS, long_names())

Try = Callable[[Random], tuple[bytes, str | None]]
"""Makes one input; returns it and what `disagreement` says of it."""


def changed_tar(random: Random) -> bytes:
    """A tar in which up to three bytes were changed."""
    data = bytearray(random.choice(_SEEDS))
    for _ in range(random.randint(1, 3)):
        data[random.randrange(len(data))] = random.randrange(256)
    return with_check_sums(bytes(data))


def _tar(make: Callable[[Random], bytes]) -> Try:
    def one(random: Random) -> tuple[bytes, str | None]:
        data = make(random)
        return data, readers.disagreement(data)

    return one


def _document(kind: bytes, make: Callable[[Random, Shape], bytes]) -> Try:
    def one(random: Random) -> tuple[bytes, str | None]:
        data = make(random, documents.KINDS[kind])
        return kind + data, documents.disagreement(kind, data)

    return one


def _compressed(kind: bytes) -> Try:
    def one(random: Random) -> tuple[bytes, str | None]:
        data = compressed.doubtful_data(random, kind)
        return kind + data, compressed.disagreement(kind, data)

    return one


READERS: dict[str, dict[str, Try]] = {
    "tar": {make.__name__: _tar(make) for make in (doubtful_tar, sparse_tar, changed_tar)},
    "documents": {
        f"{make.__name__} {kind.decode()}": _document(kind, make)
        for kind in documents.KINDS
        for make in (documents.doubtful_document, documents.doubtful_text)
    },
    "compressed": {name: _compressed(kind) for kind, name in compressed.KINDS.items()},
}
"""By reader, the ways to make inputs for it."""


def numbers(seed: int) -> Iterator[int]:
    """One number for each input, from which it can be made again."""
    for count in range(1 << 62):
        yield seed + count


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.judge", description=__doc__)
    parser.add_argument("reader", choices=READERS)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=secrets.randbits(60), help="begin with the input of this number")
    parser.add_argument("--directory", type=Path, default=Path(".state/judge"), help="for inputs with disagreements")
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    ways = READERS[options.reader]
    counts = {way: collections.Counter[str]() for way in ways}
    end = time.monotonic() + options.seconds
    for number in numbers(options.seed):
        if time.monotonic() >= end:
            break
        for way, try_it in ways.items():
            data, difference = try_it(Random(number))
            counts[way][_result(difference)] += 1
            if difference:
                path = options.directory / f"{options.reader}-{hashlib.sha256(data).hexdigest()[:16]}"
                path.write_bytes(data)
                print(f"{way}, number {number}, kept in {path}: {difference}", flush=True)
    total = collections.Counter[str]()
    for way, found in counts.items():
        total += found
        print(_line(way, found))
    print(_line(f"{options.reader} from {options.seed}", total))
    return 1 if total["disagreements"] else 0


def _result(difference: str | None) -> str:
    if difference is None:
        return "refused"
    return "disagreements" if difference else "read alike"


def _line(way: str, found: collections.Counter[str]) -> str:
    return (
        f"{way}: {found['read alike']} read alike, {found['refused']} refused, {found['disagreements']} disagreements"
    )


if __name__ == "__main__":
    sys.exit(main())
