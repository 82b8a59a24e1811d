"""Verify images of any origin: their structure and every digest, and the checks of `lamina.compat`."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import attrs

from lamina.compat import failing, known_consumers
from lamina.compat.check import Finding
from lamina.compat.facts import gather
from lamina.compat.survey import Survey, survey
from lamina.data.blob import Source
from lamina.data.compression import Budget
from lamina.data.output import temporary_directory
from lamina.errors import BadInput, BadUsage, LaminaError
from lamina.image.document import complete_history
from lamina.image.image import Image
from lamina.image.layer import Layer, read_through
from lamina.limits import V1_CHAIN
from lamina.media.choice import Candidate
from lamina.media.files import Archive, Members, index_archive, read_json
from lamina.media.read import sides
from lamina.media.tarball import fill
from lamina.media.universal import arrange
from lamina.oci.digest import Digest
from lamina.oci.platform import host_architecture
from lamina.oci.strict_json import canonical, expect
from lamina.recipe.open import build_image, open_source
from lamina.recipe.recipe import Recipe
from lamina.tar.read import entries


@attrs.frozen
class Verdict:
    """The result of `verify`.

    `images` and `layers` are the numbers of distinct ones, and `size` is the bytes of all layers, uncompressed.
    `problems` are lines of text; the image is sound if there are none. `findings` are the failed checks of the
    consumers that were requested.
    """

    images: int
    layers: int
    size: int
    problems: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


def verify(
    path: str | os.PathLike[str],
    *,
    consumers: Iterable[str] = (),
    progress: Callable[[int], None] = lambda _: None,
) -> Verdict:
    """Read every image in a file, and compare everything that it claims: structure, sizes and every digest.

    `path` is an archive, a layout, or a recipe, whose archive is made in a temporary file. `consumers` are names of
    `lamina.compat.check.CONSUMERS` (`docker`, `podman`, `mesos`, ...): the archive is also checked for what each of
    them needs. `progress` is called with the number of bytes read since the last call. A problem in one place does
    not hide problems in other places, and is not an exception.

    Raises BadUsage: an unknown consumer, or consumers for a layout in a directory, which is not an archive.
    """
    path = Path(path)
    requested = known_consumers(consumers)
    if requested and os.path.isdir(path):  # Path.is_dir raises where this is False
        raise BadUsage("consumers", f"{path} is a directory; consumers read archives", "give an archive or a recipe")
    problems: list[str] = []
    with _noted(problems):
        source = open_source(path)
        if isinstance(source, Recipe):
            return _verify_recipe(source, str(path), progress, requested, problems)
        return _verify(source, progress, requested, problems)
    return Verdict(0, 0, 0, tuple(problems))


def _verify_recipe(
    recipe: Recipe, where: str, progress: Callable[[int], None], consumers: tuple[str, ...], problems: list[str]
) -> Verdict:
    """Write the archive to a temporary file without a name, which reads store paths and compares a base's digests."""
    with tempfile.TemporaryFile(buffering=0, dir=temporary_directory()) as file:
        buffered = io.BufferedWriter(file)  # it continues after a write that took only a part
        fill([build_image(recipe)], arrange, buffered, lambda _: None)
        buffered.detach()
        source = Source(file, where)
        return _verify(index_archive(source, Budget(source.size)), progress, consumers, problems)


def _verify(
    members: Members, progress: Callable[[int], None], consumers: tuple[str, ...], problems: list[str]
) -> Verdict:
    layers: dict[Digest, Layer] = {}
    images: list[Image] = []
    surveys: dict[str, Survey] = {}
    with _noted(problems):
        found = [_images(side, problems) for side in sides(members, host_architecture())]
        images = found[0]
        if any(_identities(other) != _identities(images) for other in found[1:]):
            raise BadInput(members.where, "manifest.json and index.json list different images", "create it again")
        for layer in _claimed(images):
            with _noted(problems):
                layers[layer.diff_id or Digest("")] = _checked(layer, progress, surveys if consumers else None)
        with _noted(problems):
            _check_legacy(members, {len(image.layers) for image in images})
    findings: list[Finding] = []
    if consumers and isinstance(members, Archive):
        findings = failing(gather(members, surveys), consumers)
    sizes = sum(layer.size or 0 for layer in layers.values())
    return Verdict(len(images), len(layers), sizes, tuple(problems), tuple(findings))


@contextlib.contextmanager
def _noted(problems: list[str]) -> Iterator[None]:
    try:
        yield
    except LaminaError as error:
        problems.append(str(error))


def _images(candidates: Iterable[Candidate], problems: list[str]) -> list[Image]:
    images = []
    for candidate in candidates:
        with _noted(problems):
            image = candidate.read()
            where = ", ".join(candidate.names) or "the image without a name"
            complete_history(list(image.history), len(image.layers), "", where)
            images.append(image)
    return images


def _identities(images: list[Image]) -> set[tuple[bytes, ...]]:
    return {(canonical(image.config), *(d.encode() for d in image.diff_ids)) for image in images}


def _claimed(images: list[Image]) -> list[Layer]:
    """Each stored layer once. Two of them may claim the same diff ID."""
    found = {(layer.diff_id, layer.where): layer for image in images for layer in image.layers}
    return list(found.values())


def _checked(layer: Layer, progress: Callable[[int], None], surveys: dict[str, Survey] | None) -> Layer:
    """Read the layer's tar from the first header to the end, and compare its digest; the layer with its size.

    If consumers were requested, the survey of the layer goes into `surveys`, by the layer's name in errors.
    """
    if surveys is None:
        return read_through(layer, lambda blob: entries(blob, layer.where, need_end=False), progress)
    measured, surveys[layer.where] = survey(layer, progress)
    return measured


def _check_legacy(members: Members, depths: set[int]) -> None:
    """If there are v1 files, follow the chain of parents from each name in `repositories`, as Mesos does.

    Docker 25 and later write digests of layers there, for which no directory exists. Such entries are skipped.
    """
    if "repositories" not in members:
        return
    where = f"{members.where}(repositories)"
    counted: dict[str, int] = {}
    for name, tags in expect(read_json(members, "repositories"), dict, "repositories", where).items():
        for tag, top in expect(tags, dict, f"repositories.{name}", where).items():
            identity = expect(top, str, f"the ID of {name}:{tag}", where)
            known = any(f"{identity}/{name}" in members for name in ("json", "VERSION", "layer.tar"))
            if known and _depth(members, identity, counted) not in depths:
                problem = f"the v1 chain of {name}:{tag} has another length than each image"
                raise BadInput(where, problem, "create the archive again")


def _depth(members: Members, top: str, counted: dict[str, int]) -> int:
    """The number of images from `top` to the one without a parent. `counted` has the numbers that are known so far."""
    chain: list[str] = []
    identity = top
    while identity and identity not in counted:
        where = f"{members.where}({identity}/json)"
        if identity in chain or len(chain) > V1_CHAIN:
            raise BadInput(where, "the chain of parents forms a circle", "create the archive again")
        chain.append(identity)
        fields = expect(read_json(members, f"{identity}/json"), dict, "v1 JSON", where)
        members.blob(f"{identity}/layer.tar")
        identity = expect(fields.get("parent") or "", str, "parent", where)
    for depth, each in enumerate(reversed(chain), 1 + counted.get(identity, 0)):
        counted[each] = depth
    return counted.get(top, 0)
