"""`lamina build`: write the archive of an image from its recipe."""

from __future__ import annotations

import argparse

from lamina.commands.parser import add_check, add_compressor, add_recipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_recipe(parser)
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="the file to write; - for standard output")
    parser.add_argument(
        *("-t", "--name", "--repo_tag"),
        metavar="NAME:TAG",
        help="name of the image, instead of its own names",
    )
    parser.add_argument(
        *("--format", "--layout"),
        choices=("universal", "docker-1.9", "classic"),
        default="universal",
        help="form of the archive; default: universal",
    )
    add_compressor(parser)
    add_check(parser)


def run(options: argparse.Namespace) -> int:
    import attrs

    from lamina.media.write import write
    from lamina.oci.reference import parse_reference
    from lamina.recipe.open import build_image

    image = build_image(options.recipe)
    if options.name:
        image = attrs.evolve(image, names=(parse_reference(options.name, "--name"),))
    write(image, options.output, format=options.format, compressor=options.compressor, check=options.check)
    return 0
