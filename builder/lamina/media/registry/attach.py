"""Puts a document beside an image in a registry, as a referrer: an artifact whose manifest names the image.

Skopeo pushes the artifact under its digest. Registries without the referrers API list referrers in an index under a
fallback tag, which clients keep up to date (OCI distribution spec v1.1, "Referrers Tag Schema").
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from lamina.errors import BadInput, LaminaError
from lamina.media.registry.referrers import (
    copy_documents,
    copy_list,
    fallback_tag,
    keeps_artifact_types,
    listed_referrers,
)
from lamina.media.registry.repositories import artifact, entry_of
from lamina.media.registry.skopeo import Access, received_manifest, request_manifest
from lamina.oci.digest import Digest, parse_digest, sha256
from lamina.oci.documents import DOCKER_INDEX, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Descriptor
from lamina.oci.reference import Reference, parse_reference
from lamina.oci.strict_json import expect, parse_json

_TYPES = (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_INDEX)


@attrs.frozen
class Subject:
    """The image that a document is put beside: `HOST/NAME:TAG`, or `HOST/NAME@DIGEST`."""

    name: Reference
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Subject:
        """Raises BadInput: not `docker://HOST/NAME:TAG` or `docker://HOST/NAME@DIGEST`."""
        name, at, digest = text.removeprefix("docker://").partition("@")
        if "://" in name:
            raise BadInput(text, "is no image in a registry", "write docker://HOST/NAME:TAG")
        return cls(parse_reference(name, text), parse_digest(digest, text) if at else None)

    @property
    def text(self) -> str:
        return f"{self.name.qualified_name}@{self.digest}" if self.digest else self.name.qualified


@attrs.frozen
class Attached:
    """The digests of the image's manifest and of the artifact's."""

    subject: Digest
    artifact: Digest
    is_unchanged: bool


def attach(
    subject: Subject,
    data: bytes,
    artifact_type: str,
    media_type: str,
    annotations: Mapping[str, str],
    access: Access,
    *,
    has_fallback: bool = True,
) -> Attached:
    """Put a document beside an image. Nothing is sent if the list of referrers has it already.

    Without `has_fallback`, only the artifact is pushed: the registry itself lists it.

    Raises RemoteFailure: the registry refuses; BadInput: it has no such image, or something else under that name;
    LaminaError: Skopeo is too old for the list.
    """
    if has_fallback:
        _check_skopeo()
    found = received_manifest(request_manifest(subject.text, access))
    if found is None:
        raise BadInput(subject.text, "the registry has no such image", "push it first: lamina push")
    described = _descriptor(found, subject)
    manifest, blobs = artifact(described, artifact_type, data, media_type, annotations)
    digest = sha256(manifest.data)
    documents = {item.descriptor.digest: item for item in (manifest, *blobs)}
    place = f"{subject.name.qualified_name}@{digest}"
    if not has_fallback:
        copy_documents(documents, digest, place, access, "--all")
        return Attached(described.digest, digest, False)
    fallback = fallback_tag(subject.name, described.digest)
    listed = listed_referrers(received_manifest(request_manifest(fallback, access)), fallback)
    if any(entry.get("digest") == digest for entry in listed):
        return Attached(described.digest, digest, True)
    copy_documents(documents, digest, place, access, "--all")
    copy_list([*listed, entry_of(manifest)], fallback, access)
    return Attached(described.digest, digest, False)


def _check_skopeo() -> None:
    """Raises LaminaError: this Skopeo cannot copy the list."""
    if not keeps_artifact_types():
        problem = "this version cannot write lists of referrers"
        remedy = "use 1.15 or newer; if the registry makes these lists itself, turn the fallback tag off"
        raise LaminaError("skopeo", problem, remedy)


def _descriptor(manifest: bytes, subject: Subject) -> Descriptor:
    """The descriptor of the image. Raises BadInput: the registry has something else."""
    digest = sha256(manifest)
    if subject.digest not in (None, digest):
        raise BadInput(subject.text, f"the registry's manifest has the digest {digest}", "ask another registry")
    fields = expect(parse_json(manifest, subject.text), dict, "the manifest", subject.text)
    media_type = fields.get("mediaType", OCI_INDEX if "manifests" in fields else OCI_MANIFEST)
    if media_type not in _TYPES:
        raise BadInput(subject.text, f"a manifest of type {media_type!r:.80}", "give an image")
    return Descriptor(media_type, digest, len(manifest))
