"""Our own reader: the images of an archive with every layer read, and whether one can build on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs

from lamina.errors import LaminaError
from lamina.image.layer import hashed
from lamina.media import docker_archive, platforms
from lamina.media.choice import matching
from lamina.media.read import has_layout, no_image, open_members
from lamina.oci.digest import sha256
from lamina.recipe.open import open_images
from lamina.report.verify import verify
from tests.differential.outcome import Image, Outcome, Read, Refused, settings_of, short_names
from tests.differential.readers import DOCKER_SIDE, OCI_SIDE
from tests.support.recipes import base, image_of, recipe


@attrs.frozen
class Ours:
    """What we make of an archive: of each of its sides; of the one that we take, as a base; and `verify`'s problems."""

    sides: dict[str, Outcome]
    taken: str
    base: Outcome
    problems: tuple[str, ...]


def ours(path: Path) -> Ours:
    """Read an archive in every way that we have."""
    docker, oci = (_tried(lambda name=name: _side(path, name)) for name in (DOCKER_SIDE, OCI_SIDE))  # type: ignore[misc]
    missing = isinstance(docker, Refused) and f"no member '{DOCKER_SIDE}'" in docker.message
    taken = OCI_SIDE if missing else DOCKER_SIDE
    return Ours({DOCKER_SIDE: docker, OCI_SIDE: oci}, taken, _tried(lambda: _as_base(path)), verify(path).problems)


def _tried(read: Callable[[], Outcome]) -> Outcome:
    try:
        return read()
    except LaminaError as error:
        return Refused(str(error))


def _side(path: Path, name: str) -> Outcome:
    members = open_members(path)
    if name == DOCKER_SIDE:
        found = docker_archive.candidates(members)
    elif has_layout(members):
        found = platforms.candidates(members, "amd64")
    else:
        raise no_image(members)
    images = []
    for candidate in matching(found, None, None, path):
        image = candidate.read()
        layers = tuple(str(hashed(layer).diff_id) for layer in image.layers)
        settings = settings_of(image.config.get("config"))
        images.append(Image(layers, sha256(image.document()), settings, short_names(candidate.names)))
    return Read(tuple(images))


def _as_base(path: Path) -> Outcome:
    """Build on the image, if there is one alone."""
    images = open_images(path)
    if len(images) == 1:
        architecture = images[0].config.get("architecture") or "amd64"
        built = image_of(recipe(base=base(path), architecture=architecture))
        assert built.diff_ids[: len(images[0].layers)] == images[0].diff_ids
        for layer in built.layers:
            hashed(layer)
        built.document()
    return Read(())
