"""`lamina why`: show what brings a store path into an image."""

from __future__ import annotations

import argparse

from lamina.commands.parser import add_selection, json_text
from lamina.commands.source import add_registry, add_source, only, opened

TASKS = (
    ("lamina why image.json openssl --all", "every way in"),
    ("lamina why image.json openssl --from git", "from one store path to another"),
    ("lamina why image.json gcc --json | jq .exclusiveSize", "bytes that only this path brings in"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    parser.add_argument("path", metavar="PATH", help="a store path, its name, or the start of one of these")
    parser.add_argument("--all", action="store_true", help="show a chain for each field or file that leads to PATH")
    parser.add_argument("--from", dest="start", metavar="PATH", help="show the shortest chain from this store path")
    add_selection(parser)
    add_registry(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    from lamina.image.cache import Cache
    from lamina.report.contents import contents_of
    from lamina.report.style import Style
    from lamina.report.why import why, why_json, why_text

    with opened(options.image, options) as images:
        cache = Cache.of_user()
        contents = contents_of(only(images, options.image), cache=cache)
        chosen = {"everything": options.all, "start": options.start}
        result = why(contents, options.path, options.image, **chosen, cache=cache)
    if options.json:
        print(json_text(why_json(result)))
        return 0
    for line in why_text(result, Style.of_output()):
        print(line)
    return 0
