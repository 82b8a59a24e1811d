"""Fixed recipes make fixed bytes: on this machine, on the next one, and in next year's version.

A store path's name in a layer shows where the store is, so these are built in a root directory of their own, where
`/nix/store` is what the test put there. If one changes, every user's images change: let a version number say so
(`tar.FORMAT` for layers), and say so in the notes of the release.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.archives import docker_save, layer_of, sample
from tests.support.needs import absent
from tests.support.recipes import base, recipe, root_layer, save, store_layer, tar_layer
from tests.support.trees import Link, Program, Store, Tree, make_tree

# What is needed is read before the root changes, since Python itself is not in the new one.
_BUILD = """
import os, sys
import lamina.media.read, lamina.image.base_files, lamina.media.classic, lamina.media.universal, lamina.media.write
import lamina.commands.build, lamina.commands.errors, lamina.recipe.build, lamina.recipe.open, lamina.media.choice
from lamina.data.blob import Bytes
from lamina.commands.main import main
from lamina.data.compression import detect
detect(Bytes(b"]\\0\\0"), "libmagic reads its tables")
os.umask(int(sys.argv[2], 8))
os.chroot(sys.argv[1])
os.chdir("/")
sys.exit(main(sys.argv[3:]))
"""


def build(root: Path, *arguments: str, umask: str = "022", **environment: str) -> bytes:
    command = [sys.executable, "-c", _BUILD, str(root), umask, "build", "/recipe.json", "-o", "-", *arguments]
    if os.geteuid() != 0:
        command = ["unshare", "-r", *command]
    # No directory can be made there, so that no build knows a digest from the one before it.
    nowhere = {"XDG_CACHE_HOME": "/recipe.json"}
    done = subprocess.run(command, env=os.environ | nowhere | environment, capture_output=True, timeout=60)
    if b"Operation not permitted" in done.stderr and b"unshare" in done.stderr:
        absent("neither root nor a user namespace is to be had here, so no root directory of its own")
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root directory with a store, trees, a layer, and a recipe that uses all of them."""
    store = Store(tmp_path / "root" / "nix" / "store")
    hello: Tree = {
        "bin/hello": Program(b"#!/bin/sh\n"),
        "share/doc": b"read me\n",
        "lib": None,
        "bin/hi": Link("hello"),
    }
    paths = [
        store.add("hello-1.0", hello),
        store.add("deep", {"d" * 200 + "/" + "f" * 200: b"long", "caf\udce9": b"x"}),
    ]
    top = tmp_path / "root"
    make_tree(top / "tree", {"etc/motd": b"hello\n", "opt": Link("/nix/store")})
    (top / "layer.tar").write_bytes(layer_of({"made": b"x"}))
    fields = recipe(
        store_layer(*(path.removeprefix(str(top)) for path in paths)),
        root_layer("/tree", uid=1000, gid=100, mtime=5),
        tar_layer(Path("/layer.tar")),
        names=[{"name": "app", "tag": "1"}, {"name": "quay.io/me/app", "tag": "2"}],
    )
    (top / "recipe.json").write_text(json.dumps(fields))
    return top


GOLDEN = {
    "universal": "d391b33f8f6c2bd1a0b8651507a6b5ff5de6095dcbafe8f1e6d775432835d87b",
    "classic": "509417278eb3e678b9390c9809d94544cd8463087b0bdbb24c2e092933ac5d2f",
}
ON_A_BASE = "4e0a04b49e5c77aa92a72753200bda2ef7e6ad6fff69f647a96784991718bec1"


@pytest.mark.parametrize("layout", GOLDEN)
def test_a_fixed_recipe_makes_fixed_bytes(layout: str, root: Path) -> None:
    data = build(root, "--layout", layout)
    assert hashlib.sha256(data).hexdigest() == GOLDEN[layout]


def test_a_fixed_recipe_on_a_fixed_base_makes_fixed_bytes(root: Path) -> None:
    save(docker_save([sample("below", "above", "below")]), root / "base.tar")
    fields = json.loads((root / "recipe.json").read_text()) | {"base": base(Path("/base.tar"))}
    (root / "recipe.json").write_text(json.dumps(fields))
    assert hashlib.sha256(build(root)).hexdigest() == ON_A_BASE


def test_nothing_around_it_changes_the_bytes(root: Path) -> None:
    first = build(root, umask="000", TZ="UTC", LC_ALL="C", PYTHONHASHSEED="0")
    for path in sorted(root.rglob("*"), reverse=True):
        os.utime(path, (99, 99), follow_symlinks=False)
        if os.geteuid() == 0 and path.name != "recipe.json":
            os.chown(path, 1234, 1234, follow_symlinks=False)
    again = build(root, umask="077", TZ="Asia/Kolkata", LC_ALL="C.UTF-8", PYTHONHASHSEED="7", PYTHONUTF8="0")
    assert again == first
