"""Read images from an archive or a directory of any writer.

An archive that is both a docker archive and an OCI layout is read as a docker archive.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable
from pathlib import Path

import attrs

from lamina.errors import BadInput
from lamina.image.image import Image
from lamina.media import docker_archive, oci_layout, platforms
from lamina.media.choice import Candidate
from lamina.media.files import Directory, Members, open_archive
from lamina.media.skopeo_directory import SkopeoDirectory, as_skopeo_directory


def open_members(path: Path) -> Members:
    """The files of the image at `path`, which is an archive or a directory."""
    if not os.path.isdir(path):  # Path.is_dir raises where this is False
        return open_archive(path)
    directory = Directory(path)
    return as_skopeo_directory(directory) or directory


def candidates(members: Members, architecture: str, *, exact: bool = False) -> list[Candidate]:
    """All images in the files. With `exact`, reading an image for another architecture raises BadInput.

    Raises BadInput: there is no image, or a document cannot be read.
    """
    if is_docker_archive(members):
        found = docker_archive.candidates(members)
        others: Callable[[], list[Candidate]] = functools.partial(_platforms, members, architecture)
    elif has_layout(members):
        found, others = platforms.candidates(members, architecture, exact=exact), list
    else:
        raise no_image(members)
    return [_exactly(each, others, architecture, members.where) for each in found] if exact else found


def _platforms(members: Members, architecture: str) -> list[Candidate]:
    """The images on the OCI side of a docker archive. Raises BadInput."""
    return platforms.candidates(members, architecture, exact=True) if has_layout(members) else []


def _exactly(candidate: Candidate, others: Callable[[], list[Candidate]], architecture: str, where: str) -> Candidate:
    """A candidate that reads the image for the architecture: this one, or the one of `others` with the same names.

    A docker archive shows one platform of an image; the OCI layout in the same file may have the others.
    """

    def read() -> Image:
        image = candidate.read()
        known = image.config.get("architecture")
        if known in (None, "", architecture):
            return image
        for other in others():
            with contextlib.suppress(BadInput):
                found = other.read()
                if set(found.names) == set(image.names) and found.config.get("architecture") == architecture:
                    return found
        remedy = f"it contains: {image.config.get('os')}/{known}"
        raise BadInput(where, f"contains no image for linux/{architecture}", remedy)

    return attrs.evolve(candidate, read=read)


def is_docker_archive(members: Members) -> bool:
    """Whether it has the `manifest.json` of a docker archive."""
    return docker_archive.MANIFEST in members and not isinstance(members, SkopeoDirectory)


def has_layout(members: Members) -> bool:
    """Whether it is an OCI layout, or a `dir:` of Skopeo. podman and Skopeo do not need the file `oci-layout`."""
    return isinstance(members, SkopeoDirectory) or oci_layout.INDEX in members


def no_image(members: Members) -> BadInput:
    """The error for an archive or a directory without an image in it."""
    is_empty = is_docker_archive(members) or has_layout(members)
    what = "contains no image" if is_empty else "contains no image: no manifest.json and no index.json"
    remedy = "give what docker save, podman save, or skopeo copy to docker-archive:, oci: or dir: write"
    return BadInput(members.where, what, remedy)
