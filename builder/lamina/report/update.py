"""What an update from one image to another costs: bytes to pull and to load, layer by layer, with reasons."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Mapping

import attrs

from lamina.data.compression import compress
from lamina.data.progress import Progress
from lamina.image.layer import Layer
from lamina.media.daemon import STORES, predicted
from lamina.media.universal import manifest
from lamina.report.compare import Comparison
from lamina.report.contents import LayerContents
from lamina.store.closure import name_of

_SHOWN = 3
"""Reasons of a layer, and names in a list, that are written; the others are counted."""


@attrs.frozen
class LayerUpdate:
    """A layer of the new image. `pull` is the bytes of its blob, 0 if the old image has the layer.

    `compressed`: `pull` is the size of the compressed layer, else that of the tar.
    """

    number: int
    diff_id: str | None
    size: int
    is_new: bool
    pull: int
    compressed: bool
    reasons: tuple[str, ...]


@attrs.frozen
class PackageCost:
    """Bytes of a package's store paths in new layers. `changed`: the package itself changed, not only its layer."""

    name: str
    size: int
    changed: bool


@attrs.frozen
class Update:
    """The costs of an update. `pull` has the manifest and the config, too. `load` is bytes for each of STORES."""

    layers: tuple[LayerUpdate, ...]
    pull: int
    load: Mapping[str, int]
    packages: tuple[PackageCost, ...]

    @property
    def new_layers(self) -> int:
        """The number of layers that a puller of the old image lacks."""
        return len({layer.diff_id for layer in self.layers if layer.is_new})

    @property
    def is_compressed(self) -> bool:
        """Whether `pull` counts compressed layers only."""
        return all(layer.compressed for layer in self.layers if layer.is_new)


def update(comparison: Comparison, compressor: str | None = None) -> Update:
    """The costs. All layers of both images must have diff IDs and sizes.

    If the image contains a layer compressed, its compressed size counts. With `compressor`, the other layers are
    compressed to find out their size. Raises BadInput: a layer cannot be read.
    """
    old, new = comparison.old, comparison.new
    held = {layer.diff_id for layer in old.layers}
    reasons = _Reasons(comparison)
    layers = []
    seen: set[str | None] = set()
    for number, layer in enumerate(new.layers):
        is_new = layer.diff_id not in held
        size, compressed = 0, False
        if is_new and layer.diff_id not in seen:
            size, compressed = _blob_size(new.image.layers[number], layer, compressor)
        elif is_new:
            compressed = True
        seen.add(layer.diff_id)
        why = tuple(reasons.of(number)) if is_new else ()
        layers.append(LayerUpdate(number + 1, layer.diff_id, layer.size or 0, is_new, size, compressed, why))
    documents = 0 if comparison.is_same else len(manifest(new.image)) + len(new.image.document())
    return Update(
        tuple(layers),
        sum(layer.pull for layer in layers) + documents,
        {store: predicted(new.image, old.image, store) for store in STORES},
        tuple(_packages(comparison, layers)),
    )


def _blob_size(layer: Layer, described: LayerContents, compressor: str | None) -> tuple[int, bool]:
    if described.stored is not None:
        return described.stored, True
    if compressor is None or compressor == "none":
        return described.size or 0, False
    raw = _Count()
    with Progress("compressing new layers", described.size) as progress:

        def chunks() -> Iterator[bytes]:
            for chunk in layer.blob.chunks():
                progress(len(chunk))
                yield chunk

        counted = io.BufferedWriter(raw)
        compress(chunks(), compressor, counted)
        counted.flush()
    return raw.total, True


class _Count(io.RawIOBase):
    """A file that counts what is written to it."""

    total = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        size = memoryview(data).nbytes  # type: ignore[arg-type]
        self.total += size
        return size


def _packages(comparison: Comparison, layers: list[LayerUpdate]) -> Iterator[PackageCost]:
    """The bytes of each package in the new layers, the largest first."""
    sizes: dict[str, int] = {}
    changed: set[str] = set()
    counted: set[str | None] = set()
    for layer, described in zip(layers, comparison.new.layers, strict=True):
        if not layer.is_new or layer.diff_id in counted:
            continue
        counted.add(layer.diff_id)
        for held in described.paths:
            name = comparison.new.paths[held.path].package.label
            sizes[name] = sizes.get(name, 0) + (held.size or 0)
            if held.path not in comparison.old.paths:
                changed.add(name)
    for name, size in sorted(sizes.items(), key=lambda item: (-item[1], item[0])):
        yield PackageCost(name, size, name in changed)


class _Reasons:
    """Why a layer of the new image is not in the old one."""

    def __init__(self, comparison: Comparison) -> None:
        self._comparison = comparison
        self._changes = {change.new.path: change for change in comparison.changed}
        self._old_layer = comparison.old.layer_of()
        self._files_differ = {*comparison.files_changed, *comparison.files_added}
        self._replaced = {change.old.path for change in comparison.changed}

    def of(self, number: int) -> Iterator[str]:
        """The reasons for a layer as text, the most important first."""
        layer = self._comparison.new.layers[number]
        paths = [held.path for held in layer.paths]
        came = [path for path in paths if path not in self._comparison.old.paths]
        yield from _limited([self._changed(path) for path in came], "other changed paths")
        stayed = [path for path in paths if path in self._comparison.old.paths]
        home = _most_common([self._old_layer[path] for path in stayed])
        moved = [path for path in stayed if self._old_layer[path] != home]
        if moved:
            names = _listed([name_of(path) for path in moved])
            yield f"another plan: {names} moved here from other layers"
        if home is not None:
            yield from self._left(home, set(paths))
        yield from self._files(layer)
        if not came and not moved and home is not None and self._same_paths(home, paths) and not layer.file_count:
            yield "owner, time or modes of its files differ"

    def _changed(self, path: str) -> str:
        change = self._changes.get(path)
        name = self._comparison.new.paths[path]
        if change is None:
            return f"{name.full_name} is new"
        if not change.is_rebuild:
            return f"{name.package.label} {change.old.package.version} -> {name.package.version}"
        because = f" for {_listed(list(change.because))}" if change.because else ""
        return f"{name.full_name} was rebuilt{because}"

    def _left(self, home: int, paths: set[str]) -> Iterator[str]:
        """Paths that the layer had in the old image and does not have now."""
        missing = [held.path for held in self._comparison.old.layers[home].paths if held.path not in paths]
        gone = [path for path in missing if path not in self._comparison.new.paths and path not in self._replaced]
        elsewhere = [path for path in missing if path in self._comparison.new.paths]
        if gone:
            yield f"{_listed([name_of(path) for path in gone])} removed"
        if elsewhere:
            yield f"another plan: {_listed([name_of(path) for path in elsewhere])} moved to other layers"

    def _files(self, layer: LayerContents) -> Iterator[str]:
        names = {file.path for file in layer.files or ()}
        if not names:
            return
        differ = names & self._files_differ
        if differ:
            yield f"files differ: {_listed(['/' + name for name in sorted(differ)])}"
        elif not layer.paths:
            yield "the layer's files are in the old image, too, but not as this layer"

    def _same_paths(self, home: int, paths: list[str]) -> bool:
        return {held.path for held in self._comparison.old.layers[home].paths} == set(paths)


def _most_common(numbers: list[int]) -> int | None:
    counts = Counter(numbers)
    return max(counts, key=lambda number: (counts[number], -number)) if counts else None


def _limited(texts: list[str], others: str) -> Iterator[str]:
    yield from texts[:_SHOWN]
    if len(texts) > _SHOWN:
        yield f"{len(texts) - _SHOWN} {others}"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
