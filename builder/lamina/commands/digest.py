"""`lamina digest`: print the digest that an image has in a registry."""

from __future__ import annotations

import argparse

from lamina.commands.parser import (
    add_annotations,
    add_image,
    add_layer_encoding,
    add_platform,
    add_selection,
    json_text,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_image(parser)
    add_selection(parser)
    add_platform(parser)
    add_layer_encoding(parser)
    add_annotations(parser)
    parser.add_argument(
        "-o", "--output", default="-", metavar="OUT", help="file for the digest; default: standard output"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, with config and layers")


def run(options: argparse.Namespace) -> int:
    from lamina.commands.errors import naming_layer_options, selecting_by_name, with_annotations
    from lamina.data.destination import write_text
    from lamina.data.progress import Progress
    from lamina.image.cache import Cache
    from lamina.image.encoding import layer_encoding
    from lamina.media.oci_content import oci_content
    from lamina.recipe.open import open_everything
    from lamina.report.digests import digests

    select = {"name": options.name, "tag": options.tag, "platform": options.platform}
    with naming_layer_options(), selecting_by_name(), Progress(f"reading {options.image}") as progress:
        item = with_annotations(open_everything(options.image, **select), options.annotation)
        encoding = layer_encoding(options.layer_compressor, options.layer_level)
        content = oci_content([item], encoding, Cache.of_user(), progress)
    [top] = content.tops
    text = json_text(digests(content)) if options.json else top.digest
    write_text(options.output, text)
    return 0
