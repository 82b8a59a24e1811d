"""`lamina recipe`: make a recipe inside a Nix derivation."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--layers", action="store_true", help="make the result of buildLayer instead")
    kinds.add_argument("--database", action="store_true", help="make the layer with Nix' database instead")
    parser.add_argument("-o", "--output", required=True, metavar="OUT")


def run(options: argparse.Namespace) -> int:
    from lamina.data.destination import open_output
    from lamina.recipe.derivation import attributes_file, json_text, make_database, make_layers, make_recipe
    from lamina.recipe.recipe import recipe_json

    path = attributes_file()
    if options.database:
        made = make_database(path)
    else:
        made = iter([json_text(make_layers(path) if options.layers else recipe_json(make_recipe(path)))])
    with open_output(options.output) as out:
        out.file.writelines(made)
    return 0
