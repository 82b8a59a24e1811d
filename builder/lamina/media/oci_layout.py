"""Reading OCI layouts, as a directory or in a tar (OCI image spec v1.1, image-layout.md).

`index.json` lists manifests, or indexes of them with one for each platform; a manifest names a config and layers;
everything lies under `blobs/` by its digest.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator

import attrs

from lamina.data.blob import Blob, read_all
from lamina.data.compression import plain
from lamina.errors import BadInput
from lamina.image.document import claimed_diff_ids, make_image, parse_config
from lamina.image.image import Image
from lamina.image.layer import Layer
from lamina.limits import DOCUMENT_BYTES, IMAGES, INDEXES
from lamina.media.choice import Candidate
from lamina.media.files import Members, read_json
from lamina.oci.digest import Digest, hex_of, sha256
from lamina.oci.documents import (
    CONTAINERD_NAME,
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    REF_NAME,
    Descriptor,
)
from lamina.oci.platform import for_platform
from lamina.oci.strict_json import Json, expect, parse_json

INDEX = "index.json"
LAYOUT = "oci-layout"


@attrs.frozen(eq=False)
class Checked(Blob):
    """A blob whose size and digest a descriptor has told."""

    blob: Blob
    descriptor: Descriptor
    where: str

    @property
    def size(self) -> int:
        return self.descriptor.size

    def pieces(self) -> Iterator[bytes]:
        """Raises BadInput at the end, when the bytes were others."""
        state = hashlib.sha256()
        total = 0
        for chunk in self.blob.chunks():
            state.update(chunk)
            total += len(chunk)
            yield chunk
        if (total, "sha256:" + state.hexdigest()) != (self.descriptor.size, self.descriptor.digest):
            raise BadInput(self.where, "its bytes are not those of its digest", "the image is damaged: pull it again")


def candidates(members: Members, architecture: str) -> list[Candidate]:
    """The images of a layout; one that several entries name is one candidate. Raises BadInput."""
    where = f"{members.where}({INDEX})"
    layout = expect(read_json(members, LAYOUT), dict, LAYOUT, f"{members.where}({LAYOUT})")
    if layout.get("imageLayoutVersion") != "1.0.0":
        what = f"OCI layout of version {layout.get('imageLayoutVersion')!r:.20}"
        raise BadInput(members.where, what, "only version 1.0.0 is known")
    names: dict[Digest, list[str]] = {}
    found: dict[Digest, Descriptor] = {}
    for descriptor in _manifests(read_json(members, INDEX), where):
        found[descriptor.digest] = descriptor
        name = _name(descriptor)
        names.setdefault(descriptor.digest, []).extend([name] if name else [])
    return [
        Candidate(tuple(names[digest]), functools.partial(_image, members, top, names[digest], architecture))
        for digest, top in found.items()
    ]


def _manifests(index: object, where: str) -> list[Descriptor]:
    fields = expect(index, dict, "the index", where)
    if "layers" in fields or "config" in fields:
        raise BadInput(where, "an index that is a manifest too", "readers would differ: the image is hostile")
    items = expect(fields.get("manifests"), list, "manifests", where)
    if len(items) > IMAGES:
        raise BadInput(where, f"{len(items)} manifests", f"at most {IMAGES} are read")
    return [Descriptor.from_json(item, where) for item in items]


def _name(descriptor: Descriptor) -> str | None:
    """The whole name where one is told, else what stands for it: with some tools only the tag."""
    return descriptor.annotations.get(CONTAINERD_NAME) or descriptor.annotations.get(REF_NAME)


def read_blob(members: Members, descriptor: Descriptor, where: str) -> bytes:
    """A small blob, checked. Raises BadInput."""
    data = read_all(members.blob(_path(descriptor.digest)), DOCUMENT_BYTES, where)
    if (len(data), sha256(data)) != (descriptor.size, descriptor.digest):
        raise BadInput(where, "its bytes are not those of its digest", "the image is damaged: pull it again")
    return data


def _path(digest: Digest) -> str:
    return f"blobs/sha256/{hex_of(digest)}"


def _image(members: Members, top: Descriptor, names: list[str], architecture: str) -> Image:
    manifest = _manifest(members, top, architecture)
    config = Descriptor.from_json(manifest.get("config"), members.where)
    where = f"{members.where}({_path(config.digest)})"
    data = read_blob(members, config, where)
    document = parse_config(data, where)
    listed = expect(manifest.get("layers"), list, "layers", members.where)
    descriptors = [Descriptor.from_json(item, members.where) for item in listed]
    diff_ids = claimed_diff_ids(document, where)
    if len(descriptors) != len(diff_ids):
        what = f"{len(descriptors)} layers in the manifest, {len(diff_ids)} diff IDs in the config"
        raise BadInput(members.where, what, "the image is damaged: pull it again")
    layers = [_layer(members, *pair) for pair in zip(descriptors, diff_ids, strict=True)]
    return make_image(data, document, layers, names, where)


def _layer(members: Members, descriptor: Descriptor, diff_id: Digest) -> Layer:
    path = _path(descriptor.digest)
    where = f"{members.where}({path})"
    blob = members.blob(path)
    if blob.size not in (None, descriptor.size):
        what = f"has {blob.size} bytes, and its descriptor says {descriptor.size}"
        raise BadInput(where, what, "the image is damaged: pull it again")
    if descriptor.digest != diff_id:
        blob = Checked(blob, descriptor, where)
    return Layer.of(plain(blob, where, members.budget), where, diff_id)


def _manifest(members: Members, top: Descriptor, architecture: str) -> Json:
    """The manifest that a descriptor leads to, through indexes to the one for the platform."""
    descriptor = top
    for _ in range(INDEXES):
        where = f"{members.where}({_path(descriptor.digest)})"
        document = expect(parse_json(read_blob(members, descriptor, where), where), dict, "a manifest", where)
        if document.get("mediaType", descriptor.media_type) != descriptor.media_type:
            what = f"calls itself {document['mediaType']!r:.80}, what leads to it {descriptor.media_type!r:.80}"
            raise BadInput(where, what, "readers would differ: it is hostile")
        if descriptor.media_type in (OCI_MANIFEST, DOCKER_MANIFEST):
            if "manifests" in document:
                raise BadInput(where, "a manifest that is an index too", "readers would differ: it is hostile")
            return document
        if descriptor.media_type not in (OCI_INDEX, DOCKER_INDEX):
            raise BadInput(where, f"media type {descriptor.media_type!r:.80}", "give an image, not an artifact")
        descriptor = for_platform(_manifests(document, where), "linux", architecture, where)
    raise BadInput(members.where, "indexes within indexes without end", "the layout is hostile")
