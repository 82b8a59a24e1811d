"""The artifacts beside an image in a registry: their list under the fallback tag, read and written by Skopeo.

Skopeo cannot use the referrers API, so the list is under the fallback tag everywhere (OCI distribution spec v1.1,
"Referrers Tag Schema").
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

from lamina.data.blob import Bytes
from lamina.errors import BadInput, LaminaError
from lamina.limits import IMAGES
from lamina.media.oci_content import Document
from lamina.media.registry.repositories import Repository, ServedBlob, referrers_index
from lamina.media.registry.skopeo import Access, Skopeo
from lamina.oci.digest import Digest, hex_of
from lamina.oci.documents import OCI_INDEX, Descriptor
from lamina.oci.reference import Reference
from lamina.oci.strict_json import Json, expect, parse_json

_SKOPEO = [1, 15]
"""The first version that keeps `artifactType` in an index: containers/image 5.30, internal/manifest/oci_index.go.

1.9.3 refuses such an index, 1.18.0 copies it.
"""


def keeps_artifact_types() -> bool:
    """Whether this Skopeo can copy a list whose entries have `artifactType`."""
    version = Skopeo("--version", subject="skopeo").result().decode(errors="replace").split()[-1:]
    return [int(part) for part in "".join(version).split("-")[0].split(".") if part.isdecimal()] >= _SKOPEO


def fallback_tag(name: Reference, subject: Digest) -> str:
    """The name of the list of the artifacts beside the manifest `subject`."""
    return f"{name.qualified_name}:sha256-{hex_of(subject)}"


def listed_referrers(index: bytes | None, where: str) -> list[Json]:
    """The entries of the fallback tag, as they are. Raises BadInput: it is no list of referrers."""
    if index is None:
        return []
    fields = expect(parse_json(index, where), dict, "the list of referrers", where)
    if fields.get("mediaType", OCI_INDEX) != OCI_INDEX:
        raise BadInput(where, "is no list of referrers", "remove this tag, which belongs to referrers")
    entries = expect(fields.get("manifests"), list, "manifests", where)
    if len(entries) > IMAGES:
        raise BadInput(where, f"more than {IMAGES} referrers", "remove some")
    return [Descriptor.from_json(entry, where) and entry for entry in entries]


def copy_list(entries: Sequence[Json], fallback: str, access: Access) -> None:
    """Replace the list. Raises RemoteFailure."""
    index = Document(OCI_INDEX, referrers_index(entries))
    digest = index.descriptor.digest
    copy_documents({digest: index}, digest, fallback, access, "--multi-arch=index-only")


def copy_documents(documents: Mapping[Digest, Document], top: Digest, target: str, access: Access, *words: str) -> None:
    """Let Skopeo push these documents. Raises RemoteFailure."""
    from lamina.media.registry.running import beside

    tag, repository, errors = "artifact", f"lamina-{secrets.token_hex(8)}", list[LaminaError]()
    blobs = {
        digest: ServedBlob(digest, len(item.data), Bytes(item.data), digest)
        for digest, item in documents.items()
        if digest != top
    }
    served = Repository({tag: top}, {top: documents[top]}, blobs)
    with beside({repository: served}, errors.append) as address:
        options = ["--quiet", "--preserve-digests", "--src-tls-verify=false", "--src-no-creds", *words]
        source = f"docker://{address}/{repository}:{tag}"
        Skopeo("copy", *options, *access.words("dest-"), source, f"docker://{target}", subject=target).result()
