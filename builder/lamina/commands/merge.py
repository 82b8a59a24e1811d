"""`lamina merge`: put several images into one archive; what they share is stored once."""

from __future__ import annotations

import argparse

from lamina.commands.parser import add_compressor, path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", type=path, nargs="+", metavar="IMAGE", help="recipes, archives or OCI layouts")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="the file to write; - for standard output")
    add_compressor(parser)


def run(options: argparse.Namespace) -> int:
    from lamina.image.cache import Cache
    from lamina.media import universal
    from lamina.media.tarball import write
    from lamina.recipe.merge import merged_images

    pool, arrangement = universal.several(merged_images(options.images, Cache.of_user()))
    write(pool, arrangement, options.output, options.compressor)
    return 0
