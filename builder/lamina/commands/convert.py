"""`lamina convert`: write an image in another form."""

from __future__ import annotations

import argparse

from lamina.commands.parser import (
    add_annotations,
    add_check,
    add_compressor,
    add_format,
    add_image,
    add_layer_encoding,
    add_platform,
    add_selection,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_image(parser)
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="what to write; - for standard output")
    add_selection(parser)
    add_platform(parser)
    parser.add_argument(
        "--as", dest="new_name", metavar="NAME:TAG", help="name in the output, instead of its own names"
    )
    add_format(parser)
    add_compressor(parser)
    add_layer_encoding(parser)
    parser.add_argument(
        "--again", action="store_true", help="compress layers again, even if they are already compressed"
    )
    add_annotations(parser)
    add_check(parser)


def run(options: argparse.Namespace) -> int:
    import attrs

    from lamina.commands.errors import naming_layer_options, selecting_by_name, with_annotations
    from lamina.errors import BadUsage
    from lamina.media.choice import SeveralImages
    from lamina.media.write import OCI_FORMATS, write
    from lamina.oci.reference import parse_reference
    from lamina.recipe.open import open_all_platforms, open_images

    select = {"name": options.name, "tag": options.tag, "platform": options.platform}
    is_oci = options.format in OCI_FORMATS
    with naming_layer_options(), selecting_by_name():
        items = open_all_platforms(options.image, **select) if is_oci else [*open_images(options.image, **select)]
        if options.new_name:
            if len(items) > 1:
                raise SeveralImages(options.image, f"contains {len(items)} images for one name", "choose one")
            name = parse_reference(options.new_name, "--as")
            items = [attrs.evolve(item, names=(name,)) for item in items]
        if options.again and not options.layer_compressor:
            raise BadUsage("--again", "needs the compressor", "add --layer-compressor gz, zstd, zstd:chunked or none")
        write(
            [with_annotations(item, options.annotation) for item in items],
            options.output,
            format=options.format,
            compressor=options.compressor,
            layer_compressor=options.layer_compressor,
            layer_level=options.layer_level,
            compress_again=options.again,
            check=options.check,
        )
    return 0
