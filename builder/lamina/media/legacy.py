"""The legacy v1 side of an image archive: for each layer `<id>/VERSION` and `<id>/json`, and `repositories`.

Docker before 1.10 reads it (graph/load.go), Mesos still does (image_tar_puller.cpp, docker/spec.cpp), and so do
pushers that were written then. IDs are derived from content, because Mesos keeps layers by ID for ever
(store.cpp): an ID stands for the layer, everything below it and, for the top one, the config.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from lamina.image.image import Image
from lamina.oci.digest import chain_ids, hex_of, sha256
from lamina.oci.reference import Reference
from lamina.oci.strict_json import Json, canonical

VERSION = b"1.0"

_EPOCH = "1970-01-01T00:00:00Z"


@attrs.frozen
class LegacyLayer:
    """A layer as v1 sees it: an image of its own. `json` is the content of `<id>/json`."""

    id: str
    json: bytes


def legacy_layers(image: Image) -> list[LegacyLayer]:
    """One for each layer, bottom first; a layer that stands twice in an image has two IDs.

    The ID is the SHA-256 of the layer's v1 JSON with its chain ID added, as docker makes it (image/v1/imagev1.go,
    CreateID). The top one carries the image's config.
    """
    result: list[LegacyLayer] = []
    for position, chain_id in enumerate(chain_ids(image.diff_ids)):
        fields: Json = {"created": _EPOCH, "container_config": {}, "os": image.config.get("os") or "linux"}
        if position == len(image.layers) - 1:
            fields |= _top(image)
        if result:
            fields["parent"] = result[-1].id
        identity = hex_of(sha256(canonical({**fields, "layer_id": chain_id})))
        result.append(LegacyLayer(identity, canonical({**fields, "id": identity})))
    return result


def _top(image: Image) -> Json:
    known = ("architecture", "author", "created", "os", "variant")
    fields = {key: image.config[key] for key in known if image.config.get(key)}
    return {**fields, "config": image.config.get("config") or {}}


def repositories(tops: Iterable[tuple[Sequence[Reference], str]]) -> bytes:
    """The content of `repositories`, from each image's names and the ID of its top layer: `{name: {tag: ID}}`.

    Names are as people write them: Mesos looks up what the user wrote, first without and then with the registry.
    """
    result: dict[str, dict[str, str]] = {}
    for names, top in tops:
        for name in names:
            result.setdefault(name.familiar_name, {})[name.tag] = top
    return canonical(result)
