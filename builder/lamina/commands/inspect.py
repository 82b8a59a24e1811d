"""`lamina inspect`: show what an image contains."""

from __future__ import annotations

import argparse

from lamina.commands.parser import json_text, path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", type=path, metavar="IMAGE", help="a recipe, an archive or an OCI layout")
    parser.add_argument("--json", action="store_true", help="for programs")


def run(options: argparse.Namespace) -> int:
    from lamina.report.describe import inspect, table

    images = inspect(options.image)
    print(json_text(images, sort_keys=True) if options.json else table(images))
    return 0
