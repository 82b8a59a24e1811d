"""`lamina provenance`: write how an image was built, for others to verify."""

from __future__ import annotations

import argparse

from lamina.commands.parser import add_layer_encoding, add_recipe, json_text

_BUILDER = "urn:lamina:builder:unspecified"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_recipe(parser)
    add_layer_encoding(parser)
    text = "URI of the builder, such as the address of a CI system; default: " + _BUILDER
    parser.add_argument("--builder-id", type=_uri, default=_BUILDER, metavar="URI", help=text)
    parser.add_argument("--derivation", metavar="PATH", help="the derivation that built the recipe (*.drv)")
    text = "file for the statement; default: standard output"
    parser.add_argument("-o", "--output", default="-", metavar="OUT", help=text)


def run(options: argparse.Namespace) -> int:
    from lamina.commands.errors import naming_layer_options
    from lamina.data.destination import write_text
    from lamina.data.progress import Progress
    from lamina.image.cache import Cache
    from lamina.image.encoding import layer_encoding
    from lamina.media.oci_content import oci_content
    from lamina.recipe.open import build_image, open_recipe
    from lamina.recipe.provenance import provenance

    recipe = open_recipe(options.recipe)
    with naming_layer_options(), Progress(f"reading {options.recipe}") as progress:
        encoding = layer_encoding(options.layer_compressor, options.layer_level)
        content = oci_content([build_image(recipe)], encoding, Cache.of_user(), progress)
    [top] = content.tops
    statement = provenance(recipe, top.digest, recipe.names, options.builder_id, options.derivation)
    text = json_text(statement, sort_keys=True)
    write_text(options.output, text)
    return 0


def _uri(text: str) -> str:
    scheme, colon, rest = text.partition(":")
    if not (colon and rest and scheme.isascii() and scheme[:1].isalpha() and text.isprintable() and " " not in text):
        raise argparse.ArgumentTypeError(f"{text!r:.80} is not a URI")
    return text
