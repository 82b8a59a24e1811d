"""Starting is cheap: a command imports what it needs, since the builder starts once for every derivation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.archives import WRAPPERS, docker_save, sample, tar_of
from tests.support.recipes import base, recipe, root_layer, write_recipe
from tests.support.trees import Store, make_tree

_RUN = """
import sys
from lamina.commands.main import main
try:
    status = main(sys.argv[1:])
except SystemExit as end:
    status = end.code or 0
names = sorted(sys.modules)
import json
print("\\n" + json.dumps(names))
sys.exit(status)
"""


def imported(*arguments: object, **environment: str) -> set[str]:
    command = [sys.executable, "-c", _RUN, *map(str, arguments)]
    out = subprocess.run(command, check=True, capture_output=True, env={**os.environ, **environment}).stdout
    return set(json.loads(out.splitlines()[-1]))


ALWAYS = "commands commands.interrupt commands.main commands.parser errors limits"
HEAVY = {"attr", "attrs", "magic", "zstandard", "http", "ssl", "asyncio", "hashlib", "subprocess", "multiprocessing"}


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("build", "--help")], ids=" ".join)
def test_help_and_version_import_next_to_nothing(arguments: tuple[str, ...]) -> None:
    modules = imported(*arguments)
    own = {name for name in modules if name.partition(".")[0] == "lamina"}
    always = {"lamina", *(f"lamina.{name}" for name in ALWAYS.split())}
    build = {f"lamina.{name}" for name in ("commands.build", "data", "data.compressors")}
    assert own == always | (build if "build" in arguments else set())
    assert not (HEAVY | {"json", "pathlib", "shutil", "typing"}) & modules


def test_a_recipe_is_made_without_what_only_building_needs(store: Store, tmp_path: Path) -> None:
    config, hello = store.add_file("config", b"{}"), str(store.path("hello"))
    graph = [
        {"path": path, "narHash": "x", "narSize": 1, "references": references}
        for path, references in ((config, [hello]), (hello, []))
    ]
    image = {**recipe(), "names": [{"name": "app", "tag": "1"}], "inherit": "docker", "base": None}
    for field in ("version", "config", "layers"):
        del image[field]
    attributes = tmp_path / "attrs.json"
    attributes.write_text(json.dumps({"image": image, "config": config, "closure": graph}))
    modules = imported("recipe", "-o", tmp_path / "image.json", NIX_ATTRS_JSON_FILE=str(attributes))
    assert json.loads((tmp_path / "image.json").read_text())["layers"]
    own = f"""
        {ALWAYS} commands.recipe data data.destination data.output
        oci oci.config oci.reference oci.spelling oci.strict_json oci.timestamps
        recipe recipe.advice recipe.derivation recipe.recipe recipe.references store store.closure store.ownership
    """
    assert {name for name in modules if name.startswith("lamina.")} == {f"lamina.{name}" for name in own.split()}
    assert not (HEAVY | {"inspect", "secrets", "random", "shutil", "tempfile", "dataclasses"}) & modules


def test_building_without_a_base_needs_no_decoder(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", {"f": b"x"})
    modules = imported("build", write_recipe(recipe(root_layer(tree)), tmp_path), "-o", tmp_path / "out.tar")
    assert "lamina.media.universal" in modules
    readers = {
        f"lamina.{name}" for name in ("media.files", "media.docker_archive", "media.oci_layout", "image.base_files")
    }
    own = {f"lamina.{name}" for name in ("media.clients", "data.compression", "data.block_compression")}
    assert not (readers | own | {"subprocess", "multiprocessing", "tempfile", "shutil"}) & modules
    assert not {"magic", "zstandard", "http", "ssl", "asyncio"} & modules


def test_building_on_a_base_needs_the_decoder_of_the_base(tmp_path: Path) -> None:
    path = tmp_path / "base.tar"
    path.write_bytes(WRAPPERS["gzip"](tar_of(docker_save([sample()]))))
    modules = imported("build", write_recipe(recipe(base=base(path)), tmp_path), "-o", tmp_path / "out.tar")
    assert "magic" in modules and "zstandard" not in modules
