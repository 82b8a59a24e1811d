"""The reports know an image again that a consumer loaded and saved: its store paths, references, size and config."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from tests.support.archives import Piece, folder, tar_of
from tests.support.builds import COMMAND
from tests.support.consumers.adapters import Consumer
from tests.support.consumers.base import Form, unique
from tests.support.consumers.scores import PAIRS
from tests.support.recipes import archive_of, recipe, root_layer, tar_layer
from tests.support.selection import first_of_family, thorough
from tests.support.trees import hashed_name, make_tree

POLICY = """\
[forbidden]
paths = ["lib-*"]
"""


@frozen
class Commands:
    """`lamina` in one directory, with a cache of its own."""

    directory: Path

    def run(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        environment = {"XDG_CACHE_HOME": str(self.directory / "cache"), "PATH": "/usr/bin:/bin"}
        return subprocess.run(
            [COMMAND, *words],
            cwd=self.directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def json(self, *words: str | Path) -> Any:
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


LIB, APP = (f"/nix/store/{hashed_name(name)}" for name in ("lib-1.0", "app-2.0"))
CONFIG = {"Cmd": [f"{APP}/bin/app"], "Env": ["A=1"]}


def layer(path: str, data: bytes, directory: Path) -> dict[str, Any]:
    """A layer with one store path, of one file."""
    folders = [folder("nix"), folder("nix/store"), folder(path[1:])]
    file = directory / f"{Path(path).name}.tar"
    file.write_bytes(tar_of([*folders, Piece(f"{path[1:]}/file", data)]))
    return tar_layer(file)


def made(directory: Path, name: str) -> Path:
    """The archive of an image with two store paths, of which APP refers to LIB, and a file."""
    layers = (layer(LIB, b"x" * 70_000, directory), layer(APP, LIB.encode(), directory))
    tree = make_tree(directory / "tree", {"etc/motd": b"hello\n"})
    fields = recipe(*layers, root_layer(tree), config=CONFIG, names=[{"name": name, "tag": "1"}])
    return archive_of(fields, directory / "image.tar")


@pytest.mark.parametrize(
    ("kind", "form"),
    [pytest.param(kind, form, marks=() if first_of_family(kind) else thorough) for kind, form in PAIRS],
)
def test_reports(kind: str, form: Form, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    consumer: Consumer = request.getfixturevalue(kind)
    archive = made(tmp_path, unique("reported"))
    [name] = consumer.load(archive)
    consumer.save(name, tmp_path / "saved.tar", form)
    consumer.remove(name)
    commands = Commands(tmp_path)
    [inspected] = commands.json("inspect", "saved.tar", "--json")
    [original] = commands.json("inspect", "image.tar", "--json")
    assert [layer["diffId"] for layer in inspected["layers"]] == [layer["diffId"] for layer in original["layers"]]
    assert inspected["config"]["config"] == original["config"]["config"]

    why = commands.json("why", "saved.tar", "lib", "--json")
    assert why["exclusive"] == [LIB]
    [chain] = why["chains"]
    assert chain["paths"] == [APP, LIB]

    difference = commands.json("diff", "image.tar", "saved.tar", "--json")
    assert not any([*difference["paths"].values(), *difference["files"].values()])
    assert difference["layers"] and not any(layer["new"] for layer in difference["layers"])

    bill = commands.json("sbom", "saved.tar", "--format", "cyclonedx")
    assert sorted(part["name"] for part in bill["components"]) == ["app", "lib"]

    (tmp_path / "policy.toml").write_text(POLICY)
    checked = commands.run("check", "saved.tar", "--policy", "policy.toml")
    assert checked.returncode == 1 and f"{LIB} matches lib-*" in checked.stderr

    assert commands.run("report", "saved.tar", "--against", "image.tar", "-o", "page.html").returncode == 0
    assert Path(APP).name in (tmp_path / "page.html").read_text()
