"""`lamina index`: put the images of several platforms into one OCI layout or archive."""

from __future__ import annotations

import argparse

from lamina.commands.parser import add_annotations, add_layer_encoding, path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", type=path, nargs="+", metavar="IMAGE", help="recipes, archives or OCI layouts")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="what to write; - for standard output")
    parser.add_argument(
        *("-t", "--name"), action="append", metavar="NAME:TAG", help="name of the index; default: those of the images"
    )
    parser.add_argument(
        "--format",
        choices=("oci-archive", "oci-layout"),
        default="oci-archive",
        help="form of the output; an oci-layout is a directory; default: oci-archive",
    )
    add_layer_encoding(parser)
    add_annotations(parser, "annotation of the index; descriptor:KEY=VALUE for the descriptor of the index")


def run(options: argparse.Namespace) -> int:
    from lamina.commands.errors import naming_layer_options, with_annotations
    from lamina.image.index import index_of
    from lamina.media.write import write
    from lamina.oci.reference import parse_reference
    from lamina.recipe.open import open_all_platforms

    names = [parse_reference(name, "--name") for name in options.name or ()]
    items = [(str(source), item) for source in options.images for item in open_all_platforms(source)]
    with naming_layer_options():
        write(
            with_annotations(index_of(items, names), options.annotation),
            options.output,
            format=options.format,
            layer_compressor=options.layer_compressor,
            layer_level=options.layer_level,
        )
    return 0
