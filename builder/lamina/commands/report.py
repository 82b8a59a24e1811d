"""`lamina report`: write a page about an image."""

from __future__ import annotations

import argparse

from lamina.commands.parser import add_selection
from lamina.commands.source import add_registry, add_source, only, opened, source

TASKS = (("lamina report image.json --against old.tar -o image.html", "also what differs, and what the update costs"),)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="the HTML file to write")
    parser.add_argument("--against", type=source, metavar="OLD", help="also show what differs from this image")
    add_selection(parser)
    add_registry(parser)


def run(options: argparse.Namespace) -> int:
    from lamina.commands.errors import selecting_by_name
    from lamina.data.destination import open_output
    from lamina.image.cache import Cache
    from lamina.image.hashing import with_digests
    from lamina.report.compare import compare
    from lamina.report.contents import contents_of
    from lamina.report.page.data import page_data
    from lamina.report.page.render import page
    from lamina.report.references import searched
    from lamina.report.update import update

    cache = Cache.of_user()
    with selecting_by_name(), opened(options.image, options) as images:
        contents = contents_of(with_digests(only(images, options.image), cache), files=True, cache=cache)
        contents = searched(contents, cache=cache)
        if options.against is None:
            data = page_data(contents)
        else:
            with opened(options.against, options) as old:
                before = contents_of(with_digests(only(old, options.against), cache), files=True, cache=cache)
                comparison = compare(before, contents)
                data = page_data(contents, comparison, update(comparison))
    with open_output(options.output) as out:
        out.file.write(page(data).encode())
    return 0
