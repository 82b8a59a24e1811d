"""The argument IMAGE of commands that also take `docker://` references, and how to open these."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterator

from lamina.commands.parser import path

TYPE_CHECKING = False  # typing's own would import typing
if TYPE_CHECKING:
    from pathlib import Path

    from lamina.image.image import Image

_SCHEME = "docker://"
_HELP = "a recipe, an archive, an OCI layout, or docker://NAME:TAG in a registry; - for standard input"


def source(text: str) -> Path | str:
    """A path, or the text of a `docker://` reference."""
    return text if text.startswith(_SCHEME) and not os.path.lexists(text) else path(text)


def add_source(parser: argparse.ArgumentParser, name: str = "image", metavar: str = "IMAGE", text: str = _HELP) -> None:
    parser.add_argument(name, type=source, metavar=metavar, help=text)


def add_registry(parser: argparse.ArgumentParser) -> None:
    """Add the options for opening a reference."""
    parser.add_argument(
        "--platform", metavar="ARCH", help="select one of several platforms, such as arm64; default: this machine's"
    )
    parser.add_argument(
        "--no-tls-verify", action="store_true", help="allow HTTP and unknown certificates for docker://"
    )


@contextlib.contextmanager
def opened(place: Path | str, options: argparse.Namespace) -> Iterator[list[Image]]:
    """The images at the place that the options select. One in a registry is copied first, and removed at the end."""
    from lamina.recipe.open import open_images

    if not isinstance(place, str):
        yield open_images(place, platform=options.platform, name=options.name, tag=options.tag)
        return
    import tempfile
    from pathlib import Path

    from lamina.data.progress import Progress
    from lamina.media.prefetch import pull_layout

    with tempfile.TemporaryDirectory(prefix="lamina-") as directory:
        with Progress(f"copying {place}") as progress:
            progress.announce(f"copying {place}")
            verify = not options.no_tls_verify
            layout = pull_layout(place, Path(directory), platform=options.platform, tls_verify=verify)
        yield open_images(layout, platform=options.platform)


def only(images: list[Image], place: Path | str) -> Image:
    """The only image. Raises SeveralImages."""
    from lamina.media.choice import SeveralImages

    if len(images) > 1:
        names = "; ".join(", ".join(image.stored_names) or "an image without a name" for image in images[:20])
        problem = f"contains {len(images)} images that match: {names}"
        raise SeveralImages(place, problem, "choose one with --name and --tag")
    return images[0]
