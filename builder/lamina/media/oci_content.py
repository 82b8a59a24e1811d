"""The content of an OCI repository with images: documents, layers as they are stored there, and names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import attrs

from lamina.data.blob import Blob, FileAt
from lamina.data.checked import Checked
from lamina.data.parallel import Counter
from lamina.errors import BadInput
from lamina.image.cache import Cache
from lamina.image.encoding import DEFAULT_ENCODING, LayerEncoding
from lamina.image.image import Image, all_layers, with_layers
from lamina.image.index import ImageIndex, all_images
from lamina.image.layer import Layer, Stored
from lamina.image.storing import Claims, all_stored, keeps_its_bytes
from lamina.limits import DOCUMENT_BYTES
from lamina.oci.digest import UNKNOWN, Digest
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
from lamina.oci.documents import Document as Document
from lamina.oci.reference import Reference


@attrs.frozen(eq=False)
class OciBlob:
    """A layer as a repository stores it.

    `blob` produces the bytes each time they are read, and does not compare them with the descriptor. `layer` has the
    diff ID, the size of the plain tar unless the layer came compressed, the key of the digest cache if Lamina makes the
    layer, and its name in errors.
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

    @property
    def checked(self) -> Blob:
        """The same bytes, compared with the descriptor unless they were written for it just now."""
        is_new = isinstance(self.blob, FileAt)
        return self.blob if is_new else Checked(self.blob, self.descriptor, self.layer.where)


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
    tops: tuple[Descriptor, ...] = ()
    """The manifest or the index of each image or index, in their order."""


def oci_content(
    items: Iterable[Image | ImageIndex],
    encoding: LayerEncoding | None = None,
    cache: Cache | None = None,
    progress: Counter = lambda _: None,
    spool: Path | None = None,
    claims: Claims = lambda _: None,
) -> OciContent:
    """The content of a repository with these images and indexes.

    Layers that came compressed keep their bytes. Others are compressed as `encoding` says; if it is None, as the
    image's recipe says, or else with gzip. Digests come from the cache, or from reading the layer once. Layers that are
    read are written compressed to the directory `spool`, if given; blobs then need it. `progress` counts the bytes that
    are read. `claims` returns the digests that another machine has computed for layers that would be read.

    Raises BadInput: a layer cannot be read, or its digest is wrong; LaminaError: this Python compresses to unusual
    bytes.
    """
    items = list(items)
    images = all_images(items)
    chosen = [encoding or image.encoding or DEFAULT_ENCODING for image in images]
    encodings = [each for image, each in zip(images, chosen, strict=True) for _ in image.layers]
    layers = all_stored(all_layers(images), encodings, cache or Cache(None), progress, spool, claims)
    builder = _Builder()
    stored = iter(zip(with_layers(images, layers), images, chosen, strict=True))
    tops = []
    for item in items:
        if isinstance(item, ImageIndex):
            tops.append(builder.add_index(item, [builder.add_image(*next(stored)) for _ in item.images]))
        else:
            tops.append(builder.add_image(*next(stored)))
    tags: dict[Reference, Descriptor] = {}
    for item, top in zip(items, tops, strict=True):
        for name in item.names:
            if tags.setdefault(name, top).digest != top.digest:
                raise BadInput(name.familiar, "two different images have this name", "give them other names or tags")
    return OciContent(_index(items, tops), builder.documents, builder.blobs, tags, tuple(tops))


@attrs.define(eq=False)
class _Builder:
    """Collects documents and layers."""

    documents: dict[Digest, Document] = attrs.field(factory=dict)
    blobs: dict[Digest, OciBlob] = attrs.field(factory=dict)

    def add_image(self, image: Image, original: Image, encoding: LayerEncoding) -> Descriptor:
        """Add an image whose layers are stored; returns its descriptor in an index."""
        descriptors = []
        for layer in image.layers:
            stored = _form(layer)
            descriptors.append(stored.descriptor)
            self.blobs[stored.descriptor.digest] = OciBlob(stored.descriptor, stored.blob, layer)
        config = self._add(Document(OCI_CONFIG, image.document()))
        is_unchanged = image.manifest and all(keeps_its_bytes(layer, encoding) for layer in original.layers)
        manifest = image.manifest if is_unchanged else None
        if manifest is None:
            manifest = Document(OCI_MANIFEST, oci_manifest(config, descriptors, image.annotations.document))
        return self._add(manifest)._replace(annotations=image.annotations.descriptor, platform=image.platform)

    def add_index(self, index: ImageIndex, children: list[Descriptor]) -> Descriptor:
        """Add the index of images that were added; returns its descriptor."""
        document = index.original
        if document is None or [child.digest for child in children] != list(index.listed):
            document = Document(OCI_INDEX, oci_index(children, index.annotations.document))
        return self._add(document)._replace(annotations=index.annotations.descriptor)

    def _add(self, document: Document) -> Descriptor:
        descriptor = document.descriptor
        if descriptor.size > DOCUMENT_BYTES:
            problem = f"{descriptor.size} bytes in one document of the image"
            raise BadInput(document.media_type, problem, f"readers accept up to {DOCUMENT_BYTES}: shorten it")
        self.documents[descriptor.digest] = document
        return descriptor


def _form(layer: Layer) -> Stored:
    assert layer.stored is not None, "layers are stored before documents are made"
    return layer.stored


def _index(items: Sequence[Image | ImageIndex], tops: Sequence[Descriptor]) -> bytes:
    """`index.json`: an entry for each name, because readers use one name of an entry; at least one for each image."""
    entries: dict[object, Descriptor] = {}
    for item, top in zip(items, tops, strict=True):
        notes: list[dict[str, str]] = [{CONTAINERD_NAME: name.qualified, REF_NAME: name.tag} for name in item.names]
        for note in notes or [{}]:
            entries[top.digest, note.get(CONTAINERD_NAME)] = top._replace(annotations={**top.annotations, **note})
    return oci_index(list(entries.values()))
