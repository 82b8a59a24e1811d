"""Small image archives in every shape that tools write, made with the standard library alone.

None of the builder's code is used, so that what the builder reads was not written by itself.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs
import zstandard

CREATED = "2026-11-23T17:05:00Z"

WRAPPERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
    "zstd": zstandard.compress,
}


def hexdigest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def digest(data: bytes) -> str:
    return "sha256:" + hexdigest(data)


def to_json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


@attrs.frozen
class Piece:
    """A member of an archive: a file, or with `link` a symbolic link, or a directory."""

    name: str
    data: bytes = b""
    link: str | None = None
    directory: bool = False
    mode: int | None = None
    owner: int = 0

    def info(self) -> tarfile.TarInfo:
        info = tarfile.TarInfo(self.name)
        info.size = len(self.data)
        info.mode = self.mode or (0o755 if self.directory else 0o644)
        info.uid = info.gid = self.owner
        if self.directory:
            info.type = tarfile.DIRTYPE
        elif self.link is not None:
            info.type = tarfile.SYMTYPE
            info.linkname = self.link
        return info


def folder(name: str) -> Piece:
    return Piece(name, directory=True)


def tar_of(pieces: Iterable[Piece]) -> bytes:
    """A tar that ends with its two blocks of zeros: every cut takes something away."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for piece in pieces:
            archive.addfile(piece.info(), io.BytesIO(piece.data))
        end = archive.offset
    return buffer.getvalue()[: end + 1024]


def layer_of(files: Mapping[str, bytes]) -> bytes:
    return tar_of(Piece(name, data) for name, data in files.items())


@attrs.frozen
class Sample:
    """An image: its layers are plain tars, bottom first."""

    layers: tuple[bytes, ...]
    names: tuple[str, ...] = ("env/two:1",)
    config: dict[str, Any] = attrs.field(factory=dict)
    architecture: str = "amd64"
    extra: dict[str, Any] = attrs.field(factory=dict)

    @property
    def document(self) -> bytes:
        history = [{"created": CREATED, "created_by": f"step {n}"} for n in range(len(self.layers))]
        return to_json(
            {
                "architecture": self.architecture,
                "os": "linux",
                "created": CREATED,
                **self.extra,
                "config": self.config,
                "history": [*history, {"created": CREATED, "empty_layer": True}],
                "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in self.layers]},
            }
        )

    @property
    def legacy_ids(self) -> list[str]:
        stack = [b"".join(self.layers[: n + 1]) for n in range(len(self.layers))]
        return [hexdigest(self.document + layers) for layers in stack]


def sample(*contents: str, **changes: Any) -> Sample:
    """An image with a layer for each content."""
    layers = tuple(layer_of({f"file-{text}": text.encode()}) for text in contents or ("below", "above"))
    return attrs.evolve(Sample(layers, config={"Env": ["PATH=/bin"], "Cmd": ["/bin/sh"]}), **changes)


def manifest(images: Sequence[Sample], config: Callable[[Sample], str], layers: Callable[[Sample], list[str]]) -> Piece:
    items = [{"Config": config(image), "RepoTags": list(image.names), "Layers": layers(image)} for image in images]
    return Piece("manifest.json", to_json(items))


def repositories(images: Sequence[Sample]) -> Piece:
    found: dict[str, dict[str, str]] = {}
    for image in images:
        for name in image.names:
            repository, _, tag = name.rpartition(":")
            found.setdefault(repository, {})[tag] = image.legacy_ids[-1]
    return Piece("repositories", to_json(found))


def _json_name(image: Sample) -> str:
    return hexdigest(image.document) + ".json"


def _v1_json(image: Sample, position: int) -> bytes:
    identity = image.legacy_ids[position]
    parent = {"parent": image.legacy_ids[position - 1]} if position else {}
    return to_json({"id": identity, "created": CREATED, "config": image.config, **parent})


def _distinct(pieces: Iterable[Piece]) -> list[Piece]:
    return list({piece.name: piece for piece in pieces}.values())


def docker_save(images: Sequence[Sample]) -> list[Piece]:
    """Docker 1.10 to 24; of a repeated layer the later ones are links to the first one's file."""
    pieces: list[Piece] = []
    for image in images:
        first: dict[bytes, str] = {}
        for position, (identity, layer) in enumerate(zip(image.legacy_ids, image.layers, strict=True)):
            pieces += [
                folder(identity),
                Piece(f"{identity}/VERSION", b"1.0"),
                Piece(f"{identity}/json", _v1_json(image, position)),
            ]
            seen = first.setdefault(layer, identity)
            path = f"{identity}/layer.tar"
            pieces.append(Piece(path, layer) if seen == identity else Piece(path, link=f"../{seen}/layer.tar"))
        pieces.append(Piece(_json_name(image), image.document))
    listing = manifest(images, _json_name, lambda image: [f"{identity}/layer.tar" for identity in image.legacy_ids])
    return [*_distinct(pieces), listing, repositories(images)]


def skopeo(images: Sequence[Sample]) -> list[Piece]:
    """Skopeo, podman and buildah: `<digest>.tar` at the top, legacy links to it, no directories."""
    blobs = [Piece(f"{hexdigest(layer)}.tar", layer) for image in images for layer in image.layers]
    legacy = [
        piece
        for image in images
        for position, (identity, layer) in enumerate(zip(image.legacy_ids, image.layers, strict=True))
        for piece in (
            Piece(f"{identity}/layer.tar", link=f"../{hexdigest(layer)}.tar"),
            Piece(f"{identity}/VERSION", b"1.0"),
            Piece(f"{identity}/json", _v1_json(image, position)),
        )
    ]
    configs = [Piece(_json_name(image), image.document) for image in images]
    listing = manifest(images, _json_name, lambda image: [f"{hexdigest(layer)}.tar" for layer in image.layers])
    return [*_distinct([*blobs, *configs, *legacy]), listing, repositories(images)]


def nixpkgs_build_image(images: Sequence[Sample]) -> list[Piece]:
    """dockerTools.buildImage: `tar -c .`, so every name starts with `./`; the manifest's do not."""
    return [folder("."), *(attrs.evolve(piece, name=f"./{piece.name}") for piece in docker_save(images))]


def nixpkgs_stream_layered(images: Sequence[Sample]) -> list[Piece]:
    """dockerTools.streamLayeredImage: `<diff ID>/layer.tar`, the config and the manifest, nothing else."""
    blobs = [Piece(f"{hexdigest(layer)}/layer.tar", layer) for image in images for layer in image.layers]
    configs = [Piece(_json_name(image), image.document) for image in images]
    listing = manifest(images, _json_name, lambda image: [f"{hexdigest(layer)}/layer.tar" for layer in image.layers])
    return [*_distinct(blobs), *configs, listing]


def _blob_name(data: bytes) -> str:
    return f"blobs/sha256/{hexdigest(data)}"


def descriptor(data: bytes, media_type: str, **fields: Any) -> dict[str, Any]:
    return {"mediaType": f"application/vnd.oci.image.{media_type}", "digest": digest(data), "size": len(data), **fields}


def oci_manifest(image: Sample, pack: str = "gzip") -> bytes:
    suffix = {"plain": "", "gzip": "+gzip", "zstd": "+zstd"}[pack]
    layers = [descriptor(WRAPPERS[pack](layer), f"layer.v1.tar{suffix}") for layer in image.layers]
    return to_json({"schemaVersion": 2, "config": descriptor(image.document, "config.v1+json"), "layers": layers})


def oci_blobs(image: Sample, pack: str = "gzip") -> list[Piece]:
    blobs = [*map(WRAPPERS[pack], image.layers), image.document, oci_manifest(image, pack)]
    return [Piece(_blob_name(blob), blob) for blob in blobs]


def oci_layout(entries: Sequence[Mapping[str, Any]], blobs: Iterable[Piece]) -> list[Piece]:
    return [
        folder("blobs"),
        folder("blobs/sha256"),
        *_distinct(blobs),
        Piece("index.json", to_json({"schemaVersion": 2, "manifests": list(entries)})),
        Piece("oci-layout", b'{"imageLayoutVersion": "1.0.0"}'),
    ]


def _entries(images: Sequence[Sample], pack: str, annotations: Callable[[str], dict[str, str]]) -> list[dict[str, Any]]:
    return [
        descriptor(oci_manifest(image, pack), "manifest.v1+json", annotations=annotations(name))
        for image in images
        for name in image.names
    ]


def oci_archive(images: Sequence[Sample]) -> list[Piece]:
    """Skopeo and podman to `oci-archive:`: layers gzip'ed, the whole name in one annotation."""
    entries = _entries(images, "gzip", lambda name: {"org.opencontainers.image.ref.name": name})
    return oci_layout(entries, (blob for image in images for blob in oci_blobs(image)))


def _containerd_names(name: str) -> dict[str, str]:
    if not name.startswith("localhost:"):
        name = f"docker.io/{name}" if "/" in name else f"docker.io/library/{name}"
    return {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rpartition(":")[2]}


def docker_26_classic(images: Sequence[Sample]) -> list[Piece]:
    """Docker 25 to 28 with the classic store: plain layers under `blobs/`, a `repositories` of diff IDs."""
    layout = oci_layout(
        _entries(images, "plain", _containerd_names), (blob for image in images for blob in oci_blobs(image, "plain"))
    )
    items = [
        {
            "Config": _blob_name(image.document),
            "RepoTags": list(image.names),
            "Layers": [_blob_name(layer) for layer in image.layers],
            "LayerSources": {digest(layer): descriptor(layer, "layer.v1.tar") for layer in image.layers},
        }
        for image in images
    ]
    tops = {name.rpartition(":")[0]: {name.rpartition(":")[2]: hexdigest(image.layers[-1])}
            for image in images for name in image.names}  # fmt: skip
    return [*layout, Piece("manifest.json", to_json(items)), Piece("repositories", to_json(tops))]


def docker_26_containerd(images: Sequence[Sample]) -> list[Piece]:
    """Docker with containerd's store: `manifest.json` points at gzip'ed blobs, no `repositories`."""
    layout = oci_layout(
        _entries(images, "gzip", _containerd_names), (blob for image in images for blob in oci_blobs(image))
    )
    pack = WRAPPERS["gzip"]
    listing = manifest(
        images,
        lambda image: _blob_name(image.document),
        lambda image: [_blob_name(pack(layer)) for layer in image.layers],
    )
    return [*layout, listing]


def oci_platforms(images: Sequence[Sample]) -> list[Piece]:
    """An index with an entry for each architecture, within the layout's own, as `skopeo copy --all` writes it."""
    statement = {**descriptor(b"{}", ""), "mediaType": "application/vnd.in-toto+json"}
    signed = to_json({"schemaVersion": 2, "config": descriptor(b"{}", "config.v1+json"), "layers": [statement]})
    attestation = descriptor(signed, "manifest.v1+json", platform={"os": "unknown", "architecture": "unknown"})
    inner = [
        descriptor(
            oci_manifest(image), "manifest.v1+json", platform={"os": "linux", "architecture": image.architecture}
        )
        for image in images
    ]
    index = to_json({"schemaVersion": 2, "manifests": [attestation, *inner]})
    top = descriptor(index, "index.v1+json", annotations={"org.opencontainers.image.ref.name": images[0].names[0]})
    blobs = [blob for image in images for blob in oci_blobs(image)]
    return oci_layout([top], [*blobs, *(Piece(_blob_name(data), data) for data in (index, signed, b"{}"))])


Shape = Callable[[Sequence[Sample]], list[Piece]]

SHAPES: dict[str, Shape] = {
    "docker save 20.10": docker_save,
    "docker save 26, classic store": docker_26_classic,
    "docker save 26, containerd store": docker_26_containerd,
    "skopeo docker-archive": skopeo,
    "nixpkgs buildImage": nixpkgs_build_image,
    "nixpkgs streamLayeredImage": nixpkgs_stream_layered,
    "OCI archive": oci_archive,
}
"""The shapes that hold any number of images."""
