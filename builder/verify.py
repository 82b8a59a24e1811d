"""Is an image what it says it is? Structure and every digest, whoever made it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import attrs

from builder.digest import Digest
from builder.errors import BadInput, LaminaError
from builder.image import Image, complete_history
from builder.layer import Layer, hashing
from builder.limits import V1_CHAIN
from builder.media import host_architecture, open_members, sides
from builder.media.choice import Candidate
from builder.media.members import Members, read_json
from builder.spec import canonical, expect
from builder.tar_index import entries


@attrs.frozen
class Verdict:
    """What was found: `problems` is empty when the image is sound. `size` is in bytes, of the layers uncompressed."""

    images: int
    layers: int
    size: int
    problems: tuple[str, ...]


def verify(path: Path, progress: Callable[[int], None] = lambda _: None) -> Verdict:
    """Read everything and check all that is claimed; a problem in one place does not hide those in others."""
    problems: list[str] = []
    layers: dict[Digest, Layer] = {}
    images: list[Image] = []
    with _noted(problems):
        members = open_members(path)
        found = [_images(side, problems) for side in sides(members, host_architecture())]
        images = found[0]
        if any(_identities(other) != _identities(images) for other in found[1:]):
            raise BadInput(path, "manifest.json and index.json tell of different images", "make it again")
        for layer in _claimed(images):
            with _noted(problems):
                layers[layer.diff_id or Digest("")] = _checked(layer, progress)
        with _noted(problems):
            _check_legacy(members, {len(image.layers) for image in images})
    sizes = sum(layer.size or 0 for layer in layers.values())
    return Verdict(len(images), len(layers), sizes, tuple(problems))


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
    """Each place in which a layer lies, once: the same diff ID may be claimed of two."""
    found = {(layer.diff_id, layer.where): layer for image in images for layer in image.layers}
    return list(found.values())


@attrs.define(eq=False)
class _Tee:
    """A layer's bytes for whoever reads it; `rest` is what was left, so that all of it is hashed."""

    layer: Layer
    progress: Callable[[int], None]
    measured: Layer | None = None
    rest: Iterator[bytes] = attrs.field(factory=lambda: iter(()))
    size: None = None

    def chunks(self) -> Iterator[bytes]:
        self.rest = self._counted()
        return self.rest

    def _counted(self) -> Iterator[bytes]:
        for chunk in hashing(self.layer, lambda seen: setattr(self, "measured", seen)):
            self.progress(len(chunk))
            yield chunk


def _checked(layer: Layer, progress: Callable[[int], None]) -> Layer:
    """The layer with its size, its digest compared, and its tar read from the first header to the end."""
    tee = _Tee(layer, progress)
    for _ in entries(tee, layer.where, need_end=False):
        pass
    for _ in tee.rest:
        pass
    return tee.measured or layer


def _check_legacy(members: Members, depths: set[int]) -> None:
    """The v1 side, where there is one: the chain of parents from each name in `repositories`, as Mesos walks it.

    Docker 25 and later write digests of layers there that no directory belongs to; such entries say nothing.
    """
    if "repositories" not in members:
        return
    where = f"{members.where}(repositories)"
    for name, tags in expect(read_json(members, "repositories"), dict, "repositories", where).items():
        for tag, top in expect(tags, dict, f"repositories.{name}", where).items():
            identity = expect(top, str, f"the ID of {name}:{tag}", where)
            known = any(f"{identity}/{name}" in members for name in ("json", "VERSION", "layer.tar"))
            if known and _depth(members, identity) not in depths:
                raise BadInput(where, f"the v1 chain of {name}:{tag} has another length", "make it again")


def _depth(members: Members, top: str) -> int:
    chain: list[str] = []
    identity = top
    while identity:
        where = f"{members.where}({identity}/json)"
        if identity in chain or len(chain) > V1_CHAIN:
            raise BadInput(where, "the chain of parents goes round", "make the archive again")
        chain.append(identity)
        fields = expect(read_json(members, f"{identity}/json"), dict, "v1 JSON", where)
        members.blob(f"{identity}/layer.tar")
        identity = expect(fields.get("parent") or "", str, "parent", where)
    return len(chain)
