"""Open images: from a recipe, an archive or an OCI layout, and the base image of a recipe.

`open_source` is the only place that decides which of these a file is.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

from lamina.errors import BadInput, BadUsage
from lamina.limits import BASES
from lamina.recipe.recipe import Base, Recipe, is_recipe, parse_recipe, read_recipe, starts_as_recipe

if TYPE_CHECKING:
    from lamina.image.base_files import BaseFiles
    from lamina.image.image import Image
    from lamina.image.index import ImageIndex
    from lamina.image.layer import Layer
    from lamina.media.choice import Candidate
    from lamina.media.files import Members

# Readers, decoders and builders are imported where they are used: making a recipe needs none of them.


def open_images(
    path: str | os.PathLike[str], *, platform: str | None = None, name: str | None = None, tag: str | None = None
) -> list[Image]:
    """Every image in a recipe, an archive or an OCI layout, in the order in which the file lists them.

    `path` is a file, a directory, or `-` for standard input. An archive is what docker save, podman save, Skopeo or
    Lamina write, compressed or not; a layout may be a directory. `name` and `tag` keep only the images with that name
    or tag; `redis` and `docker.io/library/redis` are spellings of one name. `platform` is the architecture in Go's
    words, such as `arm64` or `linux/arm64`; default: this machine's. It selects one image of a multi-platform image.

    Nothing is unpacked: a layer is read when it is used. Digests are compared when a layer is read.

    Raises BadInput: the file cannot be read, is corrupt, or contains no such image. Raises BadUsage: a platform other
    than Linux.

    Sources: Docker image spec v1.2 (`manifest.json`), OCI image spec v1.1 (image-layout.md), `docs/design/recipe.md`.
    """
    from lamina.media.choice import matching

    source = Path(path)
    return [candidate.read() for candidate in matching(_candidates(source, platform), name, tag, source)]


def open_image(
    path: str | os.PathLike[str], *, platform: str | None = None, name: str | None = None, tag: str | None = None
) -> Image:
    """The only image that `open_images` would return; `platform`, `name` and `tag` select it.

    Raises BadInput, also if there are several; the error lists their names. Raises BadUsage as `open_images` does.
    """
    from lamina.media.choice import choose

    source = Path(path)
    return choose(_candidates(source, platform), name, tag, source)


def open_all_platforms(
    path: str | os.PathLike[str], *, platform: str | None = None, name: str | None = None, tag: str | None = None
) -> list[Image | ImageIndex]:
    """As `open_images`, but without `platform`, an image for several platforms is an `ImageIndex` with all of them.

    Raises BadInput as `open_images` does, and if an index lists an image that is missing.
    """
    from lamina.media.choice import matching

    source = Path(path)
    chosen = matching(_candidates(source, platform), name, tag, source)
    return [each.read_index() if each.read_index and not platform else each.read() for each in chosen]


def open_everything(
    path: str | os.PathLike[str], *, platform: str | None = None, name: str | None = None, tag: str | None = None
) -> Image | ImageIndex:
    """The only item that `open_all_platforms` would return. Raises BadInput, also if there are several."""
    from lamina.media.choice import choose_candidate

    source = Path(path)
    chosen = choose_candidate(_candidates(source, platform), name, tag, source)
    return chosen.read_index() if chosen.read_index and not platform else chosen.read()


def open_source(path: Path) -> Recipe | Members:
    """The recipe at `path`, or the files of the archive or layout there; `-` is standard input. Raises BadInput."""
    if os.fspath(path) == "-":
        return _standard_input()
    if is_recipe(path):
        return read_recipe(path)
    from lamina.media.read import open_members

    return open_members(path)


def _standard_input() -> Recipe | Members:
    from lamina.data.blob import FileRange, read_all
    from lamina.data.standard_input import standard_input
    from lamina.limits import JSON_BYTES
    from lamina.media.files import archive_in
    from lamina.oci.strict_json import parse_json

    source = standard_input()
    if not starts_as_recipe(source.read(0, 512)):
        return archive_in(source)
    data = read_all(FileRange(source, 0, source.size), JSON_BYTES, source.name)
    return parse_recipe(parse_json(data, source.name), source.name)


def build_image(recipe: Recipe | str | os.PathLike[str]) -> Image:
    """The image that a recipe describes.

    `recipe` is the JSON file that Nix builds as the attribute `recipe` of an image, or a `Recipe` already read. The
    layers are made when they are read, so this takes milliseconds, and files of the closure may still be missing.

    Raises BadInput: the file is not a recipe of this version, or its base cannot be read.

    Source: `docs/design/recipe.md` and the JSON schema beside it.
    """
    return _build(recipe if isinstance(recipe, Recipe) else open_recipe(recipe), depth=0)


def open_recipe(path: str | os.PathLike[str]) -> Recipe:
    """The recipe at `path`; `-` is standard input. Raises BadInput: it is not a recipe; the error says what it is."""
    path = Path(path)
    remedy = "give the JSON file that the attribute `recipe` of an image builds"
    if os.path.isdir(path):
        raise BadInput(path, "is a directory, not a recipe", remedy)
    if os.fspath(path) != "-" and not is_recipe(path):
        try:
            open_source(path)
        except BadInput as error:
            problem = "is not a recipe" if os.path.isfile(path) else error.what
            raise BadInput(path, problem, remedy) from None
    source = open_source(path)
    if isinstance(source, Recipe):
        return source
    raise BadInput(source.where, "is an image archive, not a recipe", remedy)


def own_layers(recipe: Recipe) -> list[Layer | None]:
    """The layers that the recipe adds to its base, in its order; None for one whose content the base already has.

    Raises BadInput: the base cannot be read.
    """
    from lamina.recipe.build import layers_on

    base_files = open_base_files(recipe.base, recipe.architecture)[1] if recipe.base else None
    return layers_on(recipe, base_files)


def open_base(base: Base, architecture: str | None) -> Image:
    """The base image. Of a multi-platform image, the one for Linux on `architecture` (default: this machine's).

    Raises BadInput: the file cannot be read, or it contains no such image.
    """
    return _open_base(base, architecture, depth=0)


def open_base_files(base: Base, architecture: str | None, *, data: bool = False) -> tuple[Image, BaseFiles]:
    """The base image and its file system; with `data`, also the content of its files. Raises BadInput."""
    from lamina.image.base_files import BaseFiles

    image = open_base(base, architecture)
    return image, BaseFiles.of(image, base.path, data=data)


def _candidates(path: Path, platform: str | None, depth: int = 0) -> list[Candidate]:
    """Every image at `path`, by its names."""
    from lamina.media.choice import Candidate

    source = open_source(path)
    architecture = _architecture(platform)
    if isinstance(source, Recipe):
        if architecture not in (None, source.architecture):
            problem = f"contains no image for linux/{architecture}"
            raise BadInput(path, problem, f"it contains: linux/{source.architecture}")
        names = tuple(name.qualified for name in source.names)
        return [Candidate(names, functools.partial(_build, source, depth))]
    from lamina.media.read import candidates
    from lamina.oci.platform import host_architecture

    return candidates(source, architecture or host_architecture(), exact=architecture is not None)


def _architecture(platform: str | None) -> str | None:
    system, slash, architecture = (platform or "").rpartition("/")
    if slash and system != "linux":
        raise BadUsage("platform", f"{platform!r:.60} is not a platform for Linux", "write arm64 or linux/arm64")
    return architecture or None


def _open_base(base: Base, architecture: str | None, depth: int) -> Image:
    from lamina.media.choice import choose

    path = Path(base.path)
    if depth >= BASES:
        raise BadInput(path, f"more than {BASES} recipes, each the base of the next", "use an archive as the base")
    return choose(_candidates(path, architecture, depth + 1), base.name, base.tag, path)


def _build(recipe: Recipe, depth: int) -> Image:
    from lamina.recipe.build import NOTHING, image_on

    if recipe.base is None:
        return image_on(recipe, NOTHING, None)
    from lamina.image.base_files import BaseFiles

    base = _open_base(recipe.base, recipe.architecture, depth)
    return image_on(recipe, base, BaseFiles.of(base, recipe.base.path))
