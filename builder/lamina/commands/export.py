"""`lamina export`: write the file system of an image as a plain tar."""

from __future__ import annotations

import argparse

from lamina.commands.parser import add_image, add_selection, seconds

TASKS = (("lamina export image.tar -o - | tar -tv", "list every file"),)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_image(parser)
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="the file to write; - for standard output")
    add_selection(parser)
    parser.add_argument(
        *("--mtime",),
        type=seconds,
        default=1,
        metavar="SECONDS",
        help="time of every file, in seconds since 1970; default: 1",
    )


def run(options: argparse.Namespace) -> int:
    from lamina.commands.errors import selecting_by_name
    from lamina.data.destination import open_output
    from lamina.image.export import export
    from lamina.recipe.open import open_image

    with selecting_by_name(), open_output(options.output) as out:
        out.file.writelines(export(open_image(options.image, name=options.name, tag=options.tag), options.mtime))
    return 0
