"""`lamina plan`: show which store paths are in each layer, and why."""

from __future__ import annotations

import argparse
import sys

from lamina.commands.parser import add_recipe, columns, json_text

TASKS = (("lamina plan image.json --lock layers.lock.json", "keep layers as they are"),)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_recipe(parser)
    parser.add_argument("--explain", action="store_true", help="print the layers; the default without --lock")
    parser.add_argument("--lock", metavar="FILE", help="write a lock file, for the argument `lock` of an image")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    from lamina.recipe.open import open_recipe
    from lamina.recipe.recipe import StoreLayer

    recipe = open_recipe(options.recipe)
    if options.lock:
        from lamina.planning.lock import lock_of, write_lock

        layers = [layer.paths for layer in recipe.layers if isinstance(layer, StoreLayer)]
        write_lock(lock_of(layers), options.lock)
        print(f"lamina: {options.lock}: {len(layers)} layers written", file=sys.stderr)
    if options.json or options.explain or not options.lock:
        from lamina.image.cache import Cache
        from lamina.report.plan import layer_table, planned

        plan = planned(recipe, Cache.of_user())
        width = columns() if sys.stdout.isatty() else None
        print(json_text(plan) if options.json else layer_table(plan, width))
    return 0
