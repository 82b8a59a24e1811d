"""Odd images: an archive as some tool writes it, with one to three changes that each make it unusual."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from random import Random
from typing import Any

import attrs

from tests.differential import documents, layers, members
from tests.differential.packing import Packing
from tests.support.archives import (
    SHAPES,
    Piece,
    Sample,
    Shape,
    descriptor,
    hexdigest,
    oci_blobs,
    oci_layout,
    oci_manifest,
    sample,
    to_json,
)


def _oci_index(images: Sequence[Sample]) -> list[Piece]:
    """An index within that of the layout, as `skopeo copy --all` writes it."""
    entries = [
        descriptor(oci_manifest(each), "manifest.v1+json", platform={"os": "linux", "architecture": each.architecture})
        for each in images
    ]
    index = to_json({"schemaVersion": 2, "manifests": entries})
    top = descriptor(index, "index.v1+json", annotations={"org.opencontainers.image.ref.name": images[0].names[0]})
    blobs = [blob for image in images for blob in oci_blobs(image)]
    return oci_layout([top], [*blobs, Piece(f"blobs/sha256/{hexdigest(index)}", index)])


ALL_SHAPES: dict[str, Shape] = {**SHAPES, "OCI index": _oci_index}
CHANGES = {**layers.CHANGES, **documents.CHANGES, **members.CHANGES}
"""By name, in the order in which they are applied: what is inside first."""

_ORDER = list(CHANGES)


@attrs.frozen
class Change:
    """A change by its name; `place` selects what is changed, and `choice` what it becomes."""

    kind: str
    place: int
    choice: int


@attrs.frozen
class Case:
    """An input. The same case is the same bytes, on every machine."""

    shape: str
    images: str
    changes: tuple[Change, ...]

    def packing(self) -> Packing:
        """The members of the archive, after all changes."""
        mark = hashlib.sha256(repr(self).encode()).hexdigest()[:12]
        inner = [change for change in self.changes if change.kind in layers.CHANGES]
        samples = IMAGES[self.images](mark)
        for change in inner:
            samples = [layers.CHANGES[change.kind](each, change.place, change.choice) for each in samples]
        packing = Packing.of(self._shaped(samples))
        for change in sorted(self.changes, key=lambda each: _ORDER.index(each.kind)):
            if change.kind not in layers.CHANGES:
                apply = documents.CHANGES.get(change.kind) or members.CHANGES[change.kind]
                packing = apply(packing, change.place, change.choice)
        return packing

    def _shaped(self, samples: list[Sample]) -> list[Piece]:
        """As the tool writes it, or as another one where the tool cannot."""
        shape = self.shape
        if shape == "OCI index" and not all(each.names for each in samples):
            shape = "OCI archive"
        if not all(each.layers for each in samples) and not shape.startswith("OCI"):
            shape = "nixpkgs streamLayeredImage"
        return ALL_SHAPES[shape](samples)

    @property
    def kinds(self) -> frozenset[str]:
        """The names of the changes."""
        return frozenset(change.kind for change in self.changes)


def _named(*names: str, contents: tuple[str, ...] = ("a",), **fields: Any) -> Any:
    def made(mark: str) -> list[Sample]:
        return [sample(*(f"{mark}-{text}" for text in contents), names=names, **fields)]

    return made


def _two(mark: str) -> list[Sample]:
    return [sample(f"{mark}-{name}", names=(f"env/{name}:1",)) for name in ("one", "two")]


IMAGES = {
    "one layer": _named("env/one:1"),
    "two layers": _named("env/one:1", contents=("a", "b")),
    "a repeated layer": _named("env/one:1", contents=("a", "b", "a")),
    "two names": _named("env/one:1", "env/two:2"),
    "no name": _named(),
    "two images": _two,
    "another architecture": _named("env/one:1", architecture="arm64"),
    "short name": _named("one:latest"),
    "name with a registry": _named("localhost:5000/a/b:x.y_z"),
}
"""What the archive contains before it is changed."""


def drawn(number: int) -> Case:
    """The case of a number. Most have one change, since of two the first that a reader refuses hides the other."""
    random = Random(number)
    kinds = random.sample(_ORDER, random.choice([1, 1, 1, 2, 3]))
    changes = tuple(Change(kind, random.randrange(200), random.randrange(200)) for kind in kinds)
    return Case(random.choice(sorted(ALL_SHAPES)), random.choice(list(IMAGES)), changes)
