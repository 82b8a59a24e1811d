"""Pushes images: Skopeo uploads from a private registry on the loopback, which makes the layers while they are sent.

The manifest under the tag is requested first. If it is the one that would be pushed, nothing else is done.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor

import attrs

from lamina.data.parallel import Counter
from lamina.errors import BadUsage, LaminaError
from lamina.image.digest_map import Claimed, DigestMap, wrong_map
from lamina.media.oci_content import OciContent
from lamina.media.registry.production import WrongBytes
from lamina.media.registry.repositories import Repository, repository_of
from lamina.media.registry.shared_map import MIN_UNREAD, MapUpload, Report, read_maps
from lamina.media.registry.skopeo import Access, Skopeo, received_manifest, request_manifest
from lamina.oci.digest import Digest, sha256
from lamina.oci.documents import OCI_INDEX, Descriptor
from lamina.oci.reference import Reference
from lamina.oci.strict_json import expect, items_of, parse_json

_TAG = "image"


@attrs.frozen
class Pushed:
    """The result for one name. Sizes are in bytes of layers.

    `held` were in the registry, `uploaded` were sent. `mounted` is the part of `held` that only another repository had
    among those that are pushed to, so that the registry mounts it from there.
    """

    name: Reference
    digest: Digest
    is_unchanged: bool
    uploaded: int = 0
    held: int = 0
    mounted: int = 0


@attrs.define(eq=False)
class Destinations:
    """The names to which an image is pushed. The manifests under them are requested at once."""

    names: Sequence[Reference]
    access: Access
    _questions: list[Skopeo] = attrs.field(init=False)
    _manifests: list[bytes | None] | None = attrs.field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            raise BadUsage("push", "the same name twice", "give each name once")
        self._questions = [request_manifest(name.qualified, self.access) for name in self.names]

    def manifests(self) -> list[bytes | None]:
        """The manifest under each name, if there is one. Raises RemoteFailure: a registry does not answer."""
        if self._manifests is None:
            self._manifests = [received_manifest(question) for question in self._questions]
        return self._manifests

    def digest_map(self, unread: int, report: Report) -> DigestMap | None:
        """The digest maps of the images under these names; None if too few bytes (`unread`) would be read without them.

        None for several repositories, because a map of one would determine what the others get. `report` gets the error
        of a map. Raises RemoteFailure: a registry does not answer.
        """
        if unread < MIN_UNREAD or len({name.qualified_name for name in self.names}) != 1:
            return None
        subjects = [sha256(manifest) for manifest in self.manifests() if manifest is not None]
        return read_maps(self.names[0], subjects, self.access, report)

    def end(self) -> None:
        """Stop the requests."""
        for question in self._questions:
            question.end()


def planned(content: OciContent, names: Sequence[Reference], manifests: Sequence[bytes | None]) -> list[Pushed]:
    """The most that pushes to these names, one after the other, would upload. `manifests` are under the names now.

    A layer needs no upload if the present manifest lists it, or if an earlier one of these pushes uploads it. The
    registry may have more layers, in these repositories or in others from which it mounts them.
    """
    top = top_of(content)
    present: dict[str, dict[str, set[str]]] = {}  # layers by registry and repository
    for name, manifest in zip(names, manifests, strict=True):
        listed = _listed(manifest, name.qualified) if manifest else set()
        present.setdefault(name.registry, {}).setdefault(name.repository, set()).update(listed)
    plans = []
    for name, manifest in zip(names, manifests, strict=True):
        repositories = present[name.registry]
        if manifest is not None and sha256(manifest) == top.digest:
            plans.append(Pushed(name, top.digest, True, 0, _size(content)))
        else:
            here, anywhere = repositories[name.repository], set().union(*repositories.values())
            held, mounted = _size(content, here), _size(content, anywhere - here)
            uploaded = _size(content) - held - mounted
            plans.append(Pushed(name, top.digest, False, uploaded, held + mounted, mounted))
        repositories[name.repository].update(content.blobs)
    return plans


def push(
    content: OciContent,
    name: Reference,
    access: Access,
    count: Counter = lambda _: None,
    on_error: Report | None = None,
    *,
    has_map: bool = False,
) -> Pushed:
    """Push the content to one name, and check that the registry has it afterwards.

    With `has_map`, a digest map is put beside it meanwhile; `on_error` gets the reason if that fails.

    Raises RemoteFailure: the registry refused, or has something else; BadInput: a layer cannot be read; WrongMap: a
    digest map has the wrong digest for a layer.
    """
    top = top_of(content)
    upload = MapUpload.of(content, top, name, access) if has_map else None
    with ThreadPoolExecutor(1) as beside_it:
        sending = beside_it.submit(upload.send) if upload else None
        uploaded = _upload(content, top, name, access, count)
        publishing = beside_it.submit(lambda: upload.publish(sending.result())) if upload and sending else None
        _check(name, top.digest, access)
        try:
            if publishing:
                publishing.result()
        except LaminaError as error:
            if on_error:
                on_error(error)
    return Pushed(name, top.digest, False, uploaded, _size(content) - uploaded)


def add_map(content: OciContent, name: Reference, access: Access, on_error: Report) -> None:
    """Put a digest map beside an image that is there; `on_error` gets the reason if that fails."""
    upload = MapUpload.of(content, top_of(content), name, access)
    try:
        if upload:
            upload.publish(upload.send())
    except LaminaError as error:
        on_error(error)


def _upload(content: OciContent, top: Descriptor, name: Reference, access: Access, count: Counter) -> int:
    """Let Skopeo push the content; returns the bytes of the layers that it sent. Raises what `push` raises."""
    from lamina.media.registry.running import beside

    repository, errors = f"lamina-{secrets.token_hex(8)}", list[LaminaError]()
    sent: set[Digest] = set()

    def add(digest: Digest, size: int) -> None:
        sent.add(digest)
        count(size)

    with beside({repository: _served(content, top)}, errors.append, add) as address:
        source = f"docker://{address}/{repository}:{_TAG}"
        words = ["copy", "--quiet", "--preserve-digests", "--all", "--src-tls-verify=false", "--src-no-creds"]
        copy = Skopeo(*words, *access.words("dest-"), source, f"docker://{name.qualified}", subject=name.qualified)
        try:
            copy.result()
        except LaminaError:
            if errors:
                raise _cause(errors[0], content) from None
            raise
    return _size(content, sent)


def _cause(error: LaminaError, content: OciContent) -> LaminaError:
    """The error for a layer that could not be sent. If a map has the wrong size, too few bytes were compared."""
    for digest, stored in content.blobs.items():
        if isinstance(error, WrongBytes) and error.digest == digest and isinstance(stored.blob, Claimed):
            return wrong_map(stored.layer.where, digest)
    return error


def _check(name: Reference, digest: Digest, access: Access) -> None:
    """Raises LaminaError: the registry has something else under the name."""
    found = received_manifest(request_manifest(name.qualified, access))
    if found is None or sha256(found) != digest:
        there = sha256(found) if found is not None else "nothing"
        problem = f"the registry has {there} under this name after the push of {digest}"
        raise LaminaError(name.qualified, problem, "check whether somebody else pushes to it")


def top_of(content: OciContent) -> Descriptor:
    """The manifest or the index of the only image."""
    [top] = content.tops
    return content.documents[top.digest].descriptor


def _served(content: OciContent, top: Descriptor) -> Repository:
    return repository_of([(_TAG, top, content)], "push")


def _size(content: OciContent, digests: Collection[str] | None = None) -> int:
    """Bytes of the layers with these digests; None: of all."""
    sizes = {digest: blob.descriptor.size for digest, blob in content.blobs.items()}
    return sum(size for digest, size in sizes.items() if digests is None or digest in digests)


def _listed(manifest: bytes, where: str) -> set[str]:
    """The digests of the layers in a manifest; none for an index."""
    fields = expect(parse_json(manifest, where), dict, "the manifest", where)
    if fields.get("mediaType") == OCI_INDEX:
        return set()
    return {str(layer.get("digest")) for layer in items_of(fields.get("layers")) if isinstance(layer, dict)}
