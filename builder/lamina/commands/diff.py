"""`lamina diff`: show what differs between two images, and what the update costs."""

from __future__ import annotations

import argparse

from lamina.commands.parser import json_text
from lamina.commands.source import add_registry, add_source, only, opened
from lamina.data.compressors import COMPRESSORS, LAYER_COMPRESSORS

DIFFERENT = 3
"""Exit status with --exit-code: 1 is bad input, 2 is bad usage."""


TASKS = (
    ("lamina diff old.json new.json --markdown", "for a comment in a pull request"),
    ("lamina diff old.json new.json --exit-code", "exit with 3 if they differ"),
    ("lamina diff docker://quay.io/org/app:1 new.json", "against what is in a registry"),
    ("lamina diff old.json new.json --layer-compressor zstd", "with compressed layers"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    text = "a recipe, an archive, an OCI layout, or docker://NAME:TAG"
    add_source(parser, "old", "OLD", f"{text}: the image before")
    add_source(parser, "new", "NEW", f"{text}: the image after; - for standard input")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--markdown", action="store_true", help="print Markdown for a pull request")
    parser.add_argument(
        "--layer-compressor",
        choices=[name for name in LAYER_COMPRESSORS if name in COMPRESSORS],
        help="compress new layers to find out what a registry sends; default: their size in the file",
    )
    parser.add_argument("--exit-code", action="store_true", help=f"exit with {DIFFERENT} if the images differ")
    parser.add_argument("--name", metavar="NAME", help="in files with several images, select the one with this name")
    parser.add_argument("--tag", metavar="TAG", help="in files with several images, select the one with this tag")
    add_registry(parser)


def run(options: argparse.Namespace) -> int:
    from lamina.data.progress import Progress
    from lamina.image.cache import Cache
    from lamina.image.hashing import all_with_digests
    from lamina.report import difference
    from lamina.report.compare import compare
    from lamina.report.contents import contents_of
    from lamina.report.style import Style
    from lamina.report.update import update

    cache = Cache.of_user()
    with opened(options.old, options) as old, opened(options.new, options) as new:
        chosen = [only(old, options.old), only(new, options.new)]
        with Progress("reading layers") as progress:
            measured = all_with_digests(chosen, cache, progress)
        before, after = (contents_of(image, files=True, cache=cache) for image in measured)
        comparison = compare(before, after)
        cost = update(comparison, options.layer_compressor)
    if options.json:
        print(json_text(difference.difference_json(comparison, cost)))
    elif options.markdown:
        for line in difference.difference_markdown(comparison, cost):
            print(line)
    else:
        for line in difference.difference_text(comparison, cost, Style.of_output()):
            print(line)
    return DIFFERENT if options.exit_code and not comparison.is_same else 0
