"""Choosing one image where a medium holds several."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from builder.errors import BadInput
from builder.image import Image
from builder.reference import make_reference, parse_reference


@attrs.frozen(eq=False)
class Candidate:
    """An image that can be had: its names as they are written there, and how to read it."""

    names: tuple[str, ...]
    read: Callable[[], Image]


def choose(candidates: Sequence[Candidate], name: str | None, tag: str | None, where: object) -> Image:
    """The one image that has the name and the tag; either may be left open.

    Raises BadInput when none fits, or several do; the error tells what there is.
    """
    fitting = [candidate for candidate in candidates if _fits(candidate, name, tag)]
    if len(fitting) == 1:
        return fitting[0].read()
    there = [", ".join(candidate.names) or "an image without a name" for candidate in candidates]
    listed = "; ".join(there[:20]) or "nothing"
    if fitting:
        remedy = "choose one with fromImageName and fromImageTag (--name, --tag)"
        raise BadInput(where, f"holds {len(fitting)} images that fit: {listed}", remedy)
    if not candidates:
        raise BadInput(where, "holds no image", "give an archive with an image in it")
    wanted = f"{name or '(any name)'}:{tag or '(any tag)'}"
    raise BadInput(where, f"holds no image {wanted}", f"there is: {listed}")


def _fits(candidate: Candidate, name: str | None, tag: str | None) -> bool:
    if name is None and tag is None:
        return True
    return any(_is(text, name, tag) for text in candidate.names)


def _is(text: str, name: str | None, tag: str | None) -> bool:
    """Whether a written name is the one asked for, in whichever of its spellings both are."""
    try:
        written = parse_reference(text, text)
        wanted = make_reference(name, tag or written.tag, name) if name else written
    except BadInput:
        return False
    return wanted.qualified_name == written.qualified_name and tag in (None, written.tag)
