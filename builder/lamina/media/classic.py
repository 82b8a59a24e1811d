"""The classic archive: the form that docker save had from 1.10 to 24.

For tools that implement only Docker's image spec v1.2, and do not follow links. Every layer is the regular member
`<id>/layer.tar`, even if the same layer occurs twice in an image.
"""

from __future__ import annotations

from collections.abc import Sequence

from lamina.image.image import Image, all_layers
from lamina.media.legacy import VERSION, legacy_layers, repositories
from lamina.media.tarball import ArchiveMember, directory, document, layer
from lamina.media.universal import manifest_item
from lamina.oci.digest import hex_of, sha256
from lamina.oci.strict_json import canonical


def arrange(images: Sequence[Image]) -> list[ArchiveMember]:
    """The members, in order: documents first, then the directory of each v1 layer."""
    documents = [image.document() for image in images]
    config_paths = [f"{hex_of(sha256(data))}.json" for data in documents]
    legacy = [legacy_layers(image) for image in images]
    tops = [(image.names, layers[-1].id) for image, layers in zip(images, legacy, strict=True) if layers]
    items = [
        manifest_item(image, path, [f"{item.id}/layer.tar" for item in layers])
        for image, path, layers in zip(images, config_paths, legacy, strict=True)
    ]
    members = [
        document("manifest.json", canonical(items)),
        document("repositories", repositories(tops)),
        *(document(path, data) for path, data in dict(zip(config_paths, documents, strict=True)).items()),
    ]
    v1_layers = [item for layers in legacy for item in layers]
    first = {item.id: position for position, item in reversed(list(enumerate(v1_layers)))}
    for position, (item, content) in enumerate(zip(v1_layers, all_layers(images), strict=True)):
        if first[item.id] == position:
            members += [
                directory(item.id),
                document(f"{item.id}/VERSION", VERSION),
                document(f"{item.id}/json", item.json),
                layer(f"{item.id}/layer.tar", content, position),
            ]
    return members
