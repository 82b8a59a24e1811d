"""Everything that an OCI repository needs of images: documents, layers as they are stored there, and names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from lamina.data.blob import Blob
from lamina.data.parallel import Counter
from lamina.image.cache import Cache
from lamina.image.encoding import LayerEncoding
from lamina.image.hashing import all_known
from lamina.image.image import Image
from lamina.image.index import ImageIndex, all_images
from lamina.image.layer import Layer
from lamina.oci.digest import UNKNOWN, Digest, sha256
from lamina.oci.documents import (
    CONTAINERD_NAME,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    REF_NAME,
    Descriptor,
    oci_index,
    oci_manifest,
)
from lamina.oci.reference import Reference


@attrs.frozen
class Document:
    """The bytes of a manifest, an index or a config."""

    media_type: str
    data: bytes

    @property
    def descriptor(self) -> Descriptor:
        """What refers to the document."""
        return Descriptor(self.media_type, sha256(self.data), len(self.data))


@attrs.frozen(eq=False)
class OciBlob:
    """A layer as a repository stores it.

    `blob` makes the bytes whenever they are read; they are not compared with the descriptor. `layer` has the diff ID,
    the size of the plain tar, the key of the digest cache if Lamina makes the layer, and its name in errors.
    """

    descriptor: Descriptor
    blob: Blob
    layer: Layer

    @property
    def diff_id(self) -> Digest:
        """The digest of the plain tar."""
        return self.layer.diff_id or UNKNOWN

    @property
    def key(self) -> str | None:
        """The layer's key in the digest cache; None for a layer of a base."""
        return self.layer.key


@attrs.frozen(eq=False)
class OciContent:
    """What a repository, a layout or an archive needs of images.

    `index` is `index.json` of a layout. `documents` has every manifest, index and config, `blobs` every layer, each by
    its digest. `tags` has the manifest or the index for each name.
    """

    index: bytes
    documents: Mapping[Digest, Document]
    blobs: Mapping[Digest, OciBlob]
    tags: Mapping[Reference, Descriptor]


def oci_content(
    items: Iterable[Image | ImageIndex],
    encoding: LayerEncoding,
    cache: Cache | None = None,
    progress: Counter = lambda _: None,
) -> OciContent:
    """The content of a repository with these images and indexes, whose layers are compressed as `encoding` says.

    Digests of layers come from the cache, or from reading the layer once. `progress` counts the bytes that are read.

    Raises BadInput: a layer cannot be read, or its digest is wrong.
    """
    items = list(items)
    known = iter(all_known(all_images(items), cache, progress))
    documents: dict[Digest, Document] = {}
    blobs: dict[Digest, OciBlob] = {}
    tags: dict[Reference, Descriptor] = {}
    entries: list[Descriptor] = []

    def add(document: Document) -> Descriptor:
        documents[sha256(document.data)] = document
        return document.descriptor

    def add_image(image: Image) -> Descriptor:
        layers = [_stored(layer, encoding) for layer in image.layers]
        blobs.update((stored.descriptor.digest, stored) for stored in layers)
        config = add(Document(OCI_CONFIG, image.document()))
        manifest = oci_manifest(config, [stored.descriptor for stored in layers])
        return add(Document(OCI_MANIFEST, manifest))._replace(platform=image.platform)

    for item in items:
        if isinstance(item, ImageIndex):
            children = [add_image(next(known)) for _ in item.images]
            top = add(Document(OCI_INDEX, oci_index(children)))
        else:
            top = add_image(next(known))
        tags.update(dict.fromkeys(item.names, top))
        entries += _entries(top, item.names)
    return OciContent(oci_index(entries), documents, blobs, tags)


def _stored(layer: Layer, encoding: LayerEncoding) -> OciBlob:
    descriptor = Descriptor(encoding.media_type, layer.diff_id or UNKNOWN, layer.size or 0)
    return OciBlob(descriptor, layer.blob, layer)


def _entries(top: Descriptor, names: Sequence[Reference]) -> list[Descriptor]:
    """The entries of `index.json`: one for each name, because readers use one name of an entry; at least one."""
    notes: list[dict[str, str]] = [{CONTAINERD_NAME: name.qualified, REF_NAME: name.tag} for name in names]
    return [top._replace(annotations=note) for note in notes or [{}]]
