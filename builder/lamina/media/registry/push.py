"""Pushes images: Skopeo uploads from a private registry on the loopback, which makes the layers while they are sent.

The registry is asked for the manifest first. If it has ours under the tag, nothing else is done.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

import attrs

from lamina.data.parallel import Counter
from lamina.errors import BadUsage, LaminaError
from lamina.media.oci_content import OciContent
from lamina.media.registry.repositories import Repository, repository_of
from lamina.media.registry.skopeo import Access, Skopeo, answered_manifest, asked_manifest
from lamina.oci.digest import Digest, sha256
from lamina.oci.documents import OCI_INDEX, Descriptor
from lamina.oci.reference import Reference
from lamina.oci.strict_json import expect, items_of, parse_json

_TAG = "image"


@attrs.frozen
class Pushed:
    """The result for one name. Sizes are in bytes of layers: `held` were in the registry, `uploaded` were sent."""

    name: Reference
    digest: Digest
    is_unchanged: bool
    uploaded: int = 0
    held: int = 0


@attrs.define(eq=False)
class Destinations:
    """The names that an image is pushed to. Each registry is asked at once what it has under them."""

    names: Sequence[Reference]
    access: Access
    _questions: list[Skopeo] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            raise BadUsage("push", "the same name twice", "give each name once")
        self._questions = [asked_manifest(name.qualified, self.access) for name in self.names]

    def manifests(self) -> list[bytes | None]:
        """The manifest under each name, if there is one. Raises RemoteFailure: a registry does not answer."""
        return [answered_manifest(question) for question in self._questions]

    def end(self) -> None:
        """Stop asking."""
        for question in self._questions:
            question.end()


def planned(content: OciContent, name: Reference, manifest: bytes | None) -> Pushed:
    """What a push would do at most: layers in the manifest that is there now need no upload.

    The registry may have other layers too, in this repository or in one that it mounts them from.
    """
    top = top_of(content)
    if manifest is not None and sha256(manifest) == top.digest:
        return Pushed(name, top.digest, True, 0, _size(content))
    known = _listed(manifest, name.qualified) if manifest else set()
    held = sum(blob.descriptor.size for digest, blob in content.blobs.items() if digest in known)
    return Pushed(name, top.digest, False, _size(content) - held, held)


def push(
    content: OciContent,
    name: Reference,
    access: Access,
    count: Counter = lambda _: None,
    on_error: Callable[[LaminaError], None] | None = None,
) -> Pushed:
    """Push the content to one name, and check that the registry has it afterwards.

    Raises RemoteFailure: the registry refused, or has something else; BadInput: a layer cannot be read.
    """
    from lamina.media.registry.running import beside

    top = top_of(content)
    repository, errors = f"lamina-{secrets.token_hex(8)}", list[LaminaError]()
    sent: dict[Digest, int] = {}

    def add(digest: Digest, size: int) -> None:
        sent[digest] = sent.get(digest, 0) + size
        count(size)

    with beside({repository: _served(content, top)}, errors.append, add) as address:
        source = f"docker://{address}/{repository}:{_TAG}"
        words = ["copy", "--quiet", "--preserve-digests", "--all", "--src-tls-verify=false", "--src-no-creds"]
        copy = Skopeo(*words, *access.words("dest-"), source, f"docker://{name.qualified}", subject=name.qualified)
        try:
            copy.result()
        except LaminaError:
            if errors:
                raise errors[0] from None
            raise
    found = answered_manifest(asked_manifest(name.qualified, access))
    if found is None or sha256(found) != top.digest:
        digest = sha256(found) if found is not None else "nothing"
        problem = f"the registry has {digest} under this name after the push of {top.digest}"
        raise LaminaError(name.qualified, problem, "check whether somebody else pushes to it")
    uploaded = sum(blob.descriptor.size for digest, blob in content.blobs.items() if digest in sent)
    return Pushed(name, top.digest, False, uploaded, _size(content) - uploaded)


def top_of(content: OciContent) -> Descriptor:
    """The manifest or the index of the only image."""
    [top] = content.tops
    return content.documents[top.digest].descriptor


def _served(content: OciContent, top: Descriptor) -> Repository:
    return repository_of([(_TAG, top, content)], "push")


def _size(content: OciContent) -> int:
    return sum(blob.descriptor.size for blob in content.blobs.values())


def _listed(manifest: bytes, where: str) -> set[str]:
    """The digests of the layers in a manifest; none for an index."""
    fields = expect(parse_json(manifest, where), dict, "the manifest", where)
    if fields.get("mediaType") == OCI_INDEX:
        return set()
    return {str(layer.get("digest")) for layer in items_of(fields.get("layers")) if isinstance(layer, dict)}
