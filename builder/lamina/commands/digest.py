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
        "--format",
        choices=("oci-layout", "oci-archive", "universal"),
        default="oci-layout",
        help="form of the image that has the digest; a pushed image has the digest of the OCI forms, and Docker with "
        "containerd's store shows that of universal; default: oci-layout",
    )
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
    from lamina.image.hashing import with_digests
    from lamina.media.oci_content import oci_content
    from lamina.media.write import only_plain
    from lamina.recipe.open import open_everything
    from lamina.report.digests import digests, plain_digests

    select = {"name": options.name, "tag": options.tag, "platform": options.platform}
    cache = Cache.of_user()
    with naming_layer_options(), selecting_by_name(), Progress(f"reading {options.image}") as progress:
        item = with_annotations(open_everything(options.image, **select), options.annotation)
        encoding = layer_encoding(options.layer_compressor, options.layer_level)
        if options.format == "universal":
            found = plain_digests(with_digests(only_plain(item, options.format, encoding), cache, progress))
        else:
            found = digests(oci_content([item], encoding, cache, progress))
    top = found.get("index") or found["manifest"]
    write_text(options.output, json_text(found) if options.json else top["digest"])
    return 0
