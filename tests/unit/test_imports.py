"""Starting is cheap: a command imports what it needs, since the builder starts once for every derivation."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .archives import WRAPPERS, docker_save, sample, tar_of
from .recipes import base, recipe, root_layer, write_recipe
from .trees import make_tree

_RUN = """
import json, sys
from builder.cli import main
try:
    status = main(sys.argv[1:])
except SystemExit as end:
    status = end.code or 0
print("\\n" + json.dumps(sorted(sys.modules)))
sys.exit(status)
"""


def imported(*arguments: object) -> set[str]:
    command = [sys.executable, "-c", _RUN, *map(str, arguments)]
    out = subprocess.run(command, check=True, capture_output=True).stdout
    return set(json.loads(out.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("build", "--help")], ids=" ".join)
def test_to_say_what_it_is_it_needs_next_to_nothing(arguments: tuple[str, ...]) -> None:
    modules = imported(*arguments)
    own = {name for name in modules if name.partition(".")[0] == "builder"}
    assert own == {f"builder{name}" for name in ("", ".arguments", ".cli", ".cli_inside", ".errors", ".limits")}
    assert not {"attr", "attrs", "magic", "zstandard", "http", "ssl", "asyncio", "hashlib"} & modules


def test_building_without_a_base_needs_no_decoder(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", {"f": b"x"})
    modules = imported("build", write_recipe(recipe(root_layer(tree)), tmp_path), "-o", tmp_path / "out.tar")
    assert "builder.media.universal" in modules
    assert not {"magic", "zstandard", "http", "ssl", "asyncio"} & modules


def test_building_on_a_base_needs_the_decoder_of_the_base(tmp_path: Path) -> None:
    path = tmp_path / "base.tar"
    path.write_bytes(WRAPPERS["gzip"](tar_of(docker_save([sample()]))))
    modules = imported("build", write_recipe(recipe(base=base(path)), tmp_path), "-o", tmp_path / "out.tar")
    assert "magic" in modules and "zstandard" not in modules
