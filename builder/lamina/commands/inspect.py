"""`lamina inspect`: show what an image contains."""

from __future__ import annotations

import argparse

from lamina.commands.parser import add_image, json_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_image(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    from lamina.report.describe import inspect, table

    images = inspect(options.image)
    print(json_text(images, sort_keys=True) if options.json else table(images))
    return 0
