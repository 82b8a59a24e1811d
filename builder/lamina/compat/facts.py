"""The contents of an archive, collected once for all checks: member headers, documents, surveys of the layers.

The archive may be wrong in any way. A document that cannot be read is None, and its values may have any type: checks
look at them with `mapping`, `texts` and `items`.
"""

from __future__ import annotations

import contextlib
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from lamina.compat.survey import Survey, survey
from lamina.data.blob import FileRange
from lamina.data.budget import Meter
from lamina.data.compression import plain
from lamina.errors import BadInput, LaminaError
from lamina.image.layer import Layer, hashed
from lamina.limits import IMAGES, LAYER_MEMBERS, LAYER_NAMES, LAYERS
from lamina.media.files import Archive, read_document
from lamina.oci.digest import Digest, blob_path, parse_digest
from lamina.oci.documents import CONTAINERD_NAME, REF_NAME
from lamina.oci.reference import Reference, parse_reference
from lamina.oci.spelling import CONFIG_DOCUMENT, DOCKER_ARCHIVE, LAYOUT, MANIFEST, REPOSITORIES, Shape
from lamina.oci.strict_json import Json
from lamina.tar.headers import Head, heads
from lamina.tar.write import FILE, SYMLINK

V1_ID = re.compile(r"[0-9a-f]{64}")


def mapping(value: object) -> Json:
    """The value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """The value if it is an array, else an empty one."""
    return value if isinstance(value, list) else []


def texts(value: object) -> list[str]:
    """The strings in the value, if it is an array."""
    return [item for item in items(value) if isinstance(item, str)]


def named(text: str) -> Reference | None:
    """The parsed name, or None if it is not valid."""
    try:
        return parse_reference(text, text)
    except BadInput:
        return None


@attrs.frozen(eq=False)
class ClaimedImage:
    """An image as `manifest.json` or an OCI manifest describes it in `fields`. `layers` are paths, bottom first."""

    fields: Json
    config_path: str
    config: Json | None
    layers: tuple[str, ...]
    tags: tuple[str, ...]


@attrs.frozen(eq=False)
class Facts:
    """What the checks use. `members` are in the archive's order; `surveys` are by the path of a layer's file.

    `docker` is None without a `manifest.json`, `index` without an OCI layout, `repositories` without that file.
    `manifests` are the OCI manifests that the index refers to, and `missing` the digests of those that are missing.
    `v1` contains the documents of all `<id>/json`.
    """

    members: tuple[Head, ...]
    archive: Archive
    docker: tuple[ClaimedImage, ...] | None
    manifest_json: Any
    layout: Json | None
    index: Json | None
    entries: tuple[Json, ...]
    manifests: tuple[ClaimedImage, ...]
    missing: tuple[str, ...]
    repositories: Json | None
    v1: Mapping[str, Json]
    surveys: Mapping[str, Survey]
    by_name: Mapping[str, Head]
    _read: dict[int, Digest | None] = attrs.field(factory=dict)

    @property
    def images(self) -> tuple[ClaimedImage, ...]:
        """The images as most readers find them: in `manifest.json` if it exists."""
        return self.manifests if self.docker is None else self.docker

    def target(self, name: str) -> str:
        """The name itself, or the target if the member is a symbolic link."""
        head = self.by_name.get(name)
        if head is None or head.entry.kind != SYMLINK:
            return name
        return posixpath.normpath(posixpath.join(posixpath.dirname(name), head.link))

    def json(self, name: str) -> Any:
        """The manifest or the index in a file; None if there is none."""
        return _json(self.archive, name, MANIFEST)

    def digest(self, path: str) -> Digest | None:
        """The digest of a file, which is read at most once, or None if it is missing."""
        known = self.surveys.get(path)
        if known and not known.compression:
            return known.digest
        with contextlib.suppress(LaminaError):
            blob = self.archive.blob(path)
            if blob.offset not in self._read:
                self._read[blob.offset] = hashed(Layer.of(blob, path)).diff_id
            return self._read[blob.offset]
        return None

    def is_file(self, name: str) -> bool:
        """Whether the member is a regular file."""
        return name in self.by_name and self.by_name[name].entry.kind == FILE

    def stack(self, image: ClaimedImage) -> list[Survey]:
        """The surveys of an image's layers, bottom first, without layers that cannot be read."""
        return [self.surveys[path] for path in image.layers if path in self.surveys]


def gather(archive: Archive, surveyed: Mapping[str, Survey]) -> Facts:
    """Read everything that checks need. `surveyed` has the surveys of layers already read, by their names in errors."""
    whole = FileRange(archive.source, 0, archive.source.size)
    members = tuple(map(_bare, heads(whole, archive.where)))
    by_name = {posixpath.normpath(head.name): head for head in members}
    manifest_json = _json(archive, "manifest.json", DOCKER_ARCHIVE)
    layout, index = _json(archive, "oci-layout", LAYOUT), _json(archive, "index.json", MANIFEST)
    has_oci = isinstance(layout, dict) and isinstance(index, dict)
    found = list(_manifests(archive, index)) if has_oci else []
    manifests = tuple(image for _, image in found if image)
    docker = None
    if isinstance(manifest_json, list):
        docker = tuple(_docker(archive, mapping(item)) for item in manifest_json[:IMAGES])
    paths = dict.fromkeys(path for image in (*(docker or ()), *manifests) for path in image.layers)
    surveys = _surveys(archive, paths, surveyed)
    repositories = _json(archive, "repositories", REPOSITORIES)
    return Facts(
        members=members,
        archive=archive,
        docker=docker,
        manifest_json=manifest_json,
        layout=layout if has_oci else None,
        index=index if has_oci else None,
        entries=tuple(mapping(entry) for entry in items(mapping(index).get("manifests"))) if has_oci else (),
        manifests=manifests,
        missing=tuple(digest for digest, image in found if image is None),
        repositories=repositories if isinstance(repositories, dict) else None,
        v1=_v1(archive, by_name),
        surveys=surveys,
        by_name=by_name,
    )


def _json(archive: Archive, name: str, shape: Shape) -> Any:
    with contextlib.suppress(LaminaError):
        if name in archive:
            return read_document(archive, name, shape)
    return None


def _bare(head: Head) -> Head:
    """The head without fields that no check uses: there may be many members."""
    return attrs.evolve(head, entry=attrs.evolve(head.entry, header=b"", records={}))


def _docker(archive: Archive, item: Json) -> ClaimedImage:
    path = item.get("Config") if isinstance(item.get("Config"), str) else ""
    config = _json(archive, posixpath.normpath(str(path)), CONFIG_DOCUMENT)
    layers = [posixpath.normpath(layer) for layer in texts(item.get("Layers"))[:LAYERS]]
    known = config if isinstance(config, dict) else None
    return ClaimedImage(item, str(path), known, tuple(layers), tuple(texts(item.get("RepoTags"))))


def path_of(digest: object) -> str:
    """The path of a blob in a layout; empty if the value is not a sha256 digest."""
    with contextlib.suppress(BadInput):
        return blob_path(parse_digest(digest, ""))
    return ""


def _manifests(archive: Archive, index: Json) -> Iterator[tuple[str, ClaimedImage | None]]:
    """Each manifest that an index refers to, through at most one more index; None for one that is missing."""
    for level in (0, 1):
        inner: list[Json] = []
        for entry in items(mapping(index).get("manifests"))[:IMAGES]:
            digest = str(mapping(entry).get("digest"))
            path = path_of(digest)
            document = _json(archive, path, MANIFEST) if path in archive else None
            if path not in archive:
                yield digest, None
            elif level == 0 and isinstance(document, dict) and "manifests" in document:
                inner += items(document["manifests"])
            elif isinstance(document, dict):
                yield digest, _oci(archive, document, mapping(entry))
        index = {"manifests": inner}


def _oci(archive: Archive, document: Json, entry: Json) -> ClaimedImage:
    path = path_of(mapping(document.get("config")).get("digest"))
    config = _json(archive, path, CONFIG_DOCUMENT) if path else None
    layers = [path_of(mapping(layer).get("digest")) for layer in items(document.get("layers"))[:LAYERS]]
    name = entry_name(entry)
    known = config if isinstance(config, dict) else None
    return ClaimedImage(document, path, known, tuple(layers), (name,) if name else ())


def entry_name(entry: Json) -> str | None:
    """The name of an index entry, as containerd reads it (core/images/archive, imageName)."""
    notes = mapping(entry.get("annotations"))
    name = notes.get(CONTAINERD_NAME) or notes.get(REF_NAME)
    return name if isinstance(name, str) else None


def _v1(archive: Archive, by_name: Mapping[str, Head]) -> dict[str, Json]:
    read = ((name, _json(archive, f"{name}/json", CONFIG_DOCUMENT)) for name in _v1_names(by_name))
    return {name: fields for name, fields in read if fields is not None}


def _v1_names(by_name: Mapping[str, Head]) -> Iterator[str]:
    """The directories whose names are v1 IDs."""
    return (name.removesuffix("/json") for name in by_name if V1_ID.fullmatch(name.removesuffix("/json")))


def _surveys(archive: Archive, paths: Iterable[str], surveyed: Mapping[str, Survey]) -> dict[str, Survey]:
    """The surveys of the layers at the paths. A file is read once, even if several paths lead to it."""
    headers, length = Meter(LAYER_MEMBERS), Meter(LAYER_NAMES)
    by_place: dict[int, Survey | None] = {}
    found: dict[str, Survey | None] = {}
    for path in paths:
        where = f"{archive.where}({path})"
        with contextlib.suppress(LaminaError):
            blob = archive.blob(path)
            if blob.offset not in by_place:
                by_place[blob.offset] = None
                layer = Layer.of(plain(blob, where, archive.budget), where, budget=archive.budget)
                made = surveyed.get(where) or survey(layer, lambda _: None, headers, length)[1]
                by_place[blob.offset] = made
            found[path] = by_place[blob.offset]
    return {path: each for path, each in found.items() if each}
