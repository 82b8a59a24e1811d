"""The classic archive: the form that docker save had from 1.10 to 24.

For a tool that follows Docker's image spec v1.2 to the letter and reads no links: every layer is the regular
member `<id>/layer.tar`, also when the same layer stands twice in an image.
"""

from __future__ import annotations

from lamina.image.image import Image
from lamina.media.legacy import VERSION, legacy_layers, repositories
from lamina.media.tarball import Part, directory, document, layer
from lamina.media.universal import manifest_item
from lamina.oci.digest import hex_of, sha256
from lamina.oci.strict_json import canonical


def arrange(image: Image) -> list[Part]:
    """The members, in order."""
    config = image.document()
    config_path = f"{hex_of(sha256(config))}.json"
    legacy = legacy_layers(image)
    tops = [(image.names, item.id) for item in legacy[-1:]]  # an image may have no layer
    told = manifest_item(image, config_path, [f"{item.id}/layer.tar" for item in legacy])
    parts = [
        document("manifest.json", canonical([told])),
        document("repositories", repositories(tops)),
        document(config_path, config),
    ]
    for position, item in enumerate(legacy):
        parts += [
            directory(item.id),
            document(f"{item.id}/VERSION", VERSION),
            document(f"{item.id}/json", item.json),
            layer(f"{item.id}/layer.tar", image, position),
        ]
    return parts
