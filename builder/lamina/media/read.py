"""Read images from an archive or a directory, whoever wrote it.

An archive that is both a docker archive and an OCI layout is read as a docker archive.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
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
    """Every image that there is. An archive that is both is read as a docker archive."""
    return next(sides(members, architecture))


def sides(members: Members, architecture: str) -> Iterator[list[Candidate]]:
    """The images as each kind of reader would find them. Raises BadInput: none would find any."""
    is_docker = docker_archive.MANIFEST in members
    is_oci = oci_layout.INDEX in members and oci_layout.LAYOUT in members
    if not is_docker and not is_oci:
        remedy = "give what docker save, podman save or skopeo copy to docker-archive: or oci: write"
        raise BadInput(members.where, "no manifest.json and no index.json", remedy)
    if is_docker:
        yield docker_archive.candidates(members)
    if is_oci:
        yield oci_layout.candidates(members, architecture)
