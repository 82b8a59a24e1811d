"""Collects the data of an image that the rules of a policy check."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs

from lamina.errors import BadInput
from lamina.image.cache import Cache
from lamina.image.image import Image
from lamina.oci.strict_json import read_json_file
from lamina.planning.lock import Lock, lock_names, parse_lock
from lamina.report.check.files import seen_files
from lamina.report.check.policy import Policy
from lamina.report.check.rules import Subject
from lamina.report.compare import compare
from lamina.report.contents import LayerContents, contents_of
from lamina.report.sbom.collect import bill_of
from lamina.report.sbom.metadata import Package
from lamina.report.update import update


def subject_of(image: Image, policy: Policy, metadata: Mapping[str, Package] | None, cache: Cache | None) -> Subject:
    """The subject without the cost of an update. All layers of the image have digests. Raises BadInput."""
    contents = contents_of(image, files=True, cache=cache)
    needs_licenses = policy.licenses_allowed or policy.licenses_forbidden or not policy.unknown_licenses
    parts = bill_of(image, metadata).parts if needs_licenses else ()
    return Subject(contents, seen_files(image), parts=parts)


def after_image(subject: Subject, old: Image, cache: Cache | None) -> Subject:
    """The subject with the cost of an update from `old`. Layers that are compressed in the file count compressed."""
    cost = update(compare(contents_of(old, files=True, cache=cache), subject.contents))
    return attrs.evolve(subject, update=(cost.pull, cost.packages[0].name if cost.packages else ""))


def after_lock(subject: Subject, lock: Lock, where: Path) -> Subject:
    """The subject with the cost of an update from the layers of a lock: bytes of the layers of store paths that differ.

    A lock has no hashes, so a layer counts as changed if it has other packages. Raises BadInput: the image has no
    recipe.
    """
    known = {frozenset(names) for names in lock.layers}
    layers = [layer for layer in subject.contents.layers if layer.origin and layer.origin.kind == "store"]
    if not layers:
        raise BadInput(where, "is a lock, and the image has no recipe", "compare with an archive, or check the recipe")
    infos = {info.path: info for layer in layers if layer.origin for info in layer.origin.paths}
    names = lock_names(infos.values())
    changed = [
        layer
        for layer in layers
        if layer.origin and frozenset(names[info.path] for info in layer.origin.paths) not in known
    ]
    return attrs.evolve(subject, update=(sum(layer.size or 0 for layer in changed), _largest(changed)))


def _largest(layers: list[LayerContents]) -> str:
    sizes = {held.path: held.size or 0 for layer in layers for held in layer.paths}
    return max(sizes, key=lambda path: (sizes[path], path)) if sizes else ""


def lock_at(path: Path) -> Lock | None:
    """The lock at the path; None if the file is not a lock. Raises BadInput: it is a damaged lock."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        if not file.read(64).lstrip().startswith(b"{"):
            return None
    value = read_json_file(path)
    is_lock = isinstance(value, dict) and "layers" in value and "config" not in value
    return parse_lock(value, path) if is_lock else None
