"""Constructs that ask for more than they are long: each by a number, to be doubled."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable

import zstandard

from tests.judge.tars import block, padded, record
from tests.limits import chunked, package_databases
from tests.limits.archives import END, FILE, image, named
from tests.support.archives import Piece, descriptor, digest, hexdigest, oci_layout, tar_of, to_json

Construct = Callable[[int], bytes]
"""A whole archive, plain."""


def one_config_many_times(n: int) -> bytes:
    return tar_of(image([FILE], times=n, extra=["ab"] * 150_000))


def long_config_many_times(n: int) -> bytes:
    return tar_of(image([FILE], times=n, comment="x" * 3_500_000))


def v1_links_to_one_document(n: int) -> bytes:
    pieces = [Piece(f"{number:064x}/json", link="../fat") for number in range(n)]
    return tar_of([*image([FILE]), Piece("fat", to_json({"x": ["ab"] * 150_000})), *pieces])


def links_of_a_layer(n: int) -> bytes:
    up = b"a/../" * 810
    links = [named(b"s0", b"2", up[:-1] + b"/.")]
    links += [named(b"s%d" % at, b"2", up + b"s%d" % (at - 1)) for at in range(1, 39)]
    return tar_of(
        image([named(b"a/", b"5") + b"".join(links) + b"".join(named(b"s38/%d" % at) for at in range(n)) + END])
    )


def long_names_under_many_layers(n: int) -> bytes:
    big = b"".join(named(b"%06d" % at + b"/a" * 2000) for at in range(40)) + END
    return tar_of(image([big, *(named(b".wh.%d" % at) + END for at in range(n))]))


def deep_names(n: int) -> bytes:
    return tar_of(image([b"".join(named(b"a/" * 2040 + b"%06d" % at) for at in range(n)) + END]))


def implied_directories(n: int) -> bytes:
    return tar_of(image([b"".join(named(b"%06d" % at + b"/a" * 2000) for at in range(n)) + END]))


def empty_files(n: int) -> bytes:
    return tar_of(image([b"".join(named(b"d/%07d" % at) for at in range(n)) + END]))


def one_file_again_and_again(n: int) -> bytes:
    return tar_of(image([named(b"f") * n + END]))


def files_of_many_layers(n: int) -> bytes:
    layers = [b"".join(named(b"%d/%05d" % (number, at)) for at in range(2000)) + END for number in range(n)]
    return tar_of(image(layers))


def members_of_an_archive(n: int) -> bytes:
    return tar_of(image([FILE]))[: -len(END)] + b"".join(named(b"d/%07d" % at) for at in range(n)) + END


def one_directory_again_and_again(n: int) -> bytes:
    return tar_of(image([FILE]))[: -len(END)] + named(b"d/", b"5") * n + END


def history(n: int) -> bytes:
    return tar_of(image([FILE], times=1, history=[{"empty_layer": True}] * n + [{}]))


def names_of_images(n: int) -> bytes:
    return tar_of(image([FILE], tags=[f"x/y:{number}" for number in range(n)]))


def layers_of_images(n: int) -> bytes:
    return tar_of(image([FILE] * 500, times=n))


def layers_of_an_image(n: int) -> bytes:
    return tar_of(image([named(b"f%d" % at) + END for at in range(n)]))


def whiteouts_again_and_again(n: int) -> bytes:
    below = b"".join(named(b"d/%04d" % at) for at in range(1000)) + END
    return tar_of(
        image([below, b"".join(named(b"d/%04d" % at) for at in range(1000)) + named(b"d/.wh..wh..opq") * n + END])
    )


def hard_links(n: int) -> bytes:
    deep = b"a/" * 2000 + b"f"
    return tar_of(image([named(deep) + b"".join(named(b"%07d" % at, b"1", deep) for at in range(n)) + END]))


def attributes(n: int) -> bytes:
    records = b"".join(record(b"SCHILY.xattr.user.%d" % at, b"x" * 15_000) for at in range(60))
    one = block(b"x", b"x", len(records)) + padded(records)
    return tar_of(image([b"".join(one + named(b"%07d" % at) for at in range(n)) + END]))


def objects_in_objects(n: int) -> bytes:
    text = b'{"":' * 90 + b"0" + b"}" * 90
    pieces = image([FILE])
    document = json.loads(pieces[1].data)
    data = to_json(document)[:-1] + b',"x":[' + b",".join([text] * n) + b"]}"
    return tar_of([pieces[0], Piece("c", data), *pieces[2:]])


def labels(n: int) -> bytes:
    return tar_of(image([FILE], config={"Labels": {f"{number:07d}": "x" for number in range(n)}}))


def files_over_dangling_links(n: int) -> bytes:
    target = b"d/../" * 800 + b"nothing"
    below = named(b"d/", b"5") + b"".join(named(b"%07d" % at, b"2", target) for at in range(n)) + END
    return tar_of(image([below, b"".join(named(b"%07d" % at) for at in range(n)) + END]))


def directories_below_links(n: int) -> bytes:
    below = named(b"a" * 50, b"2", b"b") + b"".join(named(b"c" + b"/c" * 1500 + b"%07d" % at) for at in range(20)) + END
    return tar_of(image([below, b"".join(named(b"c" + b"/c" * 1500 + b"/%07d" % at) for at in range(n)) + END]))


def sparse_maps(n: int) -> bytes:
    numbers = b"".join(b"%d\n0\n" % at for at in range(6000))
    data = padded(b"6000\n" + numbers)
    fields = ((b"major", b"1"), (b"minor", b"0"), (b"name", b"s"), (b"realsize", b"99999"))
    records = b"".join(record(b"GNU.sparse." + key, value) for key, value in fields)
    one = block(b"x", b"x", len(records)) + padded(records) + block(b"s", b"0", len(data)) + data
    return tar_of(image([one * n + END]))


def manifests_of_an_index(n: int) -> bytes:
    config = to_json({"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": [digest(FILE)]}})
    blobs = [Piece(f"blobs/sha256/{hexdigest(FILE)}", FILE), Piece(f"blobs/sha256/{hexdigest(config)}", config)]
    entries = []
    for number in range(n):
        layers = [descriptor(FILE, "layer.v1.tar")]
        fields = {"config": descriptor(config, "config.v1+json"), "layers": layers, "annotations": {"n": str(number)}}
        data = to_json({"schemaVersion": 2, **fields})
        blobs.append(Piece(f"blobs/sha256/{hexdigest(data)}", data))
        platform = {"os": "linux", "architecture": "amd64", "variant": str(number)}
        entries.append(descriptor(data, "manifest.v1+json", platform=platform))
    index = to_json({"schemaVersion": 2, "manifests": entries})
    blobs.append(Piece(f"blobs/sha256/{hexdigest(index)}", index))
    return tar_of(oci_layout([descriptor(index, "index.v1+json")] * n, blobs))


def store_paths(n: int) -> bytes:
    digits = "0123456789abcdfghijklmnpqrsvwxyz"

    def name(number: int) -> bytes:
        return "".join(digits[number >> 5 * place & 31] for place in range(6)).rjust(32, "0").encode() + b"-x"

    added = b"".join(named(b"nix/store/" + name(at)) for at in range(n)) + END
    taken = b"".join(named(b"nix/store/.wh." + name(at)) for at in range(n)) + END
    return tar_of(image([added, taken] * 4))


def letters_in_a_store_path(n: int) -> bytes:
    """Megabytes."""
    return tar_of(image([named(b"nix/store/" + b"0" * 32 + b"-x", data=b"0" * (n << 20)) + END]))


def extension_headers(n: int) -> bytes:
    payload = record(b"comment", b"x" * 900_000)
    one = block(b"x", b"x", len(payload)) + padded(payload)
    return tar_of(image([b"".join(one + named(b"%07d" % at) for at in range(n)) + END]))


def frames_without_content(n: int) -> bytes:
    return tar_of(image([FILE], stored=zstandard.compress(FILE) + zstandard.compress(b"") * n))


def members_of_gzip_without_content(n: int) -> bytes:
    return tar_of(image([FILE], stored=gzip.compress(FILE, mtime=0) + gzip.compress(b"", mtime=0) * n))


def streams_of_xz_without_content(n: int) -> bytes:
    return tar_of(image([FILE], stored=lzma.compress(FILE) + lzma.compress(b"") * n))


def streams_of_bzip2_without_content(n: int) -> bytes:
    return tar_of(image([FILE], stored=bz2.compress(FILE) + bz2.compress(b"") * n))


def diff_ids_of_a_layer(n: int) -> bytes:
    """All but one are wrong."""
    layer = FILE + bytes(16 << 20)
    wrong = [f"sha256:{number:064x}" for number in range(n - 1)]
    rootfs = {"diff_ids": [digest(layer), *wrong]}
    return tar_of(image([layer] * n, rootfs=rootfs))


def one_layer_again_and_again(n: int) -> bytes:
    return tar_of(image([FILE + bytes(16 << 20)] * n))


def images_of_a_layer(n: int) -> bytes:
    return tar_of(image([named(b"f") * 2000 + END], times=n))


def zeros_behind_a_layer(n: int) -> bytes:
    """Megabytes."""
    return tar_of(image([FILE + bytes(n << 20)]))


def layers_of_empty_lines(n: int) -> bytes:
    """Which libmagic reads for a long time, to say that they are text."""
    return tar_of(image([b"\n" * 4096] * 500, times=n))


def layers_that_begin_like_lzma(n: int) -> bytes:
    return tar_of(image([b"]\0\0" + b"\n" * 4096] * 500, times=n))


def blobs_of_an_artifact(n: int) -> bytes:
    """Of 16 MiB, and all the same one."""
    blob = bytes(16 << 20)
    config = to_json({"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": [digest(FILE)]}})
    of_image = {"config": descriptor(config, "config.v1+json"), "layers": [descriptor(FILE, "layer.v1.tar")]}
    of_artifact = {"config": descriptor(b"{}", "empty.v1+json"), "layers": [descriptor(blob, "thing")] * n}
    manifests = [to_json({"schemaVersion": 2, **each}) for each in (of_image, of_artifact)]
    blobs = [Piece(f"blobs/sha256/{hexdigest(each)}", each) for each in (blob, config, FILE, b"{}", *manifests)]
    return tar_of(oci_layout([descriptor(each, "manifest.v1+json") for each in manifests], blobs))


def tags_of_a_v1_image(n: int) -> bytes:
    """Which could be any of so many images of 40 layers."""
    layers = [FILE] * 40
    pieces = image(layers)
    manifest, config = json.loads(pieces[0].data), json.loads(pieces[1].data)
    images = min(n // 10 + 1, 1000)
    configs = [Piece(f"c{at}", to_json({**config, "comment": str(at)})) for at in range(images)]
    listed = [{**manifest[0], "RepoTags": [], "Config": each.name} for each in configs]
    parents = ["", *(f"{at:064x}" for at in range(39))]
    chain = [
        piece
        for at, parent in enumerate(parents)
        for piece in (
            Piece(f"{at:064x}/json", to_json({"id": f"{at:064x}", **({"parent": parent} if parent else {})})),
            Piece(f"{at:064x}/layer.tar", link="../l0"),
            Piece(f"{at:064x}/VERSION", b"1.0"),
        )
    ]
    tags = Piece("repositories", to_json({"x/y": {f"t{at}": f"{39:064x}" for at in range(n)}}))
    return tar_of([Piece("manifest.json", to_json(listed)), *configs, *pieces[2:], *chain, tags])


CONSTRUCTS: dict[str, tuple[Construct, int, int | None, int]] = {
    each.__name__: (each, small, fits, large)
    for each, small, fits, large in (
        (one_config_many_times, 20, None, 1000),
        (long_config_many_times, 2, None, 1000),
        (v1_links_to_one_document, 500, 4500, 20_000),
        (links_of_a_layer, 50, 4700, 20_000),
        (long_names_under_many_layers, 10, 200, 400),
        (deep_names, 200, 2900, 8000),
        (implied_directories, 10, 1700, 2000),
        (empty_files, 5000, 5300, 150_000),
        (one_file_again_and_again, 10_000, None, 150_000),
        (files_of_many_layers, 5, 2, 100),
        (members_of_an_archive, 5000, 5200, 60_000),
        (one_directory_again_and_again, 10_000, None, 100_000),
        (history, 1000, None, 200_000),
        (names_of_images, 1000, None, 13_000),
        (layers_of_images, 10, None, 1000),
        (layers_of_an_image, 50, 200, 500),
        (whiteouts_again_and_again, 20, None, 20_000),
        (hard_links, 200, 3100, 10_000),
        (attributes, 5, 100, 150),
        (objects_in_objects, 500, None, 10_000),
        (labels, 10_000, 170_000, 300_000),
        (files_over_dangling_links, 50, 1800, 5000),
        (directories_below_links, 100, 3900, 5000),
        (sparse_maps, 10, 250, 1200),
        (manifests_of_an_index, 50, 190, 1000),
        (store_paths, 1500, 1500, 60_000),
        (letters_in_a_store_path, 2, None, 256),
        (extension_headers, 10, 220, 500),
        (frames_without_content, 20_000, None, 8_000_000),
        (members_of_gzip_without_content, 20_000, None, 4_000_000),
        (streams_of_xz_without_content, 5000, None, 2_000_000),
        (streams_of_bzip2_without_content, 5000, None, 4_000_000),
        (diff_ids_of_a_layer, 5, None, 500),
        (one_layer_again_and_again, 5, None, 500),
        (images_of_a_layer, 10, None, 1000),
        (zeros_behind_a_layer, 40, None, 256),
        (layers_of_empty_lines, 5, None, 95),
        (layers_that_begin_like_lzma, 10, None, 95),
        (blobs_of_an_artifact, 20, None, 5000),
        (tags_of_a_v1_image, 500, None, 5000),
        (package_databases.lines_of_a_package, 100_000, None, 20_000_000),
        (package_databases.empty_lines_of_a_package_database, 1_000_000, None, 60_000_000),
        (package_databases.dependencies_of_a_package, 100_000, None, 30_000_000),
        (package_databases.packages, 2000, 5000, 100_000),
        (chunked.chunks_of_a_file, 500, 600, 70_000),
        (chunked.holes_of_a_file, 2000, 2000, 70_000),
        (chunked.lines_of_tar_split, 5000, None, 5_000_000),
        (chunked.values_of_a_table, 50_000, None, 5_000_000),
        (chunked.keys_of_chunks, 500, 1000, 40_000),
        (chunked.tables_of_a_layer, 5, 50, 500),
        (chunked.a_table_of_zeros, 20, None, 256),
    )
}
"""With a number that is within all limits, and one that is far beyond them in a file as small as possible.

Between them, where a file that is far beyond has more than 10 kB, is the largest number that fits into those.
Compression does not help there: each name that is another one takes a byte and a half, and each digest 32.
"""


def squeezed(data: bytes) -> bytes:
    """The archive in few bytes: gzip and zstd take a thousandth of what repeats, and once more of that."""
    level = 19 if len(data) < 16 << 20 else 9
    return min(gzip.compress(data, 9, mtime=0), zstandard.ZstdCompressor(level=level).compress(data), key=len)
