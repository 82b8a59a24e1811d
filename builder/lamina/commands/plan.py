"""`lamina plan`: show which store paths are in each layer, and why."""

from __future__ import annotations

import argparse

from lamina.commands.parser import json_text, path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", type=path, metavar="RECIPE", help="the JSON that an image's `recipe` attribute makes")
    parser.add_argument("--explain", action="store_true", help="print the layers; the default, unless --lock is given")
    parser.add_argument("--lock", metavar="FILE", help="write the plan, for the argument `lock` of an image")
    parser.add_argument("--json", action="store_true", help="for programs")


def run(options: argparse.Namespace) -> int:
    from lamina.recipe.recipe import StoreLayer, read_recipe
    from lamina.report.describe import layer_table, planned

    recipe = read_recipe(options.recipe)
    if options.lock:
        from lamina.planning.lock import lock_of, write_lock

        write_lock(lock_of(layer.paths for layer in recipe.layers if isinstance(layer, StoreLayer)), options.lock)
    if options.json:
        print(json_text(planned(recipe)))
    elif options.explain or not options.lock:
        print(layer_table(planned(recipe)))
    return 0
