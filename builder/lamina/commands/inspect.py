"""`lamina inspect`: show what an image contains."""

from __future__ import annotations

import argparse

from lamina.commands.parser import add_selection, json_text
from lamina.commands.source import add_registry, add_source, opened

TYPE_CHECKING = False  # typing's own would import typing
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lamina.data.budget import Meter
    from lamina.oci.strict_json import Json
    from lamina.report.contents import Contents
    from lamina.report.style import Style


TASKS = (
    ("lamina inspect image.json --largest 10", "why it is large"),
    ("lamina inspect image.json --tree", "which store paths refer to which"),
    ("lamina inspect image.tar --files '*.so*'", "files by path or name"),
    ("lamina inspect docker://quay.io/org/app:1", "an image in a registry"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    parser.add_argument("--layers", action="store_true", help="show every store path of each layer, with its size")
    parser.add_argument("--tree", action="store_true", help="show which store paths refer to which")
    parser.add_argument("--largest", type=int, metavar="N", help="show the N largest store paths")
    parser.add_argument("--files", metavar="PATTERN", help="show the files with such a path or name, as in `*.so*`")
    add_selection(parser)
    add_registry(parser)
    parser.add_argument("--json", action="store_true", help="print JSON; the options above add to it")


def run(options: argparse.Namespace) -> int:
    from lamina.data.budget import Meter
    from lamina.data.progress import Progress
    from lamina.image.cache import Cache
    from lamina.image.hashing import all_with_digests
    from lamina.limits import LAYER_MEMBERS
    from lamina.report.contents import all_contents
    from lamina.report.references import Searches, searched
    from lamina.report.style import Style

    cache = Cache.of_user()
    with opened(options.image, options) as images:
        with Progress("reading layers") as progress:
            measured = all_with_digests(images, cache, progress)
        found = all_contents(measured, cache=cache)
        if options.tree:
            searches = Searches()
            found = [searched(contents, cache=cache, searches=searches) for contents in found]
        headers = Meter(LAYER_MEMBERS)
        if options.json:
            print(json_text([_json(contents, options, headers) for contents in found], sort_keys=True))
            return 0
        style = Style.of_output()
        for number, contents in enumerate(found):
            if number:
                print()
            for line in _lines(contents, options, style, headers):
                print(line)
    return 0


def _json(contents: Contents, options: argparse.Namespace, headers: Meter) -> Json:
    from lamina.report import views
    from lamina.report.describe import describe

    result = describe(contents)
    if options.layers:
        result["layerDetails"] = views.layers_json(contents)
    if options.tree or options.largest is not None:
        result["paths"] = views.paths_json(contents)[: options.largest]
    if options.files:
        result["files"] = views.files_json(contents, options.files, headers)
    return result


def _lines(contents: Contents, options: argparse.Namespace, style: Style, headers: Meter) -> Iterator[str]:
    from lamina.report import views
    from lamina.report.describe import describe, text

    if options.files:
        yield from views.files_text(contents, options.files, style, headers)
        return
    chosen = options.layers or options.tree or options.largest is not None
    yield text(describe(contents), style, layers=not chosen)
    if options.layers:
        yield from views.layers_text(contents, style)
    if options.tree:
        yield from views.tree_text(contents, style)
    if options.largest is not None:
        yield from views.largest_text(contents, options.largest, style)
