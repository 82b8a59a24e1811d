"""`lamina build`: write the archive of an image from its recipe."""

from __future__ import annotations

import argparse

from lamina.commands.parser import (
    add_annotations,
    add_check,
    add_compressor,
    add_format,
    add_layer_encoding,
    add_recipe,
    path,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.image.image import Image

TASKS = (
    ("lamina build image.json -o - | docker load", "without a file"),
    ("lamina build image.json -o image.tar.zst --compressor zstd", "compressed as a whole"),
    ("lamina build image.json --against old.tar -o update.tar", "only the layers that old.tar lacks"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_recipe(parser)
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="the file to write; - for standard output")
    parser.add_argument(
        *("-t", "--name", "--repo_tag"),
        metavar="NAME:TAG",
        help="name of the image, instead of its own names",
    )
    add_format(parser)
    add_compressor(parser)
    add_layer_encoding(parser)
    add_annotations(parser)
    add_check(parser)
    parser.add_argument(
        "--against",
        type=path,
        metavar="OLD",
        help="leave out the layers of this image (a recipe, archive or layout); OUT can be loaded only where it is",
    )


def run(options: argparse.Namespace) -> int:
    import attrs

    from lamina.commands.errors import naming_layer_options, with_annotations
    from lamina.media.write import write
    from lamina.oci.reference import parse_reference
    from lamina.recipe.open import build_image

    image = build_image(options.recipe)
    if options.name:
        image = attrs.evolve(image, names=(parse_reference(options.name, "--name"),))
    if options.against:
        return _build_against(image, options)
    with naming_layer_options():
        write(
            with_annotations(image, options.annotation),
            options.output,
            format=options.format,
            compressor=options.compressor,
            layer_compressor=options.layer_compressor,
            layer_level=options.layer_level,
            check=options.check,
        )
    return 0


def _build_against(image: Image, options: argparse.Namespace) -> int:
    """Write the archive without the layers of another image. Raises BadUsage: options for other forms."""
    from lamina.data.progress import counted, human
    from lamina.errors import BadInput, BadUsage, printable
    from lamina.media.choice import SeveralImages
    from lamina.media.thin import write_thin
    from lamina.recipe.open import open_image

    others = {"--layer-compressor": options.layer_compressor, "--layer-level": options.layer_level}
    others |= {"--annotation": options.annotation, "--format": options.format != "universal"}
    for option in (option for option, value in others.items() if value):
        raise BadUsage(option, "does not go with --against, which makes an archive for daemons", "leave it out")
    try:
        old = open_image(options.against, platform=image.config.get("architecture"))
    except SeveralImages as error:
        remedy = "write one of them: lamina convert OLD --name NAME --tag TAG -o one.tar"
        raise BadInput(error.where, error.what, remedy) from None
    written = write_thin(image, old, options.output, compressor=options.compressor, check=options.check)
    if options.output != "-":
        if written.layers:
            left_out = f"{counted(written.layers, 'layer')}, {human(written.size)}"
            print(printable(f"{options.output} leaves out {left_out}, and is for daemons that have {written.needed}"))
        else:
            print(printable(f"{options.output} is complete: its lowest layer is not in {written.needed}"))
    return 0
