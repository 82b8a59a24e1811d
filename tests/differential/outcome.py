"""What a reader makes of an archive, in the same form for all readers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import attrs

_SETTINGS = ("Cmd", "Entrypoint", "Env", "Labels", "User", "WorkingDir", "Volumes", "ExposedPorts")
_LISTS = ("Cmd", "Entrypoint")
_SETS = ("Volumes", "ExposedPorts")


@attrs.frozen
class Image:
    """An image as a reader sees it. None is what the reader does not say.

    `layers` are digests of the layers' bytes, uncompressed; `config` is the digest of the config document; `settings`
    are those of the fields of its `config` object that all readers show, as JSON.
    """

    layers: tuple[str, ...]
    config: str | None
    settings: str | None
    names: frozenset[str] | None

    def agrees(self, other: Image) -> bool:
        """Whether nothing differs that both say."""
        pairs = zip(attrs.astuple(self, recurse=False), attrs.astuple(other, recurse=False), strict=True)
        return all(mine == theirs or mine is None or theirs is None for mine, theirs in pairs)


@attrs.frozen
class Read:
    """The images that a reader sees; None where it took the archive and does not say."""

    images: tuple[Image, ...] | None

    def agrees(self, other: Read) -> bool:
        """Whether both see the same images, in any order."""
        if self.images is None or other.images is None:
            return True
        mine, theirs = _distinct(self.images), _distinct(other.images)
        return all(any(a.agrees(b) for b in theirs) for a in mine) and all(
            any(a.agrees(b) for a in mine) for b in theirs
        )


def _distinct(images: Iterable[Image]) -> list[Image]:
    """One for each config: an image that is listed twice is one image, with the names of both."""
    result: dict[object, Image] = {}
    for image in images:
        key = image.config or image
        known = result.get(key, image)
        names = image.names if known.names is None else known.names | (image.names or frozenset())
        result[key] = attrs.evolve(image, names=names)
    return list(result.values())


@attrs.frozen
class Refused:
    """A reader's error."""

    message: str


Outcome = Read | Refused


def settings_of(config: object) -> str:
    """The settings that all readers show. Empty is the same as missing, and Docker takes a string for a list of one."""
    config = config if isinstance(config, Mapping) else {}
    config = {key: _keys(value) if key in _SETS else value for key, value in config.items()}
    config = {key: [value] if key in _LISTS and isinstance(value, str) else value for key, value in config.items()}
    return json.dumps({key: _filled(config[key]) for key in _SETTINGS if config.get(key)}, sort_keys=True)


def _keys(value: object) -> object:
    """Go reads a set's values as empty objects, whatever they contain."""
    return {key: {} for key in value} if isinstance(value, dict) else value


def _filled(value: object) -> object:
    """Without nulls, which Go reads as empty values."""
    if isinstance(value, list):
        return ["" if item is None else item for item in value]
    return {key: inner or {} for key, inner in value.items()} if isinstance(value, dict) else value


def short_names(names: Iterable[str]) -> frozenset[str]:
    """Names without what readers add to them, each in its own way."""
    return frozenset(_short(name) for name in names)


def _short(name: str) -> str:
    for prefix in ("localhost/", "index.docker.io/library/", "index.docker.io/", "docker.io/library/", "docker.io/"):
        name = name.removeprefix(prefix)
    return name
