"""`lamina fake-root`: make a layer from a directory after a script that appears to run as root."""

from __future__ import annotations

import argparse
import os

from lamina.commands.parser import sourcing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", metavar="DIR", help="the files at the root; the directory is not changed")
    parser.add_argument("shell", metavar="SHELL", help="the program that runs the script")
    parser.add_argument("script", metavar="FILE", help="the script")
    parser.add_argument("-o", "--output", required=True, metavar="OUT")
    parser.add_argument("--mtime", default="@1", help="time of every file: ISO 8601, or @SECONDS; default: @1")
    parser.add_argument("--root", action="store_true", help="put the root directory into the layer even if unchanged")
    parser.add_argument("--chroot", action="store_true", help="run the script with DIR as its root directory")


def run(options: argparse.Namespace) -> int:
    from lamina.data.destination import open_output
    from lamina.oci.timestamps import seconds
    from lamina.rootless.script import fake_root
    from lamina.store.ownership import Stamp
    from lamina.store.tree import packed_items, timed
    from lamina.store.tree_blob import TreeBlob

    mtime = seconds(options.mtime, "--mtime", "fake-root")
    at_root = packed_items(os.fsencode(options.directory), Stamp())
    script = sourcing(options.shell, options.script)
    with (
        fake_root(at_root, script, chroot=options.chroot, root=options.root) as items,
        open_output(options.output) as out,
    ):
        out.file.writelines(TreeBlob.of(timed(items, mtime)).chunks())
    return 0
