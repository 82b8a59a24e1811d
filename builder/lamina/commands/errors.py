"""Adds the names of command-line options to errors of the library."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from lamina.errors import BadUsage

if TYPE_CHECKING:
    from lamina.image.image import Image
    from lamina.image.index import ImageIndex


@contextlib.contextmanager
def naming_options(**options: str) -> Iterator[None]:
    """Replace parameters of the library by options in errors: `naming_options(consumers="--for")`."""
    try:
        yield
    except BadUsage as error:
        raise BadUsage(options.get(error.where, error.where), error.what, error.remedy) from None


def naming_layer_options() -> contextlib.AbstractContextManager[None]:
    """Name the options of `add_layer_encoding` in errors."""
    return naming_options(
        **{"layer compressor": "--layer-compressor", "layer level": "--layer-level", "compressor": "--compressor"},
        platform="--platform",
        format="--format",
    )


def with_annotations(item: Image | ImageIndex, values: Iterable[tuple[str, str]] | None) -> Image | ImageIndex:
    """The image with the annotations that `add_annotations` parsed. Raises BadInput."""
    if not values:
        return item
    from lamina.image.annotate import annotated

    return annotated(item, dict(values), "--annotation")


@contextlib.contextmanager
def selecting_by_name() -> Iterator[None]:
    """Mention --name and --tag in the error for a file with several images."""
    from lamina.media.choice import SeveralImages

    try:
        yield
    except SeveralImages as error:
        raise SeveralImages(error.where, error.what, f"{error.remedy} (--name, --tag)") from None


@contextlib.contextmanager
def naming_map_option() -> Iterator[None]:
    """Mention --no-digest-map in the error for a digest map that is wrong."""
    from lamina.image.digest_map import WrongMap

    try:
        yield
    except WrongMap as error:
        raise WrongMap(error.where, error.what, f"{error.remedy} (--no-digest-map)") from None


@contextlib.contextmanager
def choosing_a_daemon() -> Iterator[None]:
    """Mention --to in the error for a missing client."""
    from lamina.media.clients.process import NoClient

    try:
        yield
    except NoClient as error:
        raise NoClient(error.where, error.what, f"{error.remedy} (--to)") from None
