"""Where the fuzzer starts: small inputs of every kind, made by this script and not kept in the repository."""

from __future__ import annotations

import io
import json
import re
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from lamina.recipe.nix_database import Registration, database
from tests.fuzz import command_lines
from tests.fuzz.targets import SEPARATOR, TARGETS
from tests.limits.chunked import file_line, member, text
from tests.support.archives import (
    SHAPES,
    WRAPPERS,
    Piece,
    digest,
    folder,
    layer_of,
    sample,
    tar_of,
    to_json,
)
from tests.support.rpm import rpm_database, rpm_header
from tests.support.trees import hashed_name, path_info

LAYER = layer_of({"etc/motd": b"hello"})
WHITEOUTS = tar_of(
    [
        folder("nix"),
        folder("nix/store"),
        Piece(f"nix/store/{hashed_name('one')}/f", b"x"),
        Piece("nix/store/.wh..wh..opq"),
        Piece(f"nix/store/.wh.{hashed_name('two')}"),
    ]
)
DIGEST_MAP = to_json(
    {
        "version": 1,
        "layers": [
            {
                "key": "ab" * 32,
                "diffId": "sha256:" + "1" * 64,
                "size": 5,
                "encoding": "gz-6-1",
                "digest": "sha256:" + "2" * 64,
                "storedSize": 3,
            }
        ],
    }
)
CONFIG = {"os": "linux", "architecture": "amd64", "config": {"Env": ["A=1"], "Labels": {"a": "b"}, "User": "1000:5"},
          "history": [{"created_by": "x"}]}  # fmt: skip


DOCUMENTS = {
    b"m": b'[{"Config": "c", "RepoTags": ["a:1"], "Layers": ["l"], "LayerSources": {"l": {"size": 1}}}]',
    b"i": b'{"schemaVersion": 2, "config": {"digest": "x", "size": 1}, "layers": [{"annotations": {"a": "b"}}]}',
    b"l": b'{"imageLayoutVersion": "1.0.0"}',
    b"r": b'{"a": {"1": "x"}}',
}
"""By the letter that the judge has for their kind."""


def long_names() -> bytes:
    """A tar with PAX headers, and one with GNU's, as Python writes them."""
    out = []
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
            info = tarfile.TarInfo("d" * 150 + "/ü")
            info.type, info.linkname, info.pax_headers = (
                tarfile.SYMTYPE,
                "t" * 150,
                {"comment": "c"},
            )
            archive.addfile(info)
        out.append(buffer.getvalue()[:4096] + bytes(1024))
    return out[0][:-1024] + out[1]


def docker_parts() -> bytes:
    # A part with a name has its name in its bytes, so that a digest of it is no digest of the member.
    listing = [{"Config": "c.json", "RepoTags": ["a/b:1"], "Layers": ["l/layer.tar"]}]
    config = {**CONFIG, "rootfs": {"type": "layers", "diff_ids": [digest(LAYER)]}}
    legacy = {"id": "l", "parent": "", "config": {}}
    parts = [to_json(listing), to_json({"a/b": {"1": "l"}})]
    members = {"c.json": to_json(config), "l/layer.tar": LAYER, "l/json": to_json(legacy), "l/VERSION": b"1.0"}
    return SEPARATOR.join([*parts, *(name.encode() + b"\n" + data for name, data in members.items())])


def oci_parts(*, with_an_index: bool) -> bytes:
    at = int(with_an_index)
    platform = {"platform": {"os": "linux", "architecture": "amd64"}}
    index = {"manifests": [_descriptor(1, "index.v1+json" if with_an_index else "manifest.v1+json")]}
    inner = {"manifests": [_descriptor(2, "manifest.v1+json", platform)]}
    manifest = {"config": _descriptor(at + 2, "config.v1+json"), "layers": [_descriptor(at + 3, "layer.v1.tar")]}
    config = {**CONFIG, "rootfs": {"type": "layers", "diff_ids": [f"@{at + 3}@"]}}
    layouts: list[Mapping[str, object]] = [index, *([inner] if with_an_index else []), manifest]
    versioned = [{"schemaVersion": 2, **part} for part in layouts]
    documents = [*versioned, config]
    texts = [json.dumps(part).replace('"#', "#").replace('#"', "#").encode() for part in documents]
    return SEPARATOR.join([*texts, LAYER])


def _descriptor(part: int, kind: str, more: Mapping[str, object] = MappingProxyType({})) -> dict[str, object]:
    return {
        "mediaType": f"application/vnd.oci.image.{kind}",
        "digest": f"@{part}@",
        "size": f"#{part}#",
        "annotations": {"org.opencontainers.image.ref.name": "a:1"},
        **more,
    }


def chunked_parts() -> list[bytes]:
    """A file in one frame, and one in two of them."""
    header, fields = member(b"hello")
    whole = {**fields, "digest": "@3@", "offset": "%1%", "endOffset": "%2%"}
    first = {**fields, "digest": digest(b"hello"), "offset": "%1%", "chunkSize": "#3#", "chunkDigest": "@3@"}
    place = {"offset": "%2%", "endOffset": "%3%", "chunkSize": "#4#", "chunkOffset": "#3#"}
    second = {"type": "chunk", "name": "f", **place, "chunkDigest": "@4@"}
    split = b"\n".join([b'{"type":2,"payload":"~0~"}', file_line(b"hello"), b'{"type":2,"payload":"~%d~"}'])
    tail = bytes(507 + 1024)
    return [
        SEPARATOR.join([re.sub(rb'"([%#]\d[%#])"', rb"\1", entries.encode()), split % last, header, *pieces, tail])
        for entries, last, pieces in (
            (text(whole), 2, (b"hello",)),
            (f"{text(first)},{text(second)}", 3, (b"hel", b"lo")),
        )
    ]


def recipes() -> list[bytes]:
    path = path_info("/nix/store/" + hashed_name("one"))
    stamp = {"uid": 0, "gid": 0, "mtime": 1}
    rule = {"pattern": "/etc/.*", "uid": 1, "gid": None, "mode": "0755"}
    layers = [
        {"kind": "store", "paths": [path], "why": "x", **stamp},
        {"kind": "root", "trees": [path], "keepDirlinks": True, "links": False, "rules": [rule], **stamp},
        {"kind": "tar", **path},
    ]
    fields = {"version": 1, "names": [{"name": "a/b", "tag": "1"}], "architecture": "amd64", "inherit": "docker",
              "created": "1970-01-01T00:00:01Z", "config": CONFIG["config"], "layers": layers,
              "base": {"path": "/base", "name": "x", "tag": None}}  # fmt: skip
    return [to_json(fields)]


def closures() -> list[bytes]:
    paths = ["/nix/store/" + hashed_name(name) for name in ("app-1", "lib-2", "libc-3")]
    graph = [{**path_info(path), "references": paths[at + 1 :]} for at, path in enumerate(paths)]
    pipeline = [["split_paths", [paths[1]]], ["over", "main", ["pipe", [["popularity_contest"], ["limit_layers", 2]]]]]
    fields = {"closure": graph, "paths": paths[:1], "trees": [], "maxLayers": 3, "storeStamp": {"uid": 1, "gid": 2},
              "volatile": [paths[0]], "rules": []}  # fmt: skip
    return [to_json(graph), to_json(fields), to_json({**fields, "pipeline": [*pipeline, ["flatten"]]})]


def databases() -> list[bytes]:
    one, two = (f"/nix/store/{hashed_name(name)}" for name in ("one", "two"))
    digest = "sha256:" + "0" * 64
    return [database([Registration(one, digest, 1, (two,), "key:sig", "fixed:x"), Registration(two, digest, 2, ())])]


def rpm_packages() -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        header = rpm_header(
            {1000: b"bash", 1001: b"5.1", 1002: b"2.fc40", 1003: 1, 1014: b"GPL-3.0-or-later", 1022: b"x86_64"}
        )
        return rpm_database(Path(directory) / "db", header, wal=False)


def seeds() -> dict[str, list[bytes]]:
    """For each target, inputs that it takes."""
    archives = {name: tar_of(shape([sample("x")])) for name, shape in SHAPES.items()}
    return {
        "tar_index": [LAYER, WHITEOUTS, long_names()],
        "compression": [
            b"\xff" + LAYER,
            *(bytes([at]) + WRAPPERS[kind](LAYER) for at, kind in enumerate(("gzip", "bzip2", "xz", "zstd"))),
            b"\xff" + WRAPPERS["lzma"](LAYER),
        ],
        "documents": [
            DIGEST_MAP,
            to_json(CONFIG), b'{"layers": [["a", "b"], ["c"]], "version": 1}', b"[1.5e3, null, -0]",
        ],
        "names": [b"a/b:1", b"localhost:5000/x__y/z-1.2:latest", b"docker.io/library/redis"],
        "recipe": recipes(),
        "closure": closures(),
        "archive": [
            *archives.values(),
            WRAPPERS["gzip"](archives["OCI archive"]),
            WRAPPERS["zstd"](archives["docker save 20.10"]),
        ],
        "docker_archive": [docker_parts()],
        "oci_layout": [oci_parts(with_an_index=False), oci_parts(with_an_index=True)],
        "base_layer": [LAYER, WHITEOUTS, long_names(), WRAPPERS["gzip"](WHITEOUTS)],
        "chunked_layer": chunked_parts(),
        "chunked_tar": [LAYER, WHITEOUTS, long_names()],
        "nix_database": databases(),
        "package_database": [
            b"\0Package: a\nVersion: 1\nStatus: install ok installed\nDepends: b | c (>= 1), a\nSource: s (2)\n",
            b"\1P:a\nV:1\nD:so:b !c\np:so:b=1\nL:MIT\n\nP:b\nV:2\n",
            b"\2" + rpm_packages(),
        ],
        "tar_judge": [LAYER, WHITEOUTS, long_names()],
        "command_line": command_lines.seeds(),
        "document_judge": [b"c" + to_json(CONFIG), *(kind + text for kind, text in DOCUMENTS.items())],
    }  # fmt: skip


def write_seeds(directory: Path) -> None:
    """A directory for each target."""
    for target, inputs in seeds().items():
        assert target in TARGETS
        (directory / target).mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(inputs):
            (directory / target / f"seed-{number}").write_bytes(data)
