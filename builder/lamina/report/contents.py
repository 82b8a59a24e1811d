"""What an image contains, as every report sees it: layers, the store paths in them, and files that are in none.

For an image of Lamina's, the recipe has all of it. For other images, the headers of the layers' members show the store
paths and their sizes, and the image's own Nix database, if there is one, has their hashes and references. Missing
references can be searched for in the files (`references.py`). Unknown values are None.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from lamina.image.cache import Cache
from lamina.image.image import Image
from lamina.image.layer import Origin
from lamina.oci.digest import Digest
from lamina.report.members import File, HeldPath, Members, Seen, members_of
from lamina.store.closure import base_name, hash_of, name_of
from lamina.store.names import PackageName, package_name


@attrs.frozen
class StorePath:
    """A store path of an image. `references` are full paths, and contain the path itself if it refers to itself.

    `hidden`: a higher layer deletes the path or parts of it, so the image's file system does not have it as a whole.
    """

    path: str
    package: PackageName
    nar_hash: str | None = None
    nar_size: int | None = None
    references: tuple[str, ...] | None = None
    hidden: bool = False

    @property
    def base(self) -> str:
        """`HASH-NAME`."""
        return base_name(self.path)

    @property
    def full_name(self) -> str:
        """The part after the hash: `hello-2.12`."""
        return name_of(self.path)


@attrs.frozen
class LayerContents:
    """A layer. `size` is the bytes of its tar, `stored` those of the compressed layer in the file, if it is compressed.

    `paths` are the store paths with their bytes in the tar, in the order of the tar. `files` are the files in no store
    path, without directories; None if they were not requested. `file_bytes` is their bytes in the tar, and `file_count`
    their number. `created_by` is from the layer's entry in the history.
    """

    diff_id: Digest | None
    size: int | None
    stored: int | None
    origin: Origin | None
    created_by: str
    paths: tuple[HeldPath, ...]
    files: tuple[File, ...] | None
    file_bytes: int
    file_count: int
    has_database: bool = False


def _sizes(contents: Contents) -> dict[str, int | None]:
    result: dict[str, int | None] = {}
    for layer in contents.layers:
        for held in layer.paths:
            before = result.get(held.path, 0)
            result[held.path] = None if before is None or held.size is None else before + held.size
    return result


@attrs.frozen
class Contents:
    """An image with its layers, bottom first, and its store paths, each once, by their full paths.

    `sizes` has for each store path its bytes in all layers' tars; None if its files are not on this machine.
    """

    image: Image
    layers: tuple[LayerContents, ...]
    paths: Mapping[str, StorePath]
    sizes: Mapping[str, int | None] = attrs.field(
        init=False, eq=False, repr=False, default=attrs.Factory(_sizes, takes_self=True)
    )

    @property
    def has_references(self) -> bool:
        """Whether the references of all store paths are known."""
        return all(path.references is not None for path in self.paths.values())

    @property
    def size(self) -> int:
        """Bytes of all layers' tars, as far as they are known."""
        return sum(layer.size or 0 for layer in self.layers)

    def by_hash(self) -> dict[bytes, str]:
        """The store paths by their hashes, as these occur in files that refer to them."""
        return {hash_of(path).encode(): path for path in self.paths}

    def layer_of(self) -> dict[str, int]:
        """For each store path the lowest layer that has it, from 0."""
        result: dict[str, int] = {}
        for number, layer in enumerate(self.layers):
            for held in layer.paths:
                result.setdefault(held.path, number)
        return result


def all_contents(images: Iterable[Image], *, cache: Cache | None = None) -> list[Contents]:
    """The contents of images. A layer that several of them have is read once. Raises BadInput as `contents_of` does."""
    seen = Seen()
    return [contents_of(image, cache=cache, seen=seen) for image in images]


def contents_of(image: Image, *, files: bool = False, cache: Cache | None = None, seen: Seen | None = None) -> Contents:
    """The contents of an image; with `files`, also the list of files that are in no store path.

    Reads the headers of layers that are in a file. For layers that are made from the store, it looks at the files,
    unless the cache has their sizes. Raises BadInput: a layer cannot be read, or exceeds a limit.
    """
    read = members_of(image.layers, files=files, cache=cache, seen=seen)
    shown = _shown(read)
    created = _created_by(image)
    layers = tuple(
        LayerContents(
            diff_id=layer.diff_id,
            size=layer.size,
            stored=_stored(layer.blob),
            origin=layer.origin,
            created_by=created[number] if number < len(created) else "",
            paths=shown[number],
            files=None if members.files is None else tuple(members.files),
            file_bytes=members.file_bytes,
            file_count=members.file_count,
            has_database=members.has_database,
        )
        for number, (layer, members) in enumerate(zip(image.layers, read, strict=True))
    )
    return Contents(image, layers, _store_paths(image, layers))


def _store_paths(image: Image, layers: tuple[LayerContents, ...]) -> dict[str, StorePath]:
    """Every store path once. If the recipe describes a path, that is used, in whichever layer the path is."""
    found: dict[str, StorePath] = {}
    visible = {held.path for layer in layers for held in layer.paths if not held.hidden}
    for layer in layers:
        for held in layer.paths:
            if held.path not in found:
                name = package_name(name_of(held.path))
                found[held.path] = StorePath(held.path, name, hidden=held.path not in visible)
    for origin in (layer.origin for layer in image.layers if layer.origin):
        for info in origin.paths if origin.kind == "store" else ():
            references = info.references if origin.has_references else None
            known = attrs.evolve(
                found[info.path], nar_hash=info.nar_hash, nar_size=info.nar_size, references=references
            )
            found[info.path] = known
    missing = any(path.references is None for path in found.values())
    if missing and any(layer.has_database for layer in layers):
        return _registered(image, found)
    return found


def _registered(image: Image, paths: dict[str, StorePath]) -> dict[str, StorePath]:
    """The paths with hashes and references from the image's Nix database. Raises BadInput: it is damaged."""
    from lamina.recipe.base_database import registered_in  # sqlite, which few images need

    result = paths.copy()
    held = {path.base for path in paths.values()}
    for row in registered_in(image.layers, held):
        known = result.get(row.path)
        if known and known.references is None:
            result[row.path] = attrs.evolve(
                known, nar_hash=row.nar_hash, nar_size=row.nar_size, references=row.references
            )
    return result


def _shown(read: list[Members]) -> list[tuple[HeldPath, ...]]:
    """The store paths of each layer. A path from which a higher layer deletes a file is hidden: it is incomplete."""
    result: list[tuple[HeldPath, ...]] = []
    deleted: set[str] = set()
    for members in reversed(read):
        result.append(
            tuple(
                attrs.evolve(held, hidden=True) if not deleted.isdisjoint(("", base_name(held.path))) else held
                for held in members.paths
            )
            if deleted
            else tuple(members.paths)
        )
        deleted |= members.deleted
    return result[::-1]


def _stored(blob: object) -> int | None:
    """The bytes of a compressed layer in its file."""
    packed = getattr(blob, "packed", None)
    size = getattr(packed, "size", None)
    return size if isinstance(size, int) else None


def _created_by(image: Image) -> list[str]:
    """The text of the history for each layer."""
    entries = (entry for entry in image.history if isinstance(entry, dict) and not entry.get("empty_layer"))
    return [str(entry.get("created_by") or entry.get("comment") or "") for entry in entries]
