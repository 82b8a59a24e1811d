"""`lamina pack`: make a layer from directories, inside a Nix derivation."""

from __future__ import annotations

import argparse
import os

from lamina.commands.parser import owner
from lamina.errors import BadUsage

ROOT_HELP = "when the root directory itself is in the layer; changed: if it is not 0755 of 0:0; default: never"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "directories", nargs="+", metavar="DIR", help="files for the root; a later DIR replaces files of an earlier one"
    )
    parser.add_argument("-o", "--output", required=True, metavar="OUT")
    parser.add_argument("--uid", type=owner, default=0, help="owner of everything; default: 0")
    parser.add_argument("--gid", type=owner, default=0, help="group of everything; default: 0")
    parser.add_argument("--mtime", default="@1", help="time of every file: ISO 8601, or @SECONDS; default: @1")
    parser.add_argument(
        "--keep-modes",
        action="store_true",
        help="keep the modes of the files, of one DIR; default: modes as in the Nix store",
    )
    parser.add_argument("--keep-owners", action="store_true", help="with --keep-modes: keep the owners, too")
    parser.add_argument("--links", action="store_true", help="make links to the files instead of copies")
    parser.add_argument("--root", choices=("never", "changed", "always"), default="never", help=ROOT_HELP)
    parser.add_argument("--keep-dirlinks", action="store_true", help="keep links to directories as links")


def run(options: argparse.Namespace) -> int:
    from lamina.data.destination import open_output
    from lamina.oci.timestamps import seconds
    from lamina.store.ownership import Stamp
    from lamina.store.root_tree import link_items, root_items
    from lamina.store.tree import packed_items
    from lamina.store.tree_blob import TreeBlob

    stamp = Stamp(options.uid, options.gid, seconds(options.mtime, "--mtime", "pack"))
    if options.links:
        items = link_items(options.directories, stamp)
    elif not options.keep_modes:
        items = root_items(options.directories, stamp, keep_dirlinks=options.keep_dirlinks)
    elif len(options.directories) == 1:
        items = packed_items(
            os.fsencode(options.directories[0]), stamp, keep_owners=options.keep_owners, root=options.root
        )
    else:
        raise BadUsage("--keep-modes", f"{len(options.directories)} directories", "give one")
    with open_output(options.output) as out:
        out.file.writelines(TreeBlob.of(items).chunks())
    return 0
