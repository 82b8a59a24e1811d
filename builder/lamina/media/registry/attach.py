"""Puts a document beside an image in a registry, as a referrer: an artifact whose manifest names the image.

Skopeo pushes the artifact under its digest. Registries without the referrers API list referrers in an index under a
fallback tag, which clients keep up to date (OCI distribution spec v1.1, "Referrers Tag Schema").
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

import attrs

from lamina.data.blob import Bytes
from lamina.errors import BadInput, LaminaError
from lamina.limits import IMAGES
from lamina.media.oci_content import Document
from lamina.media.registry.repositories import Repository, ServedBlob, artifact, entry_of, referrers_index
from lamina.media.registry.skopeo import Access, Skopeo, answered_manifest, asked_manifest
from lamina.oci.digest import Digest, hex_of, parse_digest, sha256
from lamina.oci.documents import DOCKER_INDEX, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Descriptor
from lamina.oci.reference import Reference, make_reference, parse_reference
from lamina.oci.strict_json import Json, expect, parse_json

_SKOPEO = [1, 14]
"""The first version whose descriptors have `artifactType`. 1.9.3 refuses such an index, 1.18.0 copies it."""

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

    Without `has_fallback` the artifact alone is pushed: the registry makes the list.

    Raises RemoteFailure: the registry refuses; BadInput: it has no such image, or something else under that name;
    LaminaError: Skopeo is too old for the list.
    """
    if has_fallback:
        _check_skopeo()
    found = answered_manifest(asked_manifest(subject.text, access))
    if found is None:
        raise BadInput(subject.text, "the registry has no such image", "push it first: lamina push")
    described = _descriptor(found, subject)
    manifest, blobs = artifact(described, artifact_type, data, media_type, annotations)
    digest = sha256(manifest.data)
    documents = {item.descriptor.digest: item for item in (manifest, *blobs)}
    place = f"{subject.name.qualified_name}@{digest}"
    if not has_fallback:
        _copy(documents, digest, place, access, "--all")
        return Attached(described.digest, digest, False)
    fallback = make_reference(subject.name.qualified_name, f"sha256-{hex_of(described.digest)}", subject.text)
    listed = _listed(answered_manifest(asked_manifest(fallback.qualified, access)), fallback.qualified)
    if any(entry.get("digest") == digest for entry in listed):
        return Attached(described.digest, digest, True)
    _copy(documents, digest, place, access, "--all")
    index = Document(OCI_INDEX, referrers_index([*listed, entry_of(manifest)]))
    _copy({index.descriptor.digest: index}, sha256(index.data), fallback.qualified, access, "--multi-arch=index-only")
    return Attached(described.digest, digest, False)


def _check_skopeo() -> None:
    """Raises LaminaError: this Skopeo loses `artifactType` in an index, and so refuses to copy the list."""
    version = Skopeo("--version", subject="skopeo").result().decode(errors="replace").split()[-1:]
    numbers = [int(part) for part in "".join(version).split("-")[0].split(".") if part.isdecimal()]
    if numbers < _SKOPEO:
        problem = f"version {'.'.join(map(str, numbers))} cannot write lists of referrers"
        remedy = "use 1.14 or newer; if the registry makes these lists itself, turn the fallback tag off"
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


def _listed(index: bytes | None, where: str) -> list[Json]:
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


def _copy(documents: Mapping[Digest, Document], top: Digest, target: str, access: Access, *words: str) -> None:
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
