"""A bill of materials in neither format: the image, its parts, and what each part depends on."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

MEANING = "the SHA-256 is that of the NAR, Nix' archive of the store path"


@attrs.frozen(order=True)
class License:
    """A license: its SPDX identifier if it has one, or else its name."""

    spdx_id: str = ""
    name: str = ""


@attrs.frozen
class Part:
    """A store path, a package of the base's distribution, or a package that was compiled into a store path.

    `ref` identifies the part: the store path, or the package URL. `kind` is `store-path`, `deb`, `apk`, `rpm` or
    `vendored`. `sha256` is the NAR hash in hexadecimal digits. `depends_on` are refs. `facts` are further properties.
    """

    ref: str
    kind: str
    name: str
    version: str = ""
    purl: str = ""
    cpe: str = ""
    sha256: str = ""
    layer: int | None = None
    licenses: tuple[License, ...] = ()
    description: str = ""
    homepage: str = ""
    depends_on: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()


@attrs.frozen
class Bill:
    """An image and its parts. `created` is a time in seconds of RFC 3339, and `image_id` the digest of the config.

    `complete` is false if a package database in the image cannot be read; `notes` say why.
    """

    name: str
    version: str
    image_id: str
    architecture: str
    created: str
    diff_ids: tuple[str, ...]
    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        return not self.notes

    def roots(self) -> list[str]:
        """The parts on which no other part depends; of parts that depend on each other, all."""
        needed = {target for part in self.parts for target in part.depends_on if target != part.ref}
        roots = [part.ref for part in self.parts if part.ref not in needed]
        return roots or [part.ref for part in self.parts]


def closed(parts: Iterable[Part]) -> tuple[Part, ...]:
    """The parts, each ref once, sorted by it, without dependencies on what is not among them or on themselves."""
    by_ref: dict[str, Part] = {}
    for part in parts:
        by_ref.setdefault(part.ref, part)
    return tuple(
        attrs.evolve(
            part, depends_on=tuple(sorted({ref for ref in part.depends_on if ref in by_ref and ref != part.ref}))
        )
        for _, part in sorted(by_ref.items())
    )
