"""The content that a registry serves: repositories with tags, documents, layers and referrers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

import attrs

from lamina.data.blob import Blob, Bytes
from lamina.errors import BadInput
from lamina.media.oci_content import Document, OciContent
from lamina.oci.digest import Digest
from lamina.oci.documents import OCI_INDEX, OCI_MANIFEST, Descriptor
from lamina.oci.reference import DEFAULT_REGISTRY, Reference
from lamina.oci.strict_json import Json, canonical, parse_json


@attrs.frozen(eq=False)
class ServedBlob:
    """A blob with its digest and size. `where` names it in errors."""

    digest: Digest
    size: int
    blob: Blob
    where: str


@attrs.frozen(eq=False, slots=False)
class Repository:
    """The images under one name of a repository, as `/v2/NAME/` shows them."""

    tags: Mapping[str, Digest]
    documents: Mapping[Digest, Document]
    layers: Mapping[Digest, ServedBlob]

    def manifest(self, reference: str) -> Document | None:
        """The manifest or the index with this tag or digest. A fallback tag has the referrers of its digest."""
        digest = self.tags.get(reference)
        if digest is None and reference.startswith("sha256-"):
            referrers = self.referrers(reference.replace("-", ":", 1))
            return Document(OCI_INDEX, referrers_index(referrers)) if referrers else None
        document = self.documents.get(digest or Digest(reference))
        return document if document and document.media_type in (OCI_MANIFEST, OCI_INDEX) else None

    def blob(self, digest: Digest) -> ServedBlob | None:
        """A layer, a config, or the data of an artifact."""
        document = self.documents.get(digest)
        if document is None or document.media_type in (OCI_MANIFEST, OCI_INDEX):
            return self.layers.get(digest)
        return ServedBlob(digest, len(document.data), Bytes(document.data), digest)

    def referrers(self, digest: str) -> list[Json]:
        """The descriptors of all manifests whose `subject` has this digest."""
        return [entry for subject, entry in self._referrers if subject == digest]

    @cached_property
    def _referrers(self) -> list[tuple[str, Json]]:
        manifests = [item for item in self.documents.values() if item.media_type in (OCI_MANIFEST, OCI_INDEX)]
        return [pair for item in manifests for pair in _subject(item)]


def _subject(document: Document) -> Iterable[tuple[str, Json]]:
    """The digest of the document's subject, if it has one, and the document's entry in the list of referrers."""
    subject = parse_json(document.data, "a manifest").get("subject")
    if isinstance(subject, dict):
        yield str(subject.get("digest")), entry_of(document)


def entry_of(document: Document) -> Json:
    """The entry of a manifest in the list of referrers (OCI distribution spec v1.1, "Listing Referrers")."""
    fields: Json = parse_json(document.data, "a manifest")
    entry = document.descriptor.to_json()
    artifact_type = fields.get("artifactType") or (fields.get("config") or {}).get("mediaType")
    if artifact_type:
        entry["artifactType"] = artifact_type
    if fields.get("annotations"):
        entry["annotations"] = fields["annotations"]
    return entry


def referrers_index(entries: Iterable[Json]) -> bytes:
    """The list of referrers: an index of their descriptors."""
    return canonical({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(entries)})


def repositories_of(contents: Iterable[OciContent]) -> dict[str, Repository]:
    """The repositories of all images, by their names without the registry.

    `docker.io/library/redis` is `library/redis`, and also `redis`. Raises BadInput: an image has no name, or two images
    have the same one.
    """
    found: dict[str, list[tuple[str, Descriptor, OciContent]]] = {}
    for content in contents:
        if not content.tags and content.documents:
            raise BadInput("serve", "an image has no name, so nobody could pull it", "give it a name, such as app:1")
        for name, descriptor in content.tags.items():
            for repository in _spellings(name):
                found.setdefault(repository, []).append((name.tag, descriptor, content))
    return {name: repository_of(entries, name) for name, entries in found.items()}


def _spellings(name: Reference) -> set[str]:
    short = {name.familiar_name} if name.registry == DEFAULT_REGISTRY else set()
    return {name.repository, *short}


def repository_of(entries: Iterable[tuple[str, Descriptor, OciContent]], name: str) -> Repository:
    """A repository with these tags. Raises BadInput: a tag has two images."""
    tags: dict[str, Digest] = {}
    documents: dict[Digest, Document] = {}
    layers: dict[Digest, ServedBlob] = {}
    for tag, descriptor, content in entries:
        if tags.setdefault(tag, descriptor.digest) != descriptor.digest:
            raise BadInput("serve", f"two images have the name {name}:{tag}", "give one of them another name")
        documents.update(content.documents)
        for digest, stored in content.blobs.items():
            layers[digest] = ServedBlob(digest, stored.descriptor.size, stored.blob, stored.layer.where)
    return Repository(tags, documents, layers)


def artifact(
    subject: Descriptor, artifact_type: str, data: bytes, media_type: str, annotations: Mapping[str, str]
) -> tuple[Document, list[Document]]:
    """The manifest of an artifact beside an image, and the two blobs that it refers to.

    OCI image spec v1.1, manifest.md, "Guidelines for Artifact Usage".
    """
    empty = Document("application/vnd.oci.empty.v1+json", b"{}")
    content = Document(media_type, data)
    manifest: Json = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": empty.descriptor.to_json(),
        "layers": [content.descriptor.to_json()],
        "subject": {"mediaType": subject.media_type, "digest": subject.digest, "size": subject.size},
    }
    if annotations:
        manifest["annotations"] = dict(annotations)
    return Document(OCI_MANIFEST, canonical(manifest)), [empty, content]
