"""`lamina merge`: put several images into one archive. Layers that they share are stored once."""

from __future__ import annotations

import argparse

from lamina.commands.parser import add_check, add_compressor, path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", type=path, nargs="+", metavar="IMAGE", help="recipes, archives or OCI layouts")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="the file to write; - for standard output")
    add_compressor(parser)
    add_check(parser)


def run(options: argparse.Namespace) -> int:
    from lamina.media.write import write
    from lamina.recipe.open import open_images

    images = [image for path in options.images for image in open_images(path)]
    write(images, options.output, compressor=options.compressor, check=options.check)
    return 0
