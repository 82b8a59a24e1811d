"""Compares the two sides of an archive: `manifest.json`, which Docker and podman read, and `index.json`, for others.

Both sides must have the same images under the same names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs

from lamina.errors import BadInput
from lamina.image.image import Image
from lamina.oci.digest import Digest, sha256
from lamina.oci.documents import CONTAINERD_NAME, REF_NAME, Descriptor
from lamina.oci.platform import normalized
from lamina.oci.reference import parse_reference
from lamina.oci.strict_json import canonical

_PLATFORM = ("os", "architecture", "variant", "os.version")


@attrs.frozen
class Named:
    """An image on one side of an archive. `names` are its valid names, `labels` these and other texts used as names.

    `has_bare_name`: it has no name, or only a tag in place of one, so that readers choose a name themselves. `nested`:
    an index of platforms lists it.
    """

    identity: Digest
    platform: tuple[str, ...]
    names: frozenset[str]
    labels: frozenset[str]
    has_bare_name: bool
    nested: bool = False

    @classmethod
    def of(cls, image: Image, names: Sequence[str], *, nested: bool = False) -> Named:
        whole = frozenset(name for text in names if (name := whole_name(text)))
        return cls(
            identity=sha256(canonical([image.config, image.diff_ids])),
            platform=tuple(str(image.config.get(key) or "") for key in _PLATFORM),
            names=whole,
            labels=frozenset(map(_label, names)),
            has_bare_name=len(whole) < len(names) or not names,
            nested=nested,
        )


@attrs.frozen
class Choice:
    """An image, or something else, that readers can choose in a file by one of its `labels`.

    `platform` is None if the name alone selects it.
    """

    identity: Digest
    labels: frozenset[str]
    platform: tuple[str, ...] | None = None
    is_image: bool = True

    @classmethod
    def listed(cls, descriptor: Descriptor, names: Sequence[str], image: Named | None, *, nested: bool) -> Choice:
        """An entry of an index. If an entry of an index of platforms has no platform, the image's own counts."""
        platform = normalized(descriptor.platform) if descriptor.platform else None
        if platform is None and nested and image:
            platform = normalized(dict(zip(_PLATFORM, image.platform, strict=True)))
        identity = image.identity if image else descriptor.digest
        return cls(identity, frozenset(map(_label, names)), platform, is_image=image is not None)


def whole_name(text: str) -> str | None:
    """`docker.io/library/redis:7` for any spelling of this name; None for a tag alone, or a text that is no name."""
    if "/" not in text and ":" not in text:
        return None
    try:
        return parse_reference(text, text).qualified
    except BadInput:
        return None


def two_names(annotations: Mapping[str, str]) -> str | None:
    """The problem of an index entry with different names for containerd and for podman and Skopeo; else None."""
    names = {whole_name(annotations.get(key, "")) for key in (CONTAINERD_NAME, REF_NAME)} - {None}
    return f"one image is called {' and '.join(sorted(map(str, names)))}" if len(names) > 1 else None


def _label(text: str) -> str:
    """The qualified form of a name; any other text as it is."""
    try:
        return parse_reference(text, text).qualified
    except BadInput:
        return text


def ambiguities(choices: Iterable[Choice], file: str) -> Iterator[str]:
    """Problems: a name refers to two things for one platform, so some readers take the first, and others the last.

    Things that are not images, such as the attestations of several images, may have a common name.
    """
    found: dict[str, list[Choice]] = {}
    for choice in choices:
        for name in choice.labels:
            found.setdefault(name, []).append(choice)
    for name, group in sorted(found.items()):
        by_name = any(choice.platform is None for choice in group)
        alike: dict[tuple[str, ...] | None, list[Choice]] = {}
        for choice in group:
            alike.setdefault(None if by_name else choice.platform, []).append(choice)
        if any(map(_are_two_images, alike.values())):
            yield f"{file} calls two images {name}"


def _are_two_images(choices: Sequence[Choice]) -> bool:
    return len({one.identity for one in choices}) > 1 and any(one.is_image for one in choices)


def differences(docker: Sequence[Named], oci: Sequence[Named]) -> tuple[list[str], list[str]]:
    """The problems where the sides differ, and notes about platforms of an image that only `index.json` has."""
    problems = [*_other_images(docker, oci), *_other_names(docker, oci)]
    names = _by_name(docker)
    only = {name for image in oci if image.nested for name in image.names} - names.keys()
    why = "only in index.json, which has no image for the platform of manifest.json"
    return problems, [f"{name}: {why}" for name in sorted(only)]


def _other_images(docker: Sequence[Named], oci: Sequence[Named]) -> Iterator[str]:
    known = {image.identity for image in oci}
    if any(image.identity not in known for image in docker):
        yield "manifest.json and index.json contain different images"
        return
    ours, names = {image.identity for image in docker}, _by_name(docker)
    platforms = {image.platform for image in docker}
    for image in oci:
        another_platform = image.nested or (image.names <= names.keys() and image.platform not in platforms)
        if image.identity not in ours and not another_platform:
            yield "index.json contains an image that manifest.json lacks"
            return


def _other_names(docker: Sequence[Named], oci: Sequence[Named]) -> Iterator[str]:
    by_docker, by_oci = _by_name(docker), _by_name(oci)
    for name, identities in sorted(by_docker.items()):
        if name in by_oci and not identities <= by_oci[name]:
            yield f"manifest.json and index.json call different images {name}"
        elif name not in by_oci and not _bare(oci, identities):
            yield f"manifest.json calls an image {name}, and index.json does not"
    ours = {image.identity for image in docker}
    for name, identities in sorted(by_oci.items()):
        if name not in by_docker and identities & ours and not _bare(docker, identities & ours):
            yield f"index.json calls an image {name}, and manifest.json does not"


def _bare(side: Iterable[Named], identities: set[Digest]) -> bool:
    return any(image.has_bare_name for image in side if image.identity in identities)


def _by_name(side: Iterable[Named]) -> dict[str, set[Digest]]:
    found: dict[str, set[Digest]] = {}
    for image in side:
        for name in image.names:
            found.setdefault(name, set()).add(image.identity)
    return found
