"""The commands that Nix derivations run: they make recipes and layers."""

from __future__ import annotations

import argparse
import os

from builder.arguments import Command, owner, path
from builder.errors import BadUsage

# Each command imports what it needs: the builder starts once for every derivation.


def _recipe_takes(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--layers", action="store_true", help="the layers of buildLayer instead")
    what.add_argument("--database", action="store_true", help="the layer with a database of its store paths instead")
    parser.add_argument("-o", "--output", required=True, type=path, metavar="OUT")


def _recipe(options: argparse.Namespace) -> int:
    from builder.derivation import attributes_file, json_text, make_database, make_layers, make_recipe
    from builder.output import whole_file
    from builder.recipe import recipe_json

    path = attributes_file()
    if options.database:
        made = make_database(path)
    else:
        made = iter([json_text(make_layers(path) if options.layers else recipe_json(make_recipe(path)))])
    with whole_file(options.output) as out:
        out.writelines(made)
    return 0


def _pack_takes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directories", nargs="+", metavar="DIR", help="what is to lie at the root; later over earlier")
    parser.add_argument("-o", "--output", required=True, type=path, metavar="OUT")
    parser.add_argument("--uid", type=owner, default=0, help="owner of everything; default: 0")
    parser.add_argument("--gid", type=owner, default=0, help="group of everything; default: 0")
    parser.add_argument("--mtime", default="@1", help="of everything: ISO 8601, or @SECONDS; default: @1")
    parser.add_argument("--keep-modes", action="store_true", help="of one DIR, instead of those that Nix gives files")
    parser.add_argument("--keep-owners", action="store_true", help="with --keep-modes: the owners too")
    parser.add_argument("--links", action="store_true", help="files become links to where they are")
    parser.add_argument("--keep-dirlinks", action="store_true", help="links to directories stay links")


def _pack(options: argparse.Namespace) -> int:
    from builder.output import whole_file
    from builder.spec import seconds
    from builder.stamp import Stamp
    from builder.tree import link_items, packed_items, root_items
    from builder.tree_blob import TreeBlob

    stamp = Stamp(options.uid, options.gid, seconds(options.mtime, "--mtime", "pack"))
    if options.links:
        items = link_items(options.directories, stamp)
    elif not options.keep_modes:
        items = root_items(options.directories, stamp, keep_dirlinks=options.keep_dirlinks)
    elif len(options.directories) == 1:
        items = packed_items(os.fsencode(options.directories[0]), stamp, keep_owners=options.keep_owners)
    else:
        raise BadUsage("--keep-modes", f"{len(options.directories)} directories", "give one")
    with whole_file(options.output) as out:
        out.writelines(TreeBlob.of(items).chunks())
    return 0


def _run_as_root_takes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", metavar="SHELL", help="the program to run, by its path in the image or in the store")
    parser.add_argument("script", metavar="FILE", help="shell commands, the same")
    parser.add_argument("directories", nargs="*", metavar="DIR", help="what lies at the root over the base")
    parser.add_argument("-o", "--output", required=True, type=path, metavar="OUT")
    parser.add_argument("--base", type=path, metavar="IMAGE", help="an archive or a layout; default: nothing")
    parser.add_argument("--base-name", metavar="NAME", help="which image of it")
    parser.add_argument("--base-tag", metavar="TAG", help="which image of it")
    parser.add_argument("--architecture", metavar="ARCH", help="which platform of it; default: this machine's")
    parser.add_argument("--uid", type=owner, default=0, help="owner of what lies in DIR; default: 0")
    parser.add_argument("--gid", type=owner, default=0, help="group of it; default: 0")
    parser.add_argument("--keep-dirlinks", action="store_true", help="links to directories stay links")
    parser.add_argument("--then", nargs=2, metavar=("SHELL", "FILE"), help="runs afterwards, in the layer's root")


def _run_as_root(options: argparse.Namespace) -> int:
    from builder.output import whole_file
    from builder.rootfs import empty
    from builder.rootless.script import run_as_root
    from builder.stamp import Stamp
    from builder.tree import root_items
    from builder.tree_blob import TreeBlob

    stamp = Stamp(uid=options.uid, gid=options.gid)
    if options.base:
        from builder.media import read_image
        from builder.onto import Ground

        base = read_image(options.base, options.base_name, options.base_tag, options.architecture)
        ground = Ground.of(base, str(options.base), data=True)
        below = ground.has_directory
        items = root_items(options.directories, stamp, keep_dirlinks=options.keep_dirlinks, below=below)
        root, at_root = ground.root, ground.place(items)
    else:
        root, at_root = empty(), root_items(options.directories, stamp, keep_dirlinks=options.keep_dirlinks)
    extra = _sourcing(*options.then) if options.then else None
    script = [options.shell, options.script]
    with run_as_root(root, at_root, script, extra) as items, whole_file(options.output) as out:
        out.writelines(TreeBlob.of(items).chunks())
    return 0


def _fake_root_takes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", metavar="DIR", help="what lies at the root; it stays as it is")
    parser.add_argument("shell", metavar="SHELL")
    parser.add_argument("script", metavar="FILE", help="shell commands")
    parser.add_argument("-o", "--output", required=True, type=path, metavar="OUT")
    parser.add_argument("--mtime", default="@1", help="of everything: ISO 8601, or @SECONDS; default: @1")
    parser.add_argument("--chroot", action="store_true", help="with the directory as the root directory")


def _fake_root(options: argparse.Namespace) -> int:
    from builder.output import whole_file
    from builder.rootless.script import fake_root
    from builder.spec import seconds
    from builder.stamp import Stamp
    from builder.tree import packed_items, timed
    from builder.tree_blob import TreeBlob

    mtime = seconds(options.mtime, "--mtime", "fake-root")
    at_root = packed_items(os.fsencode(options.directory), Stamp())
    script = _sourcing(options.shell, options.script)
    with fake_root(at_root, script, chroot=options.chroot) as items, whole_file(options.output) as out:
        out.writelines(TreeBlob.of(timed(items, mtime)).chunks())
    return 0


def _sourcing(shell: str, script: str) -> list[str]:
    return [shell, "-euc", 'source "$1"', "script", os.path.abspath(script)]


INSIDE = (
    Command(
        "recipe",
        "make a recipe inside a Nix derivation",
        "lamina recipe -o $out  # see nix/lib/recipe.nix",
        _recipe_takes,
        _recipe,
    ),
    Command("pack", "make a layer of directories", "lamina pack root -o layer.tar --uid 1000", _pack_takes, _pack),
    Command(
        "run-as-root",
        "make the layer of a script that runs as root on a base",
        "lamina run-as-root /bin/sh /script.sh --base base.tar -o layer.tar  # see nix/lib/run-as-root.nix",
        _run_as_root_takes,
        _run_as_root,
    ),
    Command(
        "fake-root",
        "make a layer of a directory after a script that seems to be root",
        "lamina fake-root root bash commands.sh -o layer.tar",
        _fake_root_takes,
        _fake_root,
    ),
)
