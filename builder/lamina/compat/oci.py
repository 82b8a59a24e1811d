"""The OCI layout: `oci-layout`, `index.json` and the blobs (OCI image spec, image-layout.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lamina.compat.check import ALL, Check, Fault
from lamina.compat.facts import Facts, items, mapping, path_of
from lamina.oci.documents import DOCKER_INDEX, DOCKER_MANIFEST, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from lamina.oci.strict_json import Json
from lamina.tar.write import FILE

_BLOB = re.compile(r"blobs/sha256/([0-9a-f]{64})")
_MANIFESTS = (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_INDEX)
_INDEXES = (OCI_INDEX, DOCKER_INDEX)
_PACKED = {None: ("tar",), "gzip": ("tar+gzip", "tar.gzip"), "zstd": ("tar+zstd",)}
"""The ends of a layer's media type, by the compression of its bytes (layer.md; Docker's own for schema 2)."""


def has_layout(facts: Facts) -> Iterator[Fault]:
    """The archive must contain `oci-layout` and `index.json`."""
    for name in ("oci-layout", "index.json"):
        if not facts.is_file(name):
            yield name, "is missing"
            return
    if facts.index is None:
        yield "index.json", "is not the index of an OCI layout"


def version(facts: Facts) -> Iterator[Fault]:
    """The layout must have version 1.0.0."""
    if facts.layout is not None and facts.layout.get("imageLayoutVersion") != "1.0.0":
        yield "oci-layout", f"version {facts.layout.get('imageLayoutVersion')!r:.20}, not 1.0.0"


def regular(facts: Facts) -> Iterator[Fault]:
    """Blobs must be regular files that are not empty."""
    for name, head in facts.by_name.items():
        if _BLOB.fullmatch(name) and (head.entry.kind != FILE or not head.entry.size):
            yield name, "is empty" if head.entry.kind == FILE else "is not a regular file"


def digests(facts: Facts) -> Iterator[Fault]:
    """Blobs that the index refers to must have the digest that their name contains."""
    used = [path_of(entry.get("digest")) for entry in facts.entries]
    used += [path for manifest in facts.manifests for path in (manifest.config_path, *manifest.layers)]
    for path in dict.fromkeys(used):
        if facts.is_file(path) and path != path_of(digest := facts.digest(path)):
            yield path, f"has the digest {digest}"


def complete(facts: Facts) -> Iterator[Fault]:
    """Every blob that the index refers to must be in the archive.

    Stereoscope looks for them after it has unpacked all members except links.
    """
    for digest in facts.missing:
        yield "index.json", f"refers to {digest}, which is missing"
    for manifest in facts.manifests:
        for path in (manifest.config_path, *manifest.layers):
            if path not in facts.by_name:
                yield "index.json", f"refers to {path or 'an invalid digest'}, which is missing"


def descriptors(facts: Facts) -> Iterator[Fault]:
    """Descriptors must have the size of their blob, and a media type that matches its bytes."""
    for entry in facts.entries:
        yield from _descriptor(facts, entry, "index.json")
        if entry.get("mediaType") not in _MANIFESTS:
            yield "index.json", f"an entry of media type {entry.get('mediaType')!r:.80}"
    for manifest in facts.manifests:
        where = f"the manifest of {manifest.config_path}"
        yield from _descriptor(facts, mapping(manifest.fields.get("config")), where)
        for path, layer in zip(manifest.layers, items(manifest.fields.get("layers")), strict=False):
            yield from _descriptor(facts, mapping(layer), where)
            survey, kind = facts.surveys.get(path), str(mapping(layer).get("mediaType"))
            if survey and not kind.endswith(_PACKED.get(survey.compression, ())):
                yield path, f"contains {survey.compression or 'uncompressed'} data, but has the media type {kind:.80}"


def _descriptor(facts: Facts, fields: Json, where: str) -> Iterator[Fault]:
    """Compare a descriptor's size with that of the blob."""
    path = path_of(fields.get("digest"))
    if facts.is_file(path) and facts.by_name[path].entry.size != fields.get("size"):
        size = facts.by_name[path].entry.size
        yield where, f"states {fields.get('size')!r:.20} bytes for {path}, which has {size}"


def config_types(facts: Facts) -> Iterator[Fault]:
    """The config must have the media type of OCI."""
    for manifest in facts.manifests:
        kind = mapping(manifest.fields.get("config")).get("mediaType")
        if kind != OCI_CONFIG:
            yield f"the manifest of {manifest.config_path}", f"a config of media type {kind!r:.80}"


def document_types(facts: Facts) -> Iterator[Fault]:
    """A document must have the media type that its descriptor states, or none."""
    for entry in facts.entries:
        path = path_of(entry.get("digest"))
        itself, stated = mapping(facts.json(path)).get("mediaType"), entry.get("mediaType")
        if itself is not None and (itself in _INDEXES) != (stated in _INDEXES):
            yield path, f"has the media type {itself!r:.80}, but {stated!r:.80} in index.json"


def one_image(facts: Facts) -> Iterator[Fault]:
    """`manifest.json` must list only images that the index refers to."""
    if facts.docker is None or not facts.manifests:
        return
    by_docker = {_digest(facts, image.config_path) for image in facts.docker}
    by_oci = {_digest(facts, manifest.config_path) for manifest in facts.manifests}
    if not by_docker <= by_oci:
        yield "index.json", "refers to another image than manifest.json"


def _digest(facts: Facts, path: str) -> str:
    return str(facts.digest(path) or path)


_CONTAINERD = ("containerd", "docker-containerd", "kind")

CHECKS = (
    Check(
        "oci-side",
        "There is an OCI layout.",
        ("umoci", "oras", "buildkit"),
        "OCI image spec image-layout.md; Apptainer and oras-go want regular files",
        has_layout,
    ),
    Check(
        "oci-version",
        "The OCI layout has version 1.0.0.",
        (*_CONTAINERD, "umoci", "oras", "buildkit"),
        "containerd core/images/archive/importer.go onUntarJSON (unsupported OCI version)",
        version,
    ),
    Check(
        "blobs-regular",
        "`blobs/sha256` contains only regular files, and none is empty.",
        ("crane", "trivy", "oras", "syft", "apptainer", "dive"),
        "go-containerregistry pkg/v1/layout/blob.go openBlob; oras-go tarfs getEntry; stereoscope tarutil.go",
        regular,
    ),
    Check(
        "blobs-digests",
        "The blobs that the index refers to have the digests in their names.",
        (*_CONTAINERD, "umoci", "oras", "buildkit", "apptainer", "podman", "skopeo"),
        "OCI image spec image-layout.md, blobs",
        digests,
    ),
    Check(
        "oci-complete",
        "Everything that `index.json` refers to exists.",
        ("syft", "umoci", "oras", "buildkit", "apptainer", "skopeo", "podman", "containerd", "docker-containerd"),
        "stereoscope pkg/image/oci/directory_provider.go; containerd client/import.go",
        complete,
    ),
    Check(
        "oci-descriptors",
        "Sizes and media types in index and manifests are those of the blobs.",
        ("umoci", "oras", "buildkit", "apptainer"),
        "OCI image spec descriptor.md",
        descriptors,
    ),
    Check(
        "oci-config-type",
        "Manifests give the config OCI's media type.",
        ("umoci",),
        "umoci oci/layer/unpack.go UnpackRootfs (config blob is not correct mediatype)",
        config_types,
    ),
    Check(
        "oci-document-types",
        "A document has the type that the index gives it: manifest or index.",
        _CONTAINERD,
        "containerd images/image.go validateMediaType (expected manifest but found index); CVE-2021-41190",
        document_types,
    ),
    Check(
        "oci-same-image",
        "`index.json` and `manifest.json` refer to the same image.",
        ALL,
        "readers differ in which of both they read: docs/design/archive.md",
        one_image,
    ),
)
