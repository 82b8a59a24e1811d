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
)

TASKS = (
    ("lamina build image.json -o - | docker load", "without a file"),
    ("lamina build image.json -o image.tar.zst --compressor zstd", "compressed as a whole"),
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


def run(options: argparse.Namespace) -> int:
    import attrs

    from lamina.commands.errors import naming_layer_options, with_annotations
    from lamina.media.write import write
    from lamina.oci.reference import parse_reference
    from lamina.recipe.open import build_image

    image = build_image(options.recipe)
    if options.name:
        image = attrs.evolve(image, names=(parse_reference(options.name, "--name"),))
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
