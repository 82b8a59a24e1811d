"""Attacks that are known of other tools, on what lies in layers, in headers, in configs and in layouts."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from lamina.data.blob import Bytes
from lamina.data.compression import Decompressed, plain
from lamina.data.span import as_chunks
from lamina.errors import BadInput
from lamina.image.contents import store_paths
from lamina.image.layer import Layer, hashed
from lamina.limits import UNPACKED, Allowance
from lamina.media import classic, universal
from lamina.media.tarball import Arrangement, stream
from lamina.oci.strict_json import parse_json
from lamina.recipe.open import build_image
from lamina.recipe.recipe import parse_recipe
from lamina.report.verify import verify
from lamina.tar.read import entries
from tests.support.archives import (
    WRAPPERS,
    Piece,
    descriptor,
    docker_save,
    folder,
    oci_archive,
    oci_blobs,
    oci_layout,
    oci_manifest,
    sample,
    tar_of,
    to_json,
)
from tests.support.needs import absent
from tests.support.reading import read_image
from tests.support.recipes import base, image_of, recipe, save, store_layer
from tests.support.trees import hashed_name

IMAGE = sample()
ONE, TWO = hashed_name("one"), hashed_name("two")


def holding(*names: str) -> Layer:
    return Layer.of(Bytes(tar_of(Piece(name, b"x") for name in names)), "it")


BELOW = holding(f"nix/store/{ONE}/f", f"nix/store/{TWO}/f")


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("nix/store/.wh.", set()),
        ("nix/store/.wh..", set()),
        ("nix/store/.wh...", set()),
        (f"nix/store/{ONE}/.wh.", {TWO}),
        (f"nix/store/{ONE}/.wh..", {TWO}),
        (f"nix/store/{ONE}/../.wh.{TWO}", {ONE}),
        (f"./nix//store/./.wh.{ONE}", {TWO}),
        (f"/nix/store/.wh.{ONE}", {TWO}),
        (f"../../nix/store/.wh.{ONE}", {TWO}),
        ("nix/.wh.store", set()),
        (".wh.nix", set()),
        ("nix/store/.wh..wh..opq", set()),
        (f"nix/store/{ONE}/.wh..wh..opq", {TWO}),
        ("nix", set()),
        ("nix/store", set()),
        (f"nix/store/.wh.{ONE[:-1]}", {ONE, TWO}),
        ("other/.wh.nix", {ONE, TWO}),
    ],
)
def test_a_whiteout_takes_away_whatever_any_reader_would(name: str, left: set[str]) -> None:
    """Docker cleans names and joins them to the root (pkg/archive, Unpack): `.wh.` takes away what it lies in."""
    assert store_paths([BELOW, holding(name)])[0] == left


def test_a_layer_that_a_symbolic_link_replaces_the_store_in(tmp_path: Path) -> None:
    link = Layer.of(Bytes(tar_of([Piece("nix", link="/elsewhere")])), "it")
    assert store_paths([BELOW, link])[0] == set()


@pytest.mark.parametrize("name", ["../x", "/etc/shadow", "a/../../x", "/.", "..", "nix/../../x", "x" * 300, "\n"])
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_whatever_a_base_s_layer_holds_nothing_follows_it(name: str, kind: bytes, tmp_path: Path) -> None:
    """It is never unpacked. A base with names that unpackers differ about is refused when it is built on."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for target in ("/etc/passwd", "../../x", ".."):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mode, info.uid = kind, target, 0o6777, (1 << 32) - 1
            info.pax_headers = {"SCHILY.xattr.security.capability": "x", "SCHILY.xattr.trusted.overlay.opaque": "y"}
            archive.addfile(info)
    layer = buffer.getvalue()
    image = sample(layers=(layer,))
    where = f"{image.legacy_ids[0]}/layer.tar"
    path = save(docker_save([image]), tmp_path / "it.tar")
    problems = verify(path).problems
    assert problems and all(problem.startswith(f"{path}({where}): the member ") for problem in problems)
    assert b"".join(read_image(path).layers[0].blob.chunks()) == layer
    out = ".." in name or len(name) > 255 or (kind == tarfile.LNKTYPE and name != "/.")
    with pytest.raises(BadInput, match=r"leaves the layer|too long|is a hard link to") if out else nullcontext():
        assert b"".join(image_of(recipe(base=base(path))).layers[0].blob.chunks()) == layer
    assert sorted(os.listdir(tmp_path)) == ["it.tar"]


def header_with(**fields: tuple[int, bytes]) -> bytes:
    """A header with other bytes at some places, and a check sum that fits."""
    block = bytearray(tar_of([Piece("name", b"x" * 100)])[:512])
    for at, value in fields.values():
        block[at : at + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def refused_tar(data: bytes, match: str) -> None:
    with pytest.raises(BadInput, match=match):
        list(entries(Bytes(data), "it"))


SIZES = {
    "negative in base-256": (b"\xff" * 12, "contains the number"),
    "huge in base-256": (b"\x80" + b"\xff" * 11, "contains the number"),
    "more than the archive": (b"77777777777\0", "cut short"),
    "a minus": (b"-0000000001\0", "contains the number"),
    "hexadecimal": (b"0x000000064\0", "contains the number"),
}


@pytest.mark.parametrize("kind", SIZES)
def test_a_size_that_is_none(kind: str) -> None:
    size, match = SIZES[kind]
    refused_tar(header_with(size=(124, size)) + bytes(2048), match)


def pax(records: bytes, kind: bytes = b"x") -> bytes:
    head = header_with(size=(124, b"%011o\0" % len(records)), kind=(156, kind))
    return head + records + bytes(-len(records) % 512)


def record(key: bytes, value: bytes) -> bytes:
    rest = len(key) + len(value) + 3
    return b"%d %b=%b\n" % (rest + len(str(rest + 1)), key, value)


MEMBER = header_with() + bytes(512)
END = bytes(1024)


@pytest.mark.parametrize(
    ("headers", "match"),
    [
        (pax(record(b"size", b"512")), "two sizes for one tar member"),
        (pax(record(b"size", b"-1")), "with the size"),
        (pax(record(b"size", b"1e3")), "with the size"),
        (pax(record(b"size", b"9" * 30)), "with the size"),
        (pax(record(b"path", b"a")) + pax(b"b" * 5 + b"\0", b"L"), "headers of different types before one"),
        (pax(b"b" * 5 + b"\0", b"L") + pax(record(b"path", b"a")), "headers of different types before one"),
        (pax(record(b"path", b"a") + record(b"path", b"b")), "a tar member with two values of b.path"),
        (pax(record(b"path", b"a"), b"g"), "a global header with b.path"),
        (pax(b"9999999 path=a\n"), "a damaged PAX header"),
        (pax(b"-5 a=b\n"), "a damaged PAX header"),
        (pax(b"0 a=b\n"), "a damaged PAX header"),
        (pax(b"3 a=b\n"), "a damaged PAX header"),
        (pax(b"\xd9\xa5 a=b\n"), "a damaged PAX header"),
        (pax(record(b"path", b"d/" * 2100 + b"x")), "a tar member with a name of 4201 bytes"),
        (pax(b"d" * 4097 + b"\0", b"L"), "a tar member with a name of 4097 bytes"),
        (pax(b"d" * 4097 + b"\0", b"K"), "a tar member with a link of 4097 bytes"),
        (pax(record(b"a", b"b") * 65), "a PAX header of more than 64 records"),
        (header_with(size=(124, b"%011o\0" % (1 << 21)), kind=(156, b"x")), "a tar header of 2097152 bytes"),
    ],
)  # fmt: skip
def test_headers_that_readers_disagree_about(headers: bytes, match: str) -> None:
    refused_tar(headers + MEMBER + END, match)


def sparse_1_0(name: bytes, path: bytes) -> bytes:
    """A file that is one hole, as GNU tar writes it in version 1.0."""
    fields = {b"major": b"1", b"minor": b"0", b"name": name, b"realsize": b"5000"}
    records = b"".join(record(b"GNU.sparse." + key, value) for key, value in fields.items())
    return pax(records + record(b"path", path)) + header_with(size=(124, b"%011o\0" % 512)) + b"0\n".ljust(512, b"\0")


OLD_SPARSE = header_with(
    kind=(156, b"S"), magic=(257, b"ustar  \0"), real=(483, b"%011o\0" % 5000), size=(124, b"0" * 11)
)


@pytest.mark.parametrize("sparse", [OLD_SPARSE, sparse_1_0(b"name", b"GNUSparseFile.0/x")])
def test_a_layer_with_holes_in_the_archive_is_no_file(sparse: bytes, tmp_path: Path) -> None:
    """What it holds is not what lies there, so a reader that knows no sparse files would read other bytes."""
    listing = [{"Config": "c", "RepoTags": [], "Layers": ["name"]}]
    config = {"rootfs": {"diff_ids": ["sha256:" + "0" * 64]}}
    rest = tar_of([Piece("c", to_json(config)), Piece("manifest.json", to_json(listing))])
    path = tmp_path / "it.tar"
    path.write_bytes(sparse + rest)
    with pytest.raises(BadInput, match="the member 'name' is no file"):
        read_image(path)


def test_a_sparse_file_in_a_layer_has_the_name_that_gnu_tar_gives_it() -> None:
    """Its `path` is one for readers that know no sparse files: a whiteout could hide behind it."""
    layer = Layer.of(Bytes(sparse_1_0(f"nix/store/.wh.{ONE}".encode(), b"GNUSparseFile.0/x") + END), "it")
    assert store_paths([BELOW, layer])[0] == {TWO}


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zstd"])
def test_a_decoder_gives_little_at_once(kind: str) -> None:
    """bzip2 turns 50 bytes into 46 MB, and the whole of a packed layer comes in one piece."""
    blob = plain(Bytes(WRAPPERS[kind](bytes(48 << 20))), "it")
    assert isinstance(blob, Decompressed)
    sizes = [len(chunk) for chunk in blob.chunks()]
    assert sum(sizes) == 48 << 20 and max(sizes) <= (32 << 20 if kind == "zstd" else 1 << 20)


def test_an_xz_decoder_that_requests_gigabytes() -> None:
    """Its first bytes say how much memory it is to take."""
    import lzma

    huge = lzma.compress(b"x" * 1000, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30, "preset": 0}])
    with pytest.raises(BadInput, match="it: damaged xz data: Memory usage limit exceeded"):
        list(plain(Bytes(huge), "it").chunks())


def test_parts_of_an_archive_spend_from_one_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = Allowance(UNPACKED.what, 100_000, 1, UNPACKED.most, UNPACKED.remedy)
    monkeypatch.setattr("lamina.data.compression.UNPACKED", few)
    layers = tuple(tar_of([Piece(f"f{number}", bytes(40_000))]) for number in range(5))
    path = save(oci_archive([sample(layers=layers)]), tmp_path / "it.tar")
    image = read_image(path)
    for _ in range(3):  # read again it counts once
        hashed(image.layers[0])
    with pytest.raises(BadInput, match=r"more than [0-9]+ bytes unpacked from compressed parts; no image is like this"):
        for layer in image.layers:
            hashed(layer)
    plainly = save(docker_save([sample(layers=layers)]), tmp_path / "plain.tar")
    for layer in read_image(plainly).layers:
        hashed(layer)


def oci_with(**changes: Any) -> list[Piece]:
    """A layout whose manifest has other fields."""
    manifest = to_json(json.loads(oci_manifest(IMAGE)) | changes)
    blobs = [*oci_blobs(IMAGE), Piece(f"blobs/sha256/{hashlib.sha256(manifest).hexdigest()}", manifest)]
    return oci_layout([descriptor(manifest, "manifest.v1+json")], blobs)


LAYERS = json.loads(oci_manifest(IMAGE))["layers"]


@pytest.mark.parametrize(
    ("layer", "match"),
    [
        ({"digest": "sha256:../../../../etc/passwd"}, "is no sha256 or sha512 digest"),
        ({"digest": "sha256:" + "A" * 64}, "is no sha256 or sha512 digest"),
        ({"digest": "sha256:" + "a" * 63}, "is no sha256 or sha512 digest"),
        ({"digest": "md5:" + "a" * 32}, "is no sha256 or sha512 digest"),
        ({"digest": "sha512:" + "a" * 127}, "is no sha256 or sha512 digest"),
        ({"digest": "sha512:" + "a" * 128}, "no member"),
        ({"digest": "sha256:" + "a" * 64}, "no member"),
        ({"size": -1}, "size is -1"),
        ({"size": 1 << 64}, "size is 18446744073709551616"),
        ({"size": 10**400}, "size is 1000"),
        ({"size": 1}, "and its descriptor says 1; the image is damaged"),
        ({"size": 1 << 62}, "and its descriptor says 4611686018427387904"),
    ],
)
def test_a_descriptor_that_deceives(layer: dict[str, Any], match: str, tmp_path: Path) -> None:
    path = save(oci_with(layers=[LAYERS[0] | layer, LAYERS[1]]), tmp_path / "it.tar")
    with pytest.raises(BadInput, match=match):
        read_image(path)
    assert any("it.tar" in problem for problem in verify(path).problems)


@pytest.mark.parametrize(
    "text",
    [b'{"a": 1, "a": 2}', b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": 1e999}', b"\xef\xbb\xbf{}", b'"\\ud800"',
     b"[" * 200 + b"]" * 200, b"[" * 100_000, b"{}{}", b"", b"\xff", b"[1,]", b"01", b"9" * 5000],
)  # fmt: skip
def test_json_that_readers_disagree_about(text: bytes) -> None:
    with pytest.raises(BadInput, match=r"^it: (not JSON|JSON nested too deeply)"):
        parse_json(text, "it")


@pytest.mark.parametrize("user", ["2147483648", "4294967296:0", "0:4294967296", "9" * 100, "1000:99999999999"])
def test_a_user_that_a_runtime_would_take_for_root(user: str, tmp_path: Path) -> None:
    path = save(docker_save([sample(config={"User": user})]), tmp_path / "it.tar")
    for fields in (recipe(base=base(path)), recipe(config={"User": user})):
        with pytest.raises(BadInput, match=r"config.User has the number \d+; runtimes would take it for root"):
            image_of(fields)


@pytest.mark.parametrize("user", ["2147483647", "nobody", "1000:1000", "", "user9999999999"])
def test_users_that_are_ones(user: str) -> None:
    assert image_of(recipe(config={"User": user})).config["config"]["User"] == user


def test_a_volume_that_climbs(tmp_path: Path) -> None:
    path = save(docker_save([sample(config={"Volumes": {"/data/../../etc": {}}})]), tmp_path / "it.tar")
    with pytest.raises(BadInput, match=r'config.Volumes has "/data/../../etc"; a volume is an absolute path below /'):
        image_of(recipe(base=base(path)))


# Layouts as directories: what lies in one may be a link, or no file at all.


def as_directory(pieces: list[Piece], top: Path) -> Path:
    for piece in pieces:
        path = top / piece.name
        if piece.directory:
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(piece.data)
    return top


LAYOUT = oci_archive([IMAGE])
BLOB = max(LAYOUT, key=lambda piece: len(piece.data)).name


def test_a_layout_s_links_are_followed_within_it(tmp_path: Path) -> None:
    top = as_directory(LAYOUT, tmp_path / "layout")
    (top / BLOB).rename(top / "moved")
    (top / BLOB).symlink_to(top / "moved")
    assert len(read_image(top).layers) == 2


@pytest.mark.parametrize("name", [BLOB, "index.json", "oci-layout"])
def test_a_layout_s_links_are_not_followed_out_of_it(name: str, tmp_path: Path) -> None:
    top = as_directory(LAYOUT, tmp_path / "layout")
    (top / name).rename(tmp_path / "outside")
    (top / name).symlink_to("../" * name.count("/") + "../outside")
    with pytest.raises(BadInput, match=f"layout/{name}: a link that leaves the directory"):
        read_image(top)


@pytest.mark.parametrize("kind", ["fifo", "directory", "device"])
def test_a_layout_with_what_is_no_file(kind: str, tmp_path: Path) -> None:
    """A pipe without a writer would be waited for, without end."""
    top = as_directory(LAYOUT, tmp_path / "layout")
    (top / BLOB).unlink()
    if kind == "fifo":
        os.mkfifo(top / BLOB)
    elif kind == "directory":
        (top / BLOB).mkdir()
    else:
        try:
            os.mknod(top / BLOB, 0o20666, os.makedev(1, 5))
        except PermissionError:
            absent("only root makes devices: run the tests as root")
    with pytest.raises(BadInput, match=f"layout/{BLOB}: (not a file|Is a directory); give a file that can be read"):
        read_image(top)


def test_a_pipe_is_no_archive(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadInput, match="pipe: not a file; give a file that can be read"):
        read_image(tmp_path / "pipe")


# Recipes: Nix writes them, and so may anybody.


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        (recipe(base={"path": "a\0b"}), "base.path is 'a.x00b'; no file can have that name"),
        (recipe(base={"path": ""}), "base.path is ''; no file can have that name"),
        (recipe({"kind": "tar", "path": "a\0b", "narHash": "x", "narSize": 1}), "path is 'a.x00b'"),
        (recipe({"kind": "tar", "path": "/x", "narHash": "x", "narSize": -1}), "narSize is -1"),
        (recipe({"kind": "tar", "path": "/x", "narHash": "x", "narSize": 10**400}), "narSize is 1000"),
        (recipe(store_layer(f"/nix/../etc/{ONE}")), "is no store path"),
        (recipe(*[{"kind": "store", "paths": []}] * 501), "501 layers; Linux mounts at most 500 over each other"),
        (recipe(created=1), "created is 1, not a string"),
        *((recipe({"kind": "root", "trees": [], "rules": [{"pattern": "x", "mode": mode}]}), "mode is [0-7]+; write")
          for mode in ("77777", 0o10000, (1 << 32) - 1)),
    ],
)  # fmt: skip
def test_a_recipe_that_cannot_be(fields: dict[str, Any], match: str) -> None:
    with pytest.raises(BadInput, match=f"^it: .*{match}"):
        parse_recipe(fields, "it")


@pytest.mark.parametrize("pattern", ["(", "a{99999999999}", "[é-a]", "(" * 5000, "(?u)a", r"\N{DIGIT ONE}"])
def test_a_pattern_that_is_none(pattern: str) -> None:
    layer = {"kind": "root", "trees": [], "rules": [{"pattern": pattern}]}
    with pytest.raises(BadInput, match=r"^it: the pattern"):
        parse_recipe(recipe(layer), "it")


def test_a_name_that_is_listed_twice_is_one() -> None:
    name = {"name": "app", "tag": "1"}
    same = [name, {"name": "docker.io/library/app", "tag": "1"}, {"name": "app", "tag": "2"}, name]
    image = build_image(parse_recipe(recipe(names=same), "it"))
    assert [each.familiar for each in image.names] == ["app:1", "app:2"]


@pytest.mark.parametrize("arrange", [universal.arrange, classic.arrange])
def test_an_image_without_layers_is_one(arrange: Arrangement, tmp_path: Path) -> None:
    """Nobody makes one, but nothing forbids it."""
    listing = [{"Config": "c", "RepoTags": ["a:1"], "Layers": []}]
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}
    pieces = [Piece("manifest.json", to_json(listing)), Piece("c", to_json(config))]
    path = save(pieces, tmp_path / "it.tar")
    (tmp_path / "again.tar").write_bytes(b"".join(as_chunks(stream([read_image(path)], arrange, lambda _: None))))
    assert verify(path).problems == verify(tmp_path / "again.tar").problems == ()


def test_more_than_an_image_has(tmp_path: Path) -> None:
    listing = [{"Config": "c", "RepoTags": [f"a:{number}"], "Layers": []} for number in range(1001)]
    path = save([Piece("manifest.json", to_json(listing))], tmp_path / "images.tar")
    with pytest.raises(BadInput, match="1001 images; at most 1000 are read"):
        read_image(path)
    path = save(oci_layout([descriptor(b"{}", "manifest.v1+json")] * 1001, []), tmp_path / "manifests.tar")
    with pytest.raises(BadInput, match="1001 manifests; at most 1000 are read"):
        read_image(path)
    config = to_json({"rootfs": {"diff_ids": ["sha256:" + "0" * 64] * 501}})
    listing = [{"Config": "c", "RepoTags": [], "Layers": ["l"] * 501}]
    pieces = [Piece("manifest.json", to_json(listing)), Piece("c", config), Piece("l", bytes(1024)), folder("d")]
    path = save(pieces, tmp_path / "layers.tar")
    with pytest.raises(BadInput, match="501 layers; Linux mounts at most 500 over each other"):
        read_image(path)


def test_a_chain_of_v1_parents_longer_than_any_image_s(tmp_path: Path) -> None:
    pieces = [piece for piece in docker_save([IMAGE]) if piece.name != "repositories"]
    for number in range(520):
        parent = {"parent": f"i{number - 1}"} if number else {}
        pieces += [Piece(f"i{number}/json", to_json({"id": f"i{number}", **parent})), Piece(f"i{number}/layer.tar")]
    path = save([*pieces, Piece("repositories", to_json({"a": {"1": "i519"}}))], tmp_path / "it.tar")
    [problem] = verify(path).problems
    assert "chain" in problem


def test_an_error_is_as_long_as_one_reads(tmp_path: Path) -> None:
    listing = [{"Config": "c", "RepoTags": ["x" * 100_000 + f":{number}"], "Layers": []} for number in range(20)]
    path = save([Piece("manifest.json", to_json(listing))], tmp_path / "it.tar")
    with pytest.raises(BadInput) as caught:
        read_image(path)
    assert len(str(caught.value)) < 2000 and "[...]" in str(caught.value)


def test_every_claim_of_a_layer_is_compared(tmp_path: Path) -> None:
    """Not only the first of one blob."""
    config = json.loads(IMAGE.document)
    config["rootfs"]["diff_ids"][1] = config["rootfs"]["diff_ids"][0]
    listing = [{"Config": "c", "RepoTags": [], "Layers": [f"{each}/layer.tar" for each in IMAGE.legacy_ids]}]
    pieces = [piece for piece in docker_save([IMAGE]) if piece.name != "manifest.json"]
    pieces += [Piece("c", to_json(config)), Piece("manifest.json", to_json(listing))]
    image = read_image(save(pieces, tmp_path / "it.tar"))
    hashed(image.layers[0])
    with pytest.raises(BadInput, match="the config says diff ID"):
        hashed(image.layers[1])
