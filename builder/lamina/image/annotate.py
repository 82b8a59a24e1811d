"""Annotations of images: parsed, checked, and added to what an image has."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from lamina.errors import BadInput
from lamina.image.image import Image
from lamina.image.index import ImageIndex
from lamina.oci.documents import CONTAINERD_NAME, REF_NAME, Annotations

DESCRIPTOR = "descriptor:"
"""The prefix of the key of an annotation that is for the descriptor in the index, and not for the document."""

_OWN = (REF_NAME, CONTAINERD_NAME)


def parse_annotations(values: Mapping[str, str], where: object) -> Annotations:
    """The annotations in a map whose keys may begin with `descriptor:`. Raises BadInput: a key that cannot be used."""
    document: dict[str, str] = {}
    descriptor: dict[str, str] = {}
    for key, value in values.items():
        bare = key.removeprefix(DESCRIPTOR)
        if not bare or any(character.isspace() for character in bare) or not bare.isprintable():
            raise BadInput(where, f"the annotation {key!r:.80}", "write a key such as org.opencontainers.image.source")
        if bare in _OWN:
            raise BadInput(where, f"the annotation {bare}, which has the image's name", "give the image that name")
        (descriptor if key.startswith(DESCRIPTOR) else document)[bare] = value
    return Annotations(document, descriptor)


def annotated(item: Image | ImageIndex, values: Mapping[str, str], where: object) -> Image | ImageIndex:
    """The image or index with further annotations. Raises BadInput: a key that cannot be used."""
    if not values:
        return item
    added = parse_annotations(values, where)
    before = item.annotations
    annotations = Annotations({**before.document, **added.document}, {**before.descriptor, **added.descriptor})
    if isinstance(item, Image):
        return attrs.evolve(item, annotations=annotations, manifest=None)
    return attrs.evolve(item, annotations=annotations, original=None)
