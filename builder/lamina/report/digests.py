"""`lamina digest` for programs: the digests that an image has in a registry."""

from __future__ import annotations

from collections.abc import Mapping

from lamina.image.image import Image
from lamina.media.oci_content import OciContent
from lamina.media.universal import manifest
from lamina.oci.digest import Digest, sha256
from lamina.oci.documents import OCI_MANIFEST, Descriptor
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


def plain_digests(image: Image) -> Json:
    """The image in a universal archive, whose layers are plain. All diff IDs and sizes are known."""
    data = manifest(image)
    top = Descriptor(OCI_MANIFEST, sha256(data), len(data), platform=image.platform)
    return _described_manifest(data, top, {diff_id: diff_id for diff_id in image.diff_ids})


def _manifest(content: OciContent, top: Descriptor) -> Json:
    diff_ids = {digest: stored.diff_id for digest, stored in content.blobs.items()}
    return _described_manifest(content.documents[top.digest].data, top, diff_ids)


def _described_manifest(data: bytes, top: Descriptor, diff_ids: Mapping[Digest, Digest]) -> Json:
    document = parse_json(data, "the manifest")
    layers = [Descriptor.from_json(item, "the manifest") for item in document["layers"]]
    return {
        "manifest": _described(top),
        "platform": top.platform,
        "config": _described(Descriptor.from_json(document["config"], "the manifest")),
        "layers": [{**_described(layer), "diffId": diff_ids[layer.digest]} for layer in layers],
    }


def _described(descriptor: Descriptor) -> Json:
    return {"digest": descriptor.digest, "mediaType": descriptor.media_type, "size": descriptor.size}
