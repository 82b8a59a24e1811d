"""Read images from an archive or a directory, whoever wrote it.

An archive that is both a docker archive and an OCI layout is read as a docker archive.
"""

from __future__ import annotations

import os
from pathlib import Path

from lamina.errors import BadInput
from lamina.image.image import Image
from lamina.media import docker_archive, oci_layout
from lamina.media.choice import Candidate, choose, matching
from lamina.media.files import Directory, Members, open_archive
from lamina.oci.platform import host_architecture


def read_images(
    path: Path, name: str | None = None, tag: str | None = None, architecture: str | None = None
) -> list[Image]:
    """Every image in an archive or a layout that has the name and the tag, if given.

    `architecture` (default: this machine's) selects among the platforms of an index. Raises BadInput.
    """
    found = candidates(open_members(path), architecture or host_architecture())
    return [candidate.read() for candidate in matching(found, name, tag, path)]


def read_image(path: Path, name: str | None = None, tag: str | None = None, architecture: str | None = None) -> Image:
    """The only image that `read_images` would return. Raises BadInput, also if there are several."""
    found = candidates(open_members(path), architecture or host_architecture())
    return choose(found, name, tag, path)


def open_members(path: Path) -> Members:
    """The files of the image at `path`, which is an archive or a directory."""
    return Directory(path) if os.path.isdir(path) else open_archive(path)  # Path.is_dir raises where this is False


def candidates(members: Members, architecture: str) -> list[Candidate]:
    """Every image that there is. An archive that is both kinds is read as a docker archive. Raises BadInput."""
    if docker_archive.MANIFEST in members:
        return docker_archive.candidates(members)
    if has_layout(members):
        return oci_layout.candidates(members, architecture)
    raise no_image(members)


def has_layout(members: Members) -> bool:
    """Whether it is an OCI layout."""
    return oci_layout.INDEX in members and oci_layout.LAYOUT in members


def no_image(members: Members) -> BadInput:
    """The error for what is neither a docker archive nor an OCI layout."""
    remedy = "give what docker save, podman save or skopeo copy to docker-archive: or oci: write"
    return BadInput(members.where, "no manifest.json and no index.json", remedy)
