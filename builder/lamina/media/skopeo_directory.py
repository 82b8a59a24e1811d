"""Skopeo's `dir:` directories: one image, or the platforms of one, in files that are named by their digests.

`manifest.json` is the manifest or the index itself, `<hex>.manifest.json` one that the index lists, `<hex>` a blob.
Other files, such as `version` and `signature-1`, are not read. (containers/image, directory/directory_transport.go)
"""

from __future__ import annotations

import attrs

from lamina.errors import BadInput
from lamina.media.docker_archive import MANIFEST
from lamina.media.files import Directory
from lamina.oci import spelling
from lamina.oci.digest import Digest, hex_of, sha256
from lamina.oci.documents import OCI_INDEX, OCI_MANIFEST, Descriptor
from lamina.oci.strict_json import expect


@attrs.frozen(eq=False)
class SkopeoDirectory(Directory):
    """A directory with one image, whose manifest or index is `manifest`."""

    manifest: Descriptor = attrs.field(kw_only=True)

    def path_of(self, digest: Digest) -> str:
        if digest == self.manifest.digest:
            return MANIFEST
        name = f"{hex_of(digest)}.manifest.json"
        return name if name in self else hex_of(digest)


def as_skopeo_directory(directory: Directory) -> SkopeoDirectory | None:
    """The directory if Skopeo wrote it as `dir:`, else None. Raises BadInput: its manifest cannot be read."""
    if MANIFEST not in directory or "index.json" in directory:
        return None
    blob = directory.blob(MANIFEST)
    if not blob.source.read(0, 512).lstrip().startswith(b"{"):  # in a docker archive it is an array
        return None
    where = f"{directory.where}({MANIFEST})"
    data, value = directory.documents.read(blob, spelling.MANIFEST, where)
    fields = expect(value, dict, "the manifest", where)
    if fields.get("schemaVersion") == 1:
        raise BadInput(where, "is of schema 1, which has no config", "push the image again with a current tool")
    kind = fields.get("mediaType") or (OCI_INDEX if "manifests" in fields else OCI_MANIFEST)
    top = Descriptor(expect(kind, str, "mediaType", where), sha256(data), len(data))
    return SkopeoDirectory(directory.top, directory.budget, directory.documents, directory._open, manifest=top)
