"""Choosing one image in a file that contains several."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from lamina.errors import BadInput
from lamina.image.image import Image
from lamina.image.index import ImageIndex
from lamina.oci.reference import make_reference, parse_reference


@attrs.frozen(eq=False)
class Candidate:
    """An image in a file: its names as the file spells them, and how to read it.

    `tags` are the `names` that are only a tag. Skopeo, buildah, umoci and oras write such names into OCI layouts.
    `read_index` reads all platforms of an image for several platforms.
    """

    names: tuple[str, ...]
    read: Callable[[], Image]
    tags: frozenset[str] = frozenset()
    read_index: Callable[[], ImageIndex] | None = None


class SeveralImages(BadInput):
    """A file contains several images that match, where one is needed."""


def choose(candidates: Sequence[Candidate], name: str | None, tag: str | None, where: object) -> Image:
    """The one image that has the name and the tag; either may be None, which matches every image.

    Raises BadInput if none matches, SeveralImages if several do; the error lists their names.
    """
    return choose_candidate(candidates, name, tag, where).read()


def choose_candidate(candidates: Sequence[Candidate], name: str | None, tag: str | None, where: object) -> Candidate:
    """The one candidate that `choose` would read. Raises BadInput and SeveralImages as `choose` does."""
    found = matching(candidates, name, tag, where)
    if len(found) > 1:
        remedy = "choose one by its name and tag"
        raise SeveralImages(where, f"contains {len(found)} images that match: {_listed(found)}", remedy)
    return found[0]


def matching(candidates: Sequence[Candidate], name: str | None, tag: str | None, where: object) -> list[Candidate]:
    """The images that have the name and the tag, at least one. Raises BadInput if none matches."""
    if not candidates:
        raise BadInput(where, "contains no image", "give an archive with an image in it")
    found = [candidate for candidate in candidates if _fits(candidate, name, tag)]
    if not found:
        requested = f"{name or '(any name)'}:{tag or '(any tag)'}"
        raise BadInput(where, f"contains no image {requested}", f"it contains: {_listed(candidates)}")
    return found


def _listed(candidates: Sequence[Candidate]) -> str:
    names = [", ".join(candidate.names) or "an image without a name" for candidate in candidates]
    return "; ".join(names[:20])


def _fits(candidate: Candidate, name: str | None, tag: str | None) -> bool:
    if name is None and tag is None:
        return True
    if name is None and tag in candidate.tags:
        return True
    return any(_is_same_name(text, name, tag) for text in candidate.names)


def _is_same_name(text: str, name: str | None, tag: str | None) -> bool:
    """Whether `text` is the requested name. `redis` and `docker.io/library/redis` are the same name."""
    try:
        written = parse_reference(text, text)
        requested = make_reference(name, tag or written.tag, name) if name else written
    except BadInput:
        return False
    return requested.qualified_name == written.qualified_name and tag in (None, written.tag)
