"""Pipelines: each operation by itself, and what is refused."""

from __future__ import annotations

import re

import pytest

from lamina.errors import BadInput
from lamina.planning.pipeline import run_pipeline
from tests.support.closures import closure, names, store_path

# app refers to web and cli; web to ssl and zlib, cli to zlib; ssl and zlib to libc. tool, too, refers to ssl.
GRAPH = {
    "app": (8, ["web", "cli"]),
    "tool": (7, ["ssl"]),
    "web": (6, ["ssl", "zlib"]),
    "cli": (5, ["zlib"]),
    "ssl": (4, ["libc"]),
    "zlib": (3, ["libc"]),
    "libc": (2, []),
    "doc": (1, []),
}
ALL = "app cli doc libc ssl tool web zlib"
POPULAR = ["libc", "ssl", "zlib", "cli", "web", "app", "doc", "tool"]


def p(*several: str) -> list[str]:
    return [store_path(name) for name in several]


def run(*pipeline: object) -> list[str]:
    """Each layer's names in one string, bottom first."""
    return [" ".join(layer) for layer in names(run_pipeline(list(pipeline), closure(GRAPH)))]


def test_no_operations_make_one_layer() -> None:
    assert run() == [ALL]
    assert {layer.reason for layer in run_pipeline([], closure(GRAPH))} == {"layeringPipeline"}
    assert run_pipeline([], []) == run_pipeline([["popularity_contest"], ["limit_layers", 2]], []) == []


def test_the_most_popular_come_first_and_equals_by_name() -> None:
    assert run(["popularity_contest"]) == POPULAR


def test_popularity_counts_walks() -> None:
    """The example by which dockerTools explains it: F 9, E 5, D 4, C 3, B and G 2, A 1."""
    tree = {"A": "BG", "B": "CE", "C": "DE", "D": "F", "E": "F", "F": "", "G": ""}
    paths = closure({name: (1, list(references)) for name, references in tree.items()})
    assert [layer for (layer,) in names(run_pipeline([["popularity_contest"]], paths))] == list("FEDCBGA")


def test_limit_layers_joins_the_rest() -> None:
    assert run(["popularity_contest"], ["limit_layers", 3]) == ["libc", "ssl", "app cli doc tool web zlib"]
    assert run(["popularity_contest"], ["limit_layers", 1]) == [ALL]
    assert run(["popularity_contest"], ["limit_layers", 99]) == POPULAR


def test_what_limit_layers_joins_does_not_refer_to_each_other_any_more() -> None:
    pipeline = [["popularity_contest"], ["limit_layers", 1], ["map", ["subcomponent_out", p("app")]]]
    assert run(*pipeline) == ["app", "cli doc libc ssl tool web zlib"]


def test_split_every_takes_small_paths_first() -> None:
    assert run(["split_every", 3]) == ["doc libc zlib", "cli ssl web", "app tool"]
    assert run(["split_every", 99]) == [ALL]


def test_reverse() -> None:
    assert run(["split_every", 3], ["reverse"]) == ["app tool", "cli ssl web", "doc libc zlib"]


def test_remove_paths_takes_one_or_several_and_passes_over_others() -> None:
    assert run(["remove_paths", store_path("doc")]) == ["app cli libc ssl tool web zlib"]
    assert run(["remove_paths", p("doc", "tool", "gone")]) == ["app cli libc ssl web zlib"]
    assert run(["remove_paths", p(*GRAPH)]) == []


def test_subcomponents() -> None:
    assert run(["subcomponent_out", p("cli")]) == ["cli libc zlib", "app doc ssl tool web"]
    assert run(["subcomponent_in", p("ssl")]) == ["app ssl tool web", "cli doc libc zlib"]
    assert run(["subcomponent_in", p("web", "doc")]) == ["app doc web", "cli libc ssl tool zlib"]
    assert run(["subcomponent_out", p("gone")]) == [ALL]


@pytest.mark.parametrize(
    ("specs", "layers"),
    [
        (p("web"), ["web", "libc ssl zlib", "app cli doc tool"]),
        (p("libc"), ["libc", "app cli doc ssl tool web zlib"]),
        (p("app"), ["app cli web zlib", "libc ssl", "doc tool"]),
        (p("web", "cli"), ["cli web zlib", "libc ssl", "app doc tool"]),
        ([{"children_of": p("app")}], ["cli web zlib", "libc ssl", "app doc tool"]),
        ([{"children_of": store_path("tool")}, *p("doc")], ["doc ssl", "libc", "app cli tool web zlib"]),
        ([{"children_of": p("libc")}], [ALL]),
        (p("gone"), [ALL]),
        ([], [ALL]),
    ],
)
def test_split_paths(specs: list[object], layers: list[str]) -> None:
    assert run(["split_paths", specs]) == layers


def test_the_only_root_cannot_be_split_off() -> None:
    pipeline = [["remove_paths", p("tool", "doc")], ["split_paths", p("app")], ["over", "main", ["split_every", 5]]]
    assert run(*pipeline) == ["cli libc ssl web zlib", "app"]


def test_over_map_pipe_and_flatten() -> None:
    inner = ["pipe", [["popularity_contest"], ["limit_layers", 2]]]
    assert run(["split_paths", p("web")], ["over", "rest", inner]) == ["web", "libc ssl zlib", "cli", "app doc tool"]
    assert run(["split_every", 4], ["map", ["split_every", 3]], ["flatten"], ["limit_layers", 3]) == [
        "doc libc zlib",
        "ssl",
        "app cli tool web",
    ]


def test_parts_that_there_are_not_are_passed_over() -> None:
    assert run(["split_paths", p("gone")], ["over", "main", ["split_every", 1]]) == [ALL]


@pytest.mark.parametrize(
    ("pipeline", "what"),
    [
        ("flatten", "a pipeline is 'flatten', not an array"),
        (None, "a pipeline is missing, not an array"),
        (["flatten"], "an operation is 'flatten', not an array"),
        ([[]], "an operation's name is missing, not a string"),
        ([[5]], "an operation's name is 5, not a string"),
        ([["shuffle"]], "the operation 'shuffle'; write one of: flatten, limit_layers, map, over, pipe"),
        ([["flatten", 1]], "flatten has 1 arguments; give it 0"),
        ([["over", "rest"]], "over has 1 arguments; give it 2"),
        ([["limit_layers", 0]], "limit_layers is given 0; give at least 1"),
        ([["split_every", "2"]], "the number that split_every is given is '2', not a whole number"),
        ([["split_every", True]], "the number that split_every is given is True, not a whole number"),
        (
            [["split_every", 2], ["split_every", 2]],
            "split_every cannot work on a list of parts; reach each part",
        ),
        (
            [["limit_layers", 2]],
            "limit_layers cannot work on one part of the closure; put it after",
        ),
        ([["split_paths", []], ["reverse"]], "reverse cannot work on parts by name"),
        ([["map", ["flatten"]]], "map cannot work on one part of the closure"),
        ([["over", "rest", ["flatten"]]], "over cannot work on one part of the closure; put it after split_paths"),
        (
            [["split_paths", []], ["over", "rset", ["flatten"]]],
            "over is given 'rset'; write one of: main, common",
        ),
        ([["split_paths", [{"parents_of": []}]]], "split_paths is given {'parents_of': []}; write a path, or"),
        ([["split_paths", [5]]], "what split_paths is given is 5, not an array"),
        ([["remove_paths", [5]]], "an item of what remove_paths is given is 5, not a string"),
        ([["pipe", [["map", ["over", "x", ["shuffle"]]]]]], "the operation 'shuffle'"),
    ],
)
def test_what_makes_no_sense_is_refused(pipeline: object, what: str) -> None:
    with pytest.raises(BadInput, match="^layeringPipeline: " + re.escape(what)):
        run_pipeline(pipeline, closure(GRAPH))


def test_references_that_go_round_are_refused() -> None:
    with pytest.raises(BadInput, match="its references form a circle"):
        run_pipeline([["popularity_contest"]], closure({"a": (1, ["b"]), "b": (1, ["a"])}))


def test_references_to_itself_and_to_what_is_not_given_count_for_nothing() -> None:
    paths = closure(GRAPH | {"libc": (2, ["libc", "gone"])})
    assert run_pipeline([["popularity_contest"]], paths)[0].paths[0].name == "libc"
