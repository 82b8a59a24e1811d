"""Plans: what shares a layer, what lies below what, and locks."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from lamina.errors import BadInput, LaminaError
from lamina.planning.lock import Lock, lock_bytes, lock_names, lock_of, parse_lock, read_lock, write_lock
from lamina.planning.plan import PlannedLayer, plan
from lamina.store.closure import PathInfo
from tests.support.closures import MIB, closure, names, store_path

WEB = {
    "glibc-2.39": (30 * MIB, []),
    "zlib-1.3": (MIB // 8, ["glibc-2.39"]),
    "openssl-3.0": (6 * MIB, ["glibc-2.39"]),
    "jdk-21": (300 * MIB, ["glibc-2.39", "zlib-1.3"]),
    "app-1": (20 * MIB, ["jdk-21", "openssl-3.0"]),
    "app.conf": (1000, []),
    "start": (1000, ["app-1", "app.conf"]),
}


def library(count: int, size: int = 100_000) -> dict[str, tuple[int, list[str]]]:
    """A chain of paths, each a little larger than the one that it refers to."""
    return {f"lib{i:03}": (size + i, [f"lib{i - 1:03}"] if i else []) for i in range(count)}


def below(layers: list[PlannedLayer], lower: str, upper: str) -> bool:
    held = names(layers)
    return [lower in layer for layer in held].index(True) < [upper in layer for layer in held].index(True)


def test_nothing_needs_no_layer() -> None:
    assert plan([], 1) == []
    assert plan([], 1, previous=Lock((("x",),))) == []


@pytest.mark.parametrize("limit", [0, -1])
def test_a_plan_without_layers_is_refused(limit: int) -> None:
    with pytest.raises(BadInput, match=f"max_layers: {limit} layers; give at least 1"):
        plan(closure(WEB), limit)


def test_references_that_go_round_are_refused() -> None:
    round_trip = closure({"a": (1, ["b"]), "b": (1, ["c"]), "c": (1, ["b"]), "d": (1, [])})
    with pytest.raises(BadInput, match="its references form a circle, or lead to one; the closure graph is damaged"):
        plan(round_trip, 9)


def test_references_to_itself_and_to_what_is_not_given_count_for_nothing() -> None:
    plain = plan(closure(WEB), 4)
    more = [info._replace(references=(*info.references, info.path, store_path("gone"))) for info in closure(WEB)]
    assert names(plan(more, 4)) == names(plain)


def test_where_layers_suffice_each_path_has_its_own() -> None:
    layers = plan(closure(WEB), 7)
    assert {layer.reason for layer in layers} == {"alone: there is a layer for each path"}
    assert sorted(names(layers)) == sorted([name] for name in WEB)
    for name, (_, references) in WEB.items():
        assert all(below(layers, reference, name) for reference in references)


def test_one_layer_holds_all() -> None:
    (layer,) = plan(closure(WEB), 1)
    assert layer.reason == "all paths: there is one layer"
    assert layer.paths == tuple(sorted(closure(WEB)))


def test_large_paths_are_alone_and_what_is_the_users_own_is_on_top() -> None:
    layers = plan(closure(WEB), 5)
    assert names(layers) == [["glibc-2.39"], ["jdk-21"], ["openssl-3.0", "zlib-1.3"], ["app-1"], ["app.conf", "start"]]
    assert [layer.reason for layer in layers] == [
        "alone: large",
        "alone: large",
        "the rest: all that has no layer of its own",
        "alone: large",
        "top: changes with every deploy",
    ]


def test_an_application_too_small_for_a_layer_of_its_own_lies_on_top() -> None:
    assert names(plan(closure(WEB), 3)) == [
        ["jdk-21"],
        ["glibc-2.39", "openssl-3.0", "zlib-1.3"],
        ["app-1", "app.conf", "start"],
    ]


def test_what_only_the_root_refers_to_is_not_on_top_unless_it_is_tiny_or_reaches_most() -> None:
    nothing: list[str] = []
    tools = {f"tool{i}": (MIB, nothing) for i in range(10)} | {"note": (256 << 10, nothing)}
    layers = names(plan(closure(tools | {"env": (1, list(tools))}), 4))
    assert layers[-1] == ["env", "note"]


def test_small_paths_share_layers_with_paths_of_as_many_dependencies() -> None:
    layers = plan(closure(library(200) | {"root": (1, ["lib199"])}), 30)[:-1]
    stretches = []
    for layer in layers:
        numbers = [int(name[3:]) for name in names([layer])[0]]
        first, last = numbers[0], numbers[-1]
        assert numbers == list(range(first, last + 1)), "a band of a chain is a stretch of it"
        closures = f"{first + 1}" if first == last else f"{first + 1} to {last + 1}"
        assert layer.reason == f"band: small paths with closures of {closures}"
        stretches.append(numbers)
    assert 12 < len(stretches) < 30
    assert [number for stretch in stretches for number in stretch] == list(range(199)), "the deepest at the bottom"


def test_the_smallest_paths_do_not_share_a_layer_with_larger_ones() -> None:
    crumbs = {f"crumb{i:02}": (500, ["glibc"]) for i in range(60)}
    stones = {f"stone{i:02}": (40_000, ["glibc"]) for i in range(20)}
    paths = {"glibc": (30 * MIB, []), **crumbs, **stones}
    users = {"app": (MIB, list(paths)), "root": (1, ["app", *paths])}
    layers = plan(closure(paths | users), 12)
    assert not [layer for layer in names(layers) if {name[:5] for name in layer} >= {"crumb", "stone"}]
    assert "band: smallest paths with closures of 2" in {layer.reason for layer in layers}


def test_volatile_paths_and_what_refers_to_them_are_on_top() -> None:
    layers = plan(closure(WEB), 3, volatile=[store_path("openssl-3.0"), store_path("not in the closure")])
    assert names(layers)[-1] == ["app-1", "app.conf", "openssl-3.0", "start"]


def test_where_something_is_named_volatile_a_root_is_not() -> None:
    libraries = ["lib007", "lib008"]
    roots = {"app": (MIB, libraries), "shell": (MIB // 2, libraries), **library(9)}
    assert names(plan(closure(roots), 2, volatile=[store_path("app")]))[-1] == ["app"]
    assert names(plan(closure(roots), 2))[-1] == ["app", "shell"]


def test_a_large_root_among_several_has_a_layer_of_its_own() -> None:
    roots = {"app": (MIB, ["lib000"]), "cuda": (5000 * MIB, ["lib000"]), **library(30)}
    assert ["cuda"] in names(plan(closure(roots), 6))


def test_paths_of_the_same_name_and_size_are_matched_by_their_neighbours() -> None:
    """Their hashes come in either order here, and must not decide."""
    libraries = library(30)
    for salt in range(8):
        paths = closure(
            libraries | {"a": (9, ["lib003"]), "b": (9, ["lib029"]), "root": (1, ["a", "b", "lib015"])}, salt
        )
        alike = [info._replace(path=re.sub("-[ab]$", "-same", info.path)) for info in paths]
        same = {info.path: new.path for info, new in zip(paths, alike, strict=True)}
        renamed = [info._replace(references=tuple(same[r] for r in info.references)) for info in alike]
        lower, upper = (same[store_path(name, salt)] for name in "ab")
        layers = [[info.path for info in layer.paths] for layer in plan(renamed, 10, previous=Lock())]
        if salt == 0:
            first = [(lower in layer, upper in layer) for layer in layers]
        assert [(lower in layer, upper in layer) for layer in layers] == first


# With a lock.


def test_a_lock_keeps_paths_where_they_were_through_new_versions() -> None:
    paths = closure(library(40) | {"root-1": (1, ["lib039"])})
    before = plan(paths, 10, previous=Lock())
    renamed = {f"{name}-2": (size + 7, [f"{r}-2" for r in refs]) for name, (size, refs) in library(40).items()}
    after = plan(closure({**renamed, "root-3": (1, ["lib039-2"])}), 10, previous=lock_of(each.paths for each in before))
    assert [[name.partition("-")[0] for name in layer] for layer in names(after)] == [
        [name.partition("-")[0] for name in layer] for layer in names(before)
    ]
    assert {layer.reason for layer in after} == {"kept: as in the previous plan", "top: changes with every deploy"}


def test_a_lock_is_kept_against_what_would_be_planned_without_it() -> None:
    paths = closure(library(40) | {"root": (1, ["lib038", "lib039"])})
    even, odd = tuple(f"lib{i:03}" for i in range(0, 39, 2)), tuple(f"lib{i:03}" for i in range(1, 39, 2))
    planned = names(plan(paths, 3, previous=Lock((even, odd, ("root",)))))
    assert planned == [list(odd), list(even), ["lib039", "root"]]


def test_what_is_new_has_its_own_layer_if_there_is_room() -> None:
    odd = Lock((tuple(f"lib{i:03}" for i in range(40)), ("root",)))
    paths = closure(library(40) | {"new": (5 * MIB, []), "root": (1, ["lib039", "new"])})
    reasons = {tuple(names([layer])[0]): layer.reason for layer in plan(paths, 3, previous=odd)}
    assert reasons[("new",)] == "alone: new"
    (merged,) = {layer.reason for layer in plan(paths, 2, previous=odd)} - {"top: changes with every deploy"}
    assert merged == "merged: from the previous plan, with what it is cheapest to share a layer with"


def test_from_an_empty_lock_paths_are_merged_that_change_together() -> None:
    paths = {
        **{f"a{i}": (MIB, [f"a{i - 1}"] if i else []) for i in range(5)},
        **{f"b{i}": (MIB, [f"b{i - 1}"] if i else []) for i in range(60)},
        "app": (MIB, ["a4", "b59"]),
        "root": (1, ["a4", "app", "b59"]),
    }
    layers = plan(closure(paths), 4, previous=Lock())
    assert {layer.reason for layer in layers[:-1]} == {"merged: new, and cheapest to share a layer"}
    deep, *_ = (layer for layer in names(layers) if "a0" in layer)
    assert {"a0", "a1", "a2", "a3", "a4", "b0"} <= set(deep) < {*paths} - {"b40"}


def test_what_is_named_volatile_leaves_its_layer_in_the_lock() -> None:
    odd = Lock((("lib000", "lib001"), tuple(f"lib{i:03}" for i in range(2, 40)), ("root",)))
    paths = closure(library(40, MIB) | {"root": (1, ["lib039"])})
    layers = plan(paths, 3, volatile=[store_path("lib038")], previous=odd)
    assert names(layers)[-1] == ["lib038", "lib039", "root"]
    assert {len(layer) for layer in names(layers)} == {2, 36, 3}


@pytest.mark.parametrize(
    ("name", "locked"),
    [
        ("hello-2.12", "hello"),
        ("hello", "hello"),
        ("openssl-3.0.13-dev", "openssl-dev"),
        ("glibc-2.39-52", "glibc"),
        ("foo-unstable-2024-01-31", "foo-unstable"),
        ("python3.11-requests-2.31.0", "python3.11-requests"),
        ("libjpeg-turbo-3", "libjpeg-turbo"),
        ("7zip-23", "7zip"),
        ("-9", "-9"),
    ],
)
def test_locks_know_paths_by_names_without_versions(name: str, locked: str) -> None:
    assert list(lock_names(closure({name: (1, [])})).values()) == [locked]


def test_paths_that_are_called_alike_are_counted() -> None:
    paths = closure({"llvm-14": (5, []), "llvm-15": (3, []), "llvm": (9, [])})
    expected = {store_path("llvm"): "llvm", store_path("llvm-14"): "llvm~2", store_path("llvm-15"): "llvm~3"}
    assert lock_names(paths) == lock_names(paths[::-1]) == expected


LOCK = Lock((("glibc", "zlib"), ("app",)))


def test_a_lock_is_a_file_that_shows_what_moved(tmp_path: Path) -> None:
    file = tmp_path / "layers.lock.json"
    write_lock(LOCK, file)
    lines = ["{", ' "version": 1,', ' "layers": [', "  [", '   "glibc",', '   "zlib"', "  ],", "  [", '   "app"', "  ]"]
    assert file.read_text().splitlines() == [*lines, " ]", "}"]
    assert file.read_bytes() == lock_bytes(LOCK)
    assert read_lock(file) == LOCK


def test_a_lock_lists_names_sorted_whatever_the_order_of_the_paths() -> None:
    layers = plan(closure(WEB), 3)
    assert lock_of(layer.paths[::-1] for layer in layers) == lock_of(layer.paths for layer in layers)
    assert lock_of(layer.paths for layer in layers).layers[0] == ("jdk",)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"version": 2}, "lock of version 2; this Lamina reads version 1: write the lock again"),
        ({"version": None}, "lock of version None"),
        ({"version": True}, "lock of version True"),
        ({"version": "1"}, "lock of version '1'"),
        ({"more": 1}, "the lock has the unknown field 'more'"),
        ({"layers": None}, "layers is missing, not an array"),
        ({"layers": ["x"]}, "a layer of a lock is 'x', not an array"),
        ({"layers": [[1]]}, "an item of a layer of a lock is 1, not a string"),
        ({"layers": [["x"], ["y", "x"]]}, "'x' occurs twice in the lock"),
    ],
)
def test_what_is_no_lock_of_this_version_is_refused(changes: Mapping[str, object], what: str) -> None:
    value = json.loads(lock_bytes(LOCK)) | changes
    with pytest.raises(BadInput, match=f"^my.lock: {re.escape(what)}") as caught:
        parse_lock(value, "my.lock")
    assert "\n" not in str(caught.value)


def test_a_lock_that_is_not_there_or_not_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file or directory; give a lock file that lamina plan wrote"):
        read_lock(tmp_path / "gone")
    (tmp_path / "text").write_text("glibc")
    with pytest.raises(BadInput, match="not JSON"):
        read_lock(tmp_path / "text")
    with pytest.raises(LaminaError):
        write_lock(LOCK, tmp_path / "no" / "directory")


def test_a_plan_of_paths_that_weigh_nothing_comes_to_an_end() -> None:
    paths: list[PathInfo] = closure({f"p{i}": (0, []) for i in range(50)})
    assert sum(len(layer) for layer in names(plan(paths, 20))) == 50
