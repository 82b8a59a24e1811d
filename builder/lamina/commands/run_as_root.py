"""`lamina run-as-root`: make the layer of a script that runs as root on a base, inside a Nix derivation."""

from __future__ import annotations

import argparse

from lamina.commands.parser import owner, path, sourcing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "shell", metavar="SHELL", help="the program that runs the script: its path in the image or in the store"
    )
    parser.add_argument("script", metavar="FILE", help="the script: its path in the image or in the store")
    parser.add_argument(
        "directories",
        nargs="*",
        metavar="DIR",
        help="files for the root directory, on top of the base; a later DIR replaces files of an earlier one",
    )
    parser.add_argument("-o", "--output", required=True, metavar="OUT")
    parser.add_argument(
        "--base", type=path, metavar="IMAGE", help="an archive or a layout; default: an empty root directory"
    )
    parser.add_argument("--base-name", metavar="NAME", help="which image of the base")
    parser.add_argument("--base-tag", metavar="TAG", help="which image of the base")
    parser.add_argument("--architecture", metavar="ARCH", help="which platform of the base; default: this machine's")
    parser.add_argument("--uid", type=owner, default=0, help="owner of the files from DIR; default: 0")
    parser.add_argument("--gid", type=owner, default=0, help="their group; default: 0")
    parser.add_argument("--keep-dirlinks", action="store_true", help="keep symbolic links to directories")
    parser.add_argument(
        "--then",
        nargs=2,
        metavar=("SHELL", "FILE"),
        help="a script that runs afterwards in the root directory of the new layer",
    )


def run(options: argparse.Namespace) -> int:
    from lamina.data.destination import open_output
    from lamina.image.rootfs import empty
    from lamina.rootless.script import run_as_root
    from lamina.store.ownership import Stamp
    from lamina.store.root_tree import root_items
    from lamina.store.tree_blob import TreeBlob

    stamp = Stamp(uid=options.uid, gid=options.gid)
    if options.base:
        from lamina.recipe.open import open_base_files
        from lamina.recipe.recipe import Base

        base = Base(str(options.base), options.base_name, options.base_tag)
        base_files = open_base_files(base, options.architecture, data=True)[1]
        below = base_files.has_directory
        items = root_items(options.directories, stamp, keep_dirlinks=options.keep_dirlinks, below=below)
        root, at_root = base_files.root, base_files.place(items)
    else:
        root, at_root = empty(), root_items(options.directories, stamp, keep_dirlinks=options.keep_dirlinks)
    extra = sourcing(*options.then) if options.then else None
    script = [options.shell, options.script]
    with run_as_root(root, at_root, script, extra, root=not options.base) as items, open_output(options.output) as out:
        out.file.writelines(TreeBlob.of(items).chunks())
    return 0
