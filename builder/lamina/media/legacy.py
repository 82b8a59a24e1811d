"""The legacy v1 files of an image archive: `<id>/VERSION` and `<id>/json` for each layer, and `repositories`.

Docker before 1.10 reads them (graph/load.go). So do Mesos (image_tar_puller.cpp, docker/spec.cpp) and old programs that
push images. IDs are derived from content, because Mesos keeps layers by ID and never removes them
(store.cpp): an ID depends on the layer, on all layers below it and, for the top layer, on the config.
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
    """A layer in v1, where each layer is an image. `json` is the content of `<id>/json`."""

    id: str
    json: bytes


def legacy_layers(image: Image) -> list[LegacyLayer]:
    """The v1 layers of an image, bottom first. A layer that occurs twice in an image has two IDs.

    An ID is the SHA-256 of the layer's v1 JSON with its chain ID, as in docker (image/v1/imagev1.go, CreateID). The top
    layer contains the image's config.
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
    """The content of `repositories`, `{name: {tag: ID}}`, from the names of each image and the ID of its top layer.

    Names are in the form that people type, because Mesos looks them up first without and then with the registry.
    """
    result: dict[str, dict[str, str]] = {}
    for names, top in tops:
        for name in names:
            result.setdefault(name.familiar_name, {})[name.tag] = top
    return canonical(result)
