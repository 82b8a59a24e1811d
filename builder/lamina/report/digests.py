"""`lamina digest` for programs: the digests that an image has in a registry."""

from __future__ import annotations

from lamina.media.oci_content import OciContent
from lamina.oci.documents import Descriptor
from lamina.oci.strict_json import Json, parse_json


def digests(content: OciContent) -> Json:
    """The only image or index of the content: its manifest, config and layers; of an index, those of each platform."""
    [top] = content.tops
    document = parse_json(content.documents[top.digest].data, "the manifest")
    shown = _described(top)
    if "manifests" in document:
        children = [Descriptor.from_json(item, "the index") for item in document["manifests"]]
        return {"index": shown, "manifests": [_manifest(content, child) for child in children]}
    return _manifest(content, top)


def _manifest(content: OciContent, top: Descriptor) -> Json:
    document = parse_json(content.documents[top.digest].data, "the manifest")
    layers = [Descriptor.from_json(item, "the manifest") for item in document["layers"]]
    return {
        "manifest": _described(top),
        "platform": top.platform,
        "config": _described(Descriptor.from_json(document["config"], "the manifest")),
        "layers": [{**_described(layer), "diffId": content.blobs[layer.digest].diff_id} for layer in layers],
    }


def _described(descriptor: Descriptor) -> Json:
    return {"digest": descriptor.digest, "mediaType": descriptor.media_type, "size": descriptor.size}
