"""The digest map beside an image in its registry: an artifact whose manifest contains the map, too.

So one request for the list of referrers and one for the manifest get the map. A map is trusted as far as the repository
that it comes from: who can write to it could also replace the image.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable

import attrs

from lamina.errors import BadInput, LaminaError
from lamina.image.digest_map import DigestMap
from lamina.limits import DOCUMENT_BYTES
from lamina.media.oci_content import Document, OciContent
from lamina.media.registry.referrers import (
    copy_documents,
    copy_list,
    fallback_tag,
    keeps_artifact_types,
    listed_referrers,
)
from lamina.media.registry.repositories import artifact, entry_of
from lamina.media.registry.skopeo import Access, received_manifest, request_manifest
from lamina.oci.digest import Digest, belongs, parse_digest, sha256
from lamina.oci.documents import Descriptor
from lamina.oci.reference import Reference
from lamina.oci.strict_json import Json, canonical, expect, parse_json

MEDIA_TYPE = "application/vnd.lamina.digest-map.v1+json"
NOTE = "lamina.digest-map"
"""The annotation by which an entry of the list is recognized: Skopeo 1.9 cannot copy entries with `artifactType`."""

MIN_UNREAD = 8 << 20
"""Bytes of unread layers. For fewer bytes, compressing them takes less time than requesting the map."""

Report = Callable[[LaminaError], None]


def read_maps(name: Reference, subjects: Iterable[Digest], access: Access, report: Report) -> DigestMap | None:
    """The maps beside these manifests of one repository, as one; None if there are none.

    A map that cannot be used counts as missing; `report` gets the reason.
    """
    found = []
    for subject in dict.fromkeys(subjects):
        try:
            found.append(_read_map(name, subject, access))
        except LaminaError as error:
            report(error)
    claims = {pair: claim for each in reversed(found) if each for pair, claim in each.claims.items()}
    return DigestMap(claims) if claims else None


def _read_map(name: Reference, subject: Digest, access: Access) -> DigestMap | None:
    """Raises BadInput: the list or the map is damaged; RemoteFailure: the registry does not answer."""
    where = fallback_tag(name, subject)
    listed = listed_referrers(received_manifest(request_manifest(where, access)), where)
    entry = next((entry for entry in listed if _is_map(entry)), None)
    if entry is None:
        return None
    digest = parse_digest(entry.get("digest"), where)
    where = f"{name.qualified_name}@{digest}"
    manifest = received_manifest(request_manifest(where, access))
    if manifest is None:
        return None
    if sha256(manifest) != digest:
        raise BadInput(where, "the registry has other bytes under this digest", "the digest map is not used")
    return DigestMap.parse(_embedded(manifest, where), where)


def _is_map(entry: Json) -> bool:
    annotations = entry.get("annotations")
    return isinstance(annotations, dict) and NOTE in annotations


def _embedded(manifest: bytes, where: str) -> bytes:
    """The data of the only layer, which is in its descriptor (OCI image spec v1.1, descriptor.md, "data")."""
    fields = expect(parse_json(manifest, where), dict, "a manifest", where)
    layers = expect(fields.get("layers"), list, "layers", where)
    layer = expect(layers[0] if layers else None, dict, "a layer", where)
    try:
        data = base64.b64decode(expect(layer.get("data"), str, "data", where), validate=True)
    except (binascii.Error, ValueError):
        raise BadInput(where, "no base64 as the digest map", "the map is not used") from None
    if not belongs(parse_digest(layer.get("digest"), where), data):
        raise BadInput(where, "the digest map has another digest", "the map is not used")
    return data


@attrs.frozen(eq=False)
class MapUpload:
    """Puts the map of a content beside its manifest or index."""

    name: Reference
    subject: Descriptor
    map: DigestMap
    access: Access

    @classmethod
    def of(cls, content: OciContent, subject: Descriptor, name: Reference, access: Access) -> MapUpload | None:
        """None if the map would be empty."""
        found = DigestMap.of(blob.layer for blob in content.blobs.values())
        return cls(name, subject, found, access) if found.claims else None

    def send(self) -> list[Json] | None:
        """Push the artifact; returns the new list of referrers, None if it is right already. Raises LaminaError.

        Nothing refers to the artifact yet, so this may happen before the image is there.
        """
        fallback = fallback_tag(self.name, self.subject.digest)
        question = request_manifest(fallback, self.access)
        try:
            manifest, blobs = self._artifact()
        except BaseException:
            question.end()
            raise
        listed = listed_referrers(received_manifest(question), fallback)
        digest = manifest.descriptor.digest
        if any(entry.get("digest") == digest for entry in listed):
            return None
        documents = {item.descriptor.digest: item for item in (manifest, *blobs)}
        copy_documents(documents, digest, f"{self.name.qualified_name}@{digest}", self.access, "--all")
        entry = entry_of(manifest)
        if not keeps_artifact_types():
            entry.pop("artifactType")
        return [*(each for each in listed if not _is_map(each)), entry]

    def publish(self, entries: list[Json] | None) -> None:
        """Replace the list of referrers. Raises RemoteFailure."""
        if entries is not None:
            copy_list(entries, fallback_tag(self.name, self.subject.digest), self.access)

    def _artifact(self) -> tuple[Document, list[Document]]:
        """Raises BadInput: registries accept no manifest of this size."""
        data = self.map.document()
        manifest, blobs = artifact(self.subject, MEDIA_TYPE, data, MEDIA_TYPE, {NOTE: "1"})
        fields = parse_json(manifest.data, "the artifact")
        fields["layers"][0]["data"] = base64.b64encode(data).decode()
        document = Document(manifest.media_type, canonical(fields))
        if len(document.data) > DOCUMENT_BYTES:
            raise BadInput("the digest map", f"takes more than {DOCUMENT_BYTES} bytes", "push without it")
        return document, blobs
