"""`lamina diff`: what changed, and what the update costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lamina.image.hashing import with_digests
from lamina.media.daemon import STORES
from lamina.report.compare import Comparison, compare
from lamina.report.contents import Contents, contents_of
from lamina.report.difference import difference_json, difference_markdown, difference_text
from lamina.report.style import Style
from lamina.report.update import Update, update
from tests.support.archives import Piece, docker_save, sample, tar_of
from tests.support.fixtures import Command
from tests.support.recipes import image_of, recipe, root_layer, save, store_layer, tar_layer, write_recipe
from tests.support.trees import Program, Store, hashed_name, make_tree, path_info


class Versions:
    """Images of an application on a library, in the stores of two builds."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, build: str, name: str, data: bytes = b"") -> str:
        """A store path whose hash depends on the build."""
        store = Store(self.directory / build / "nix/store")
        return store.add(name, {"bin/it": Program(b"#!" + data + build.encode() * 300)})

    def contents(self, *layers: dict[str, Any], references: list[str] | None = None, **changes: Any) -> Contents:
        fields = recipe(*layers, **changes)
        if references is not None:
            fields["references"] = references
        return contents_of(with_digests(image_of(fields), None), files=True)


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return Versions(tmp_path)


def named(name: str, build: str) -> str:
    return f"/nix/store/{hashed_name(name + build)[:32]}-{name}"


def lines(comparison: Comparison, cost: Update) -> str:
    return "\n".join(difference_text(comparison, cost, Style()))


def of_store(*names: tuple[str, str]) -> bytes:
    """A layer with these store paths: name and build."""
    return tar_of([Piece(named(name, build)[1:], f"{name}{build}".encode()) for name, build in names])


def image(tmp_path: Path, *layers: bytes, **changes: Any) -> Contents:
    paths = []
    for layer in layers:
        file = tmp_path / f"layer-{len(list(tmp_path.iterdir()))}.tar"
        file.write_bytes(layer)
        paths.append(tar_layer(file))
    return contents_of(with_digests(image_of(recipe(*paths, **changes)), None), files=True)


def test_versions_rebuilds_additions(tmp_path: Path) -> None:
    old = image(tmp_path, of_store(("lib-1.0", "a"), ("app-2", "a"), ("old-1", "a"), ("lib-1.0-dev", "a")))
    new = image(tmp_path, of_store(("lib-1.1", "b"), ("app-2", "b"), ("new-1", "b"), ("lib-1.0-dev", "a")))
    found = compare(old, new)
    assert [(item.old.full_name, item.new.full_name, item.is_rebuild) for item in found.changed] == [
        ("lib-1.0", "lib-1.1", False),
        ("app-2", "app-2", True),
    ]
    assert [path.full_name for path in found.added] == ["new-1"]
    assert [path.full_name for path in found.removed] == ["old-1"]
    text = lines(found, update(found))
    assert "  lib  1.0 -> 1.1\n" in text
    assert "packages rebuilt with the same version\n  app-2\n" in text
    assert "update: 1 of 1 layers are new" in text


def test_several_versions_of_one_package(tmp_path: Path) -> None:
    old = image(tmp_path, of_store(("gcc-12", "a"), ("gcc-13", "a"), ("gcc-14", "a")))
    new = image(tmp_path, of_store(("gcc-13", "b"), ("gcc-15", "a")))
    found = compare(old, new)
    assert [(item.old.full_name, item.new.full_name) for item in found.changed] == [
        ("gcc-12", "gcc-15"),
        ("gcc-13", "gcc-13"),
    ]
    assert [path.full_name for path in found.removed] == ["gcc-14"]


def graph_of(build: str) -> tuple[list[str], dict[str, Any]]:
    """app -> mid -> lib; other: with the library of this build."""
    lib, mid, app = named("lib-1", build), named("mid-1", build), named("app-1", build)
    other = named("other-1", "same")
    paths = [lib, mid, app, other]
    return paths, recipe(store_layer(*paths), references=["", "0", "1", ""])


def test_the_dependency_for_which_something_was_rebuilt() -> None:
    (_, before), (_, after) = graph_of("a"), graph_of("b")
    found = compare(contents_of(image_of(before)), contents_of(image_of(after)))
    assert {item.new.full_name: item.because for item in found.changed} == {
        "lib-1": (),
        "mid-1": ("lib-1",),
        "app-1": ("lib-1",),
    }


def reasons(old: Contents, new: Contents) -> list[tuple[str, ...]]:
    found = compare(old, new)
    return [layer.reasons for layer in update(found).layers]


def test_why_each_layer_changed(versions: Versions) -> None:
    lib, app, extra = (versions.path("one", name) for name in ("lib-1", "app-1", "extra-1"))
    tree = make_tree(versions.directory / "old tree", {"etc/motd": b"hello"})
    before = versions.contents(store_layer(lib, app), store_layer(extra), root_layer(tree))
    tree = make_tree(versions.directory / "tree", {"etc/motd": b"jello"})
    again = versions.contents(store_layer(lib, app), store_layer(extra), root_layer(tree))
    assert reasons(before, again) == [(), (), ("files differ: /etc/motd",)]
    moved = versions.contents(store_layer(lib), store_layer(app, extra), root_layer(tree))
    assert reasons(again, moved) == [
        ("another plan: app-1 moved to other layers",),
        ("another plan: extra-1 moved here from other layers", "another plan: lib-1 moved to other layers"),
        (),
    ]
    owned = versions.contents(store_layer(lib, app, uid=7), store_layer(extra), root_layer(tree))
    assert reasons(again, owned) == [("owner, time or modes of its files differ",), (), ()]
    smaller = versions.contents(store_layer(lib), store_layer(extra), root_layer(tree))
    assert reasons(again, smaller) == [("app-1 removed",), (), ()]
    other = versions.path("two", "app-1")
    rebuilt = versions.contents(store_layer(lib, other), store_layer(extra), root_layer(tree))
    assert reasons(again, rebuilt) == [("app-1 was rebuilt",), (), ()]
    newer = versions.contents(store_layer(lib, versions.path("two", "app-2")), store_layer(extra), root_layer(tree))
    assert reasons(again, newer) == [("app 1 -> 2",), (), ()]


def test_what_an_update_costs(versions: Versions) -> None:
    lib, app, top = (versions.path("one", name) for name in ("lib-1", "app-1", "top-1"))
    other = versions.path("two", "app-1")
    before = versions.contents(store_layer(lib), store_layer(app), store_layer(top))
    after = versions.contents(store_layer(lib), store_layer(other), store_layer(top))
    cost = update(compare(before, after))
    middle, last = after.layers[1].size or 0, after.layers[2].size or 0
    assert [layer.pull for layer in cost.layers] == [0, middle, 0]
    assert middle < cost.pull < middle + 3000
    assert cost.load["docker"] - cost.load["podman"] == last + 512
    assert cost.load["podman"] == cost.load["containerd"] == cost.load["docker-containerd"]
    assert [(item.name, item.changed) for item in cost.packages] == [("app", True)]
    packed = update(compare(before, after), "zstd")
    assert packed.is_compressed
    assert packed.pull < cost.pull
    same = update(compare(before, before))
    assert same.pull == 0
    assert same.load == dict.fromkeys(STORES, 0)


def test_config(versions: Versions) -> None:
    before = {"Cmd": ["a"], "Env": ["A=1", "B=2"], "Labels": {"x": "1"}, "User": "0"}
    after = {"Cmd": ["a", "b"], "Env": ["A=1", "B=3"], "Labels": {"y": "1"}, "ExposedPorts": {"80/tcp": {}}}
    found = compare(versions.contents(config=before), versions.contents(config=after))
    assert {item.field: (item.old, item.new) for item in found.config} == {
        "Cmd": ('["a"]', '["a", "b"]'),
        "Env.B": ("2", "3"),
        "Labels.x": ("1", None),
        "Labels.y": (None, "1"),
        "User": ("0", None),
        "ExposedPorts.80/tcp": (None, ""),
    }
    assert not found.is_same


def test_files_of_images_by_other_tools(tmp_path: Path) -> None:
    below = tar_of([Piece("a", b"1"), Piece("d/b", b"1"), Piece("d/c", b"1"), Piece("e/f", b"1"), Piece("same", b"1")])
    above = tar_of(
        [Piece("a", b"2"), Piece("d/.wh.b"), Piece("e/.wh..wh..opq"), Piece("e/g", b"1"), Piece("same", b"1")]
    )
    found = compare(image(tmp_path, below), image(tmp_path, below, above))
    assert (found.files_added, found.files_removed, found.files_changed) == (("e/g",), ("d/b", "e/f"), ("a",))


def test_the_command(tmp_path: Path, lamina: Command) -> None:
    one = save(docker_save([sample("x")]), tmp_path / "one.tar")
    two = save(docker_save([sample("y")]), tmp_path / "two.tar")
    assert lamina("diff", one, one).stdout == b"the same image\n"
    assert lamina("diff", one, one, "--exit-code").returncode == 0
    assert lamina("diff", one, two).returncode == 0
    assert lamina("diff", one, two, "--exit-code").returncode == 3
    assert lamina("diff", one, tmp_path / "absent").returncode == 1
    assert lamina("diff", one).returncode == 2
    shown = json.loads(lamina("diff", one, two, "--json").stdout)
    assert [layer["new"] for layer in shown["layers"]] == [True]
    assert b"No change" in lamina("diff", one, one, "--markdown").stdout


def test_nothing_in_an_image_steers_a_terminal_or_a_page(tmp_path: Path) -> None:
    evil = "\x1b[31m\x9b\u202e<script>|`"
    layer = tar_of([Piece(f"x{evil}".replace("/", ""), b"1")])
    path = tmp_path / "layer.tar"
    path.write_bytes(layer)
    fields = recipe(tar_layer(path), config={"Labels": {evil: evil}, "Cmd": [evil]})
    before, after = (contents_of(with_digests(image_of(item), None), files=True) for item in (recipe(), fields))
    found = compare(before, after)
    cost = update(found)
    for text in (difference_text(found, cost, Style()), difference_markdown(found, cost)):
        shown = "\n".join(text)
        assert all(char.isprintable() or char == "\n" for char in shown)
    assert "<script>" not in "\n".join(difference_markdown(found, cost))
    assert json.dumps(difference_json(found, cost)).isascii()


def test_colors_and_width(versions: Versions) -> None:
    found = compare(versions.contents(), versions.contents(config={"Labels": {"k": "v" * 60}}))
    shown = list(difference_text(found, update(found), Style(40, colors=True)))
    assert shown[0] == "\x1b[1mconfig\x1b[0m"
    assert "\x1b[32m" in "\n".join(shown)
    assert all(len(line.replace("\x1b[", "")) <= 40 + 6 for line in shown)


def test_recipes_on_another_machine(tmp_path: Path, lamina: Command) -> None:
    """Their layers cannot be made here: the error says which path is missing."""
    (tmp_path / "a").mkdir()
    path = write_recipe(recipe({"kind": "store", "paths": [path_info(named("gone-1", "a"))]}), tmp_path / "a")
    done = lamina("diff", path, path)
    assert done.returncode == 1
    assert b"gone-1" in done.stderr
