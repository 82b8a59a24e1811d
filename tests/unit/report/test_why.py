"""`lamina why`: the shortest ways to a store path, and what only it brings in."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.errors import BadInput
from lamina.image.image import Image
from lamina.recipe.open import build_image, open_image
from lamina.recipe.recipe import parse_recipe
from lamina.report.contents import Contents, contents_of
from lamina.report.graph import chain, distances, exclusive, reachable, roots_of
from lamina.report.style import Style
from lamina.report.why import Why, why, why_json, why_text
from tests.support.archives import Piece, docker_save, folder, sample, tar_of
from tests.support.recipes import recipe, save, store_layer
from tests.support.trees import hashed_name

NAMES = ("app-1", "python-3.11.2", "openssl-3.0.1", "openssl-3.0.1-dev", "glibc-2.36", "lonely-1")
PATHS = [f"/nix/store/{hashed_name(name)}" for name in NAMES]
APP, PYTHON, OPENSSL, DEV, GLIBC, LONELY = PATHS
# app -> python -> openssl -> glibc; app -> dev -> openssl; python -> glibc; lonely alone
REFERENCES = ["1 3", "1 2 4", "4", "2", "4", ""]


def contents(references: list[str] = REFERENCES, **changes: object) -> Contents:
    fields = recipe(store_layer(*PATHS[: len(references)]), references=references, config={"Cmd": [f"{APP}/bin/app"]})
    return contents_of(build_image(parse_recipe(fields | changes, "recipe.json")))


def asked(path: str, **options: object) -> Why:
    return why(contents(), path, "it", **options)  # type: ignore[arg-type]


def test_the_shortest_chain_and_what_it_alone_brings_in() -> None:
    found = why_json(asked("glibc"))
    assert [item["paths"] for item in found["chains"]] == [[APP, PYTHON, GLIBC]]
    assert found["chains"][0]["from"] == {"kind": "config", "where": "Cmd", "layer": None}
    assert found["exclusive"] == [GLIBC]
    assert why_json(asked("python"))["exclusive"] == [PYTHON]
    assert why_json(asked("app"))["exclusive"] == sorted(set(PATHS) - {LONELY}, key=lambda path: path[44:])
    assert (found["name"], found["version"], found["layers"]) == ("glibc", "2.36", [1])


def test_a_path_that_nothing_refers_to() -> None:
    found = why_json(asked("lonely"))
    assert found["chains"] == [{"from": {"kind": "layer", "where": "layer 1", "layer": 1}, "paths": [LONELY]}]


def test_every_way_in() -> None:
    image = contents(config={"Cmd": [f"{APP}/bin/app"], "Env": [f"SSL={OPENSSL}"]})
    found = why(image, "glibc", "it")
    assert [item.paths for item in found.chains] == [(OPENSSL, GLIBC)]
    assert found.others == 1
    found = why(image, "glibc", "it", everything=True)
    assert [item.paths for item in found.chains] == [(OPENSSL, GLIBC), (APP, PYTHON, GLIBC)]
    assert "\n".join(why_text(found, Style())).startswith("config: Env\n  openssl-3.0.1  size unknown")


def test_from_a_store_path() -> None:
    assert [item.paths for item in asked("glibc", start="openssl-3.0.1-dev").chains] == [(DEV, OPENSSL, GLIBC)]
    with pytest.raises(BadInput, match=r"glibc-2\.36 does not refer to app-1"):
        asked("app", start="glibc")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (PYTHON, PYTHON),
        (f"{PYTHON}/bin/python3", PYTHON),
        (PYTHON[11:], PYTHON),
        (PYTHON[11:20], PYTHON),
        ("python-3.11.2", PYTHON),
        ("python", PYTHON),
        ("pyth", PYTHON),
        ("openssl-dev", DEV),
    ],
)
def test_what_a_path_is_called(text: str, path: str) -> None:
    assert asked(text).path.path == path


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("openssl", "openssl' can be "),
        ("opensll-3.0.1", "did you mean openssl-3.0.1"),
        ("thon", "did you mean python"),
        ("zzz", "lamina inspect` lists its store paths"),
        ("\x1b[31m", "contains no store path"),
    ],
)
def test_no_such_path(text: str, error: str) -> None:
    with pytest.raises(BadInput, match=error.replace("[", "\\[")) as caught:
        asked(text)
    assert str(caught.value).isprintable()


def test_an_image_without_store_paths() -> None:
    with pytest.raises(BadInput, match="no store paths"):
        why(contents_of(Image(config={}, layers=(), history=())), "x", "it")


def graphs() -> st.SearchStrategy[list[str]]:
    def lists(count: int) -> st.SearchStrategy[list[str]]:
        one = st.sets(st.integers(0, count - 1), max_size=3).map(lambda numbers: " ".join(map(str, sorted(numbers))))
        return st.lists(one, min_size=count, max_size=count)

    return st.integers(1, len(PATHS)).flatmap(lists)


@given(graphs(), st.randoms())
def test_chains_and_exclusive_closures_of_any_graph(references: list[str], choice: random.Random) -> None:
    """Against plain definitions: a chain is as long as a walk level by level; without the path, the rest is reached."""
    image = contents(references)
    paths = image.paths
    target = choice.choice(sorted(paths))
    roots = roots_of(image)
    start = [path for root in roots for path in root.paths]
    assert reachable(paths, start) == set(paths)
    steps = distances(paths, target)
    for path in paths:
        level, count = {path}, 0
        while target not in level and count <= len(paths):
            level = {name for one in level for name in paths[one].references or ()}
            count += 1
        assert steps.get(path) == (count if target in level else None)
        if path in steps:
            way = chain(paths, path, steps)
            assert (way[0], way[-1], len(way)) == (path, target, count + 1)
            assert all(after in (paths[before].references or ()) for before, after in itertools.pairwise(way))
    alone = exclusive(image, roots, target)
    rest, waiting = set(), [path for path in start if path != target]
    while waiting:
        path = waiting.pop()
        if path not in rest and path != target:
            rest.add(path)
            waiting += paths[path].references or ()
    assert alone == set(paths) - rest


def test_files_that_refer_to_a_path(tmp_path: Path) -> None:
    layer = tar_of(
        [folder("nix"), folder("nix/store"), Piece(APP[1:], f"see {GLIBC}".encode()), Piece(GLIBC[1:], b"x")]
    )
    above = tar_of([folder("bin"), Piece("bin/app", link=APP)])
    image = open_image(save(docker_save([sample(layers=(layer, above))]), tmp_path / "it.tar"))
    found = why_json(why(contents_of(image), "glibc", "it"))
    assert found["chains"] == [{"from": {"kind": "file", "where": "/bin/app", "layer": 2}, "paths": [APP, GLIBC]}]
    assert found["exclusiveSize"] == 1024
