"""The JSON documents of an image: read strictly, and always written with the same bytes.

Sources: OCI image spec v1.1 (config.md, manifest.md, image-index.md, image-layout.md) and Docker's image spec
v1.2 (`manifest.json`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from lamina.errors import BadInput
from lamina.oci.digest import Digest, parse_blob_digest, sha256
from lamina.oci.strict_json import Json, canonical, expect, optional

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
CONTAINERD_NAME = "io.containerd.image.name"
"""Annotation of an index entry: the image's whole name (containerd, core/images/annotations.go)."""


REF_NAME = "org.opencontainers.image.ref.name"
"""Annotation of an index entry: the tag, or with Skopeo and podman the whole name."""


_FOREIGN = (".nondistributable.", ".foreign.")
_PLATFORM = ("os", "architecture", "variant", "os.version")

_TYPE = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
_MEDIA_TYPE = re.compile(f"{_TYPE}/{_TYPE}")


def is_media_type(text: str) -> bool:
    """Whether the text can be a media type (RFC 6838, section 4.2)."""
    return _MEDIA_TYPE.fullmatch(text) is not None


class Descriptor(NamedTuple):
    """A reference from one document to a blob: media type, digest, and size in bytes.

    `annotations` are texts by key. `platform` is set in entries of an index: `{"os": "linux", "architecture": ...}`.
    Source: OCI image spec v1.1, descriptor.md.
    """

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str] = MappingProxyType({})
    platform: Json | None = None
    is_foreign: bool = False
    """Whether the blob may be kept elsewhere: it has addresses, or a media type for layers that must not be copied."""

    def to_json(self) -> Json:
        """The descriptor as its JSON object."""
        result: Json = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.annotations:
            result["annotations"] = dict(self.annotations)
        if self.platform:
            result["platform"] = self.platform
        return result

    @classmethod
    def from_json(cls, value: object, where: object) -> Descriptor:
        """Parse a JSON object of the document `where`. Raises BadInput: a field is missing, or has another type."""
        fields = expect(value, dict, "a descriptor", where)
        size = expect(fields.get("size"), int, "a descriptor's size", where)
        if not 0 <= size < 1 << 63:
            raise BadInput(where, f"a descriptor's size is {size}", "the file is damaged")
        media_type = expect(fields.get("mediaType"), str, "a descriptor's mediaType", where)
        if not is_media_type(media_type):
            raise BadInput(where, f"a descriptor's mediaType is {media_type!r:.80}", "the file is damaged")
        annotations = optional(fields.get("annotations"), dict, "a descriptor's annotations", where)
        platform = optional(fields.get("platform"), dict, "platform", where)
        for key in _PLATFORM:
            optional(platform.get(key), str, f"platform.{key}", where)
        return cls(
            media_type=media_type,
            digest=parse_blob_digest(fields.get("digest"), where),
            size=size,
            annotations={k: optional(v, str, f"the annotation {k!r:.80}", where) for k, v in annotations.items()},
            platform=platform or None,
            is_foreign=bool(fields.get("urls")) or any(word in str(fields.get("mediaType")) for word in _FOREIGN),
        )


class Document(NamedTuple):
    """The bytes of a manifest, an index or a config."""

    media_type: str
    data: bytes

    @property
    def descriptor(self) -> Descriptor:
        """The reference to this document."""
        return Descriptor(self.media_type, sha256(self.data), len(self.data))


class Annotations(NamedTuple):
    """Texts by key, for a manifest or an index, and for the descriptor that refers to it."""

    document: Mapping[str, str] = MappingProxyType({})
    descriptor: Mapping[str, str] = MappingProxyType({})


NO_ANNOTATIONS = Annotations()


def oci_manifest(config: Descriptor, layers: list[Descriptor], annotations: Mapping[str, str] | None = None) -> bytes:
    """An OCI image manifest (manifest.md)."""
    fields: Json = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config.to_json(),
        "layers": [layer.to_json() for layer in layers],
    }
    return canonical(fields | ({"annotations": dict(annotations)} if annotations else {}))


def oci_index(manifests: list[Descriptor], annotations: Mapping[str, str] | None = None) -> bytes:
    """An OCI image index (image-index.md)."""
    entries = [manifest.to_json() for manifest in manifests]
    fields: Json = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    return canonical(fields | ({"annotations": dict(annotations)} if annotations else {}))
