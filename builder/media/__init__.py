"""Media: ways to keep or to move images. One module each; adding one touches no other room.

Whoever imports one of them imports this file too, so the readers come in when something is read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from builder.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

    from builder.image import Image
    from builder.media.choice import Candidate
    from builder.media.members import Members

_GO_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "i686": "386", "armv7l": "arm", "armv6l": "arm"}


def host_architecture() -> str:
    """This machine's architecture, in Go's words, which are those of images."""
    machine = os.uname().machine
    return _GO_ARCHITECTURES.get(machine, machine)


def read_image(path: Path, name: str | None = None, tag: str | None = None, architecture: str | None = None) -> Image:
    """The image in an archive or a layout, whoever wrote it.

    `name` and `tag` choose among several; `architecture` (default: this machine's) among the platforms of an
    index. Raises BadInput.
    """
    from builder.media.choice import choose

    found = candidates(open_members(path), architecture or host_architecture())
    return choose(found, name, tag, path)


def open_members(path: Path) -> Members:
    """The files of the image at `path`, which is an archive or a directory."""
    from builder.media.members import Directory, open_archive

    return Directory(path) if os.path.isdir(path) else open_archive(path)  # Path.is_dir raises where this is False


def candidates(members: Members, architecture: str) -> list[Candidate]:
    """Every image that there is. An archive that is both is read as a docker archive."""
    return next(sides(members, architecture))


def sides(members: Members, architecture: str) -> Iterator[list[Candidate]]:
    """The images as each kind of reader would find them. Raises BadInput: none would find any."""
    from builder.media import docker_archive, oci_layout

    is_docker = docker_archive.MANIFEST in members
    is_oci = oci_layout.INDEX in members and oci_layout.LAYOUT in members
    if not is_docker and not is_oci:
        remedy = "give what docker save, podman save or skopeo copy to docker-archive: or oci: write"
        raise BadInput(members.where, "no manifest.json and no index.json", remedy)
    if is_docker:
        yield docker_archive.candidates(members)
    if is_oci:
        yield oci_layout.candidates(members, architecture)
