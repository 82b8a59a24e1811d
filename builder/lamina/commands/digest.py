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

TYPE_CHECKING = False  # typing's own would import typing
if TYPE_CHECKING:
    from lamina.data.progress import Progress
    from lamina.image.image import Image
    from lamina.image.index import ImageIndex
    from lamina.oci.strict_json import Json


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
    from lamina.recipe.open import open_everything

    select = {"name": options.name, "tag": options.tag, "platform": options.platform}
    with naming_layer_options(), selecting_by_name(), Progress(f"reading {options.image}") as progress:
        item = with_annotations(open_everything(options.image, **select), options.annotation)
        found = (
            _in_archive(item, options, progress) if options.format == "universal" else _pushed(item, options, progress)
        )
    top = found.get("index") or found["manifest"]
    write_text(options.output, json_text(found) if options.json else top["digest"])
    return 0


def _pushed(item: Image | ImageIndex, options: argparse.Namespace, progress: Progress) -> Json:
    """The digests in an OCI layout, and in a registry after a push."""
    from lamina.image.cache import Cache
    from lamina.image.encoding import layer_encoding
    from lamina.media.oci_content import oci_content
    from lamina.report.digests import digests

    encoding = layer_encoding(options.layer_compressor, options.layer_level)
    return digests(oci_content([item], encoding, Cache.of_user(), progress))


def _in_archive(item: Image | ImageIndex, options: argparse.Namespace, progress: Progress) -> Json:
    """The digests in a universal archive. Raises BadUsage: a layer compressor, or an image for several platforms."""
    from lamina.image.cache import Cache
    from lamina.image.encoding import layer_encoding
    from lamina.image.hashing import with_digests
    from lamina.media.write import only_plain
    from lamina.report.digests import plain_digests

    image = only_plain(item, "universal", layer_encoding(options.layer_compressor, options.layer_level))
    return plain_digests(with_digests(image, Cache.of_user(), progress))
