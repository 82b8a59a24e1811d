"""Store paths, and the graph of what refers to what."""

from __future__ import annotations

import json
import re

import pytest

from lamina.errors import BadInput
from lamina.store.closure import PathInfo, parse_graph, reachable, split_store_path
from tests.support.trees import hashed_name


def path(name: str) -> str:
    return f"/nix/store/{hashed_name(name)}"


def test_a_store_path_has_three_parts() -> None:
    text = path("hello-2.12+x_y?=.")
    store, digest, name = split_store_path(text, "it")
    assert (store, name) == ("/nix/store", "hello-2.12+x_y?=.")
    assert text == f"{store}/{digest}-{name}"
    assert split_store_path("/home/me/.local/nix/store/" + hashed_name("x"), "it")[0] == "/home/me/.local/nix/store"
    assert PathInfo(text, "", 0).name == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "/nix/store",
        "nix/store/" + hashed_name("x"),
        "/" + hashed_name("x"),
        path("x") + "/bin",
        path("x") + "\n",
        path("x") + "/",
        path("x")[:-2],
        "/nix/store/" + "e" * 32 + "-x",
        "/nix/store/" + "0" * 31 + "-x",
        "/nix/store/" + "0" * 32 + "-",
        "/nix/../etc/" + hashed_name("x"),
        "//" + hashed_name("x"),
    ],
)
def test_what_is_no_store_path_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="is no store path; it should look like /nix/store/HASH-NAME"):
        split_store_path(text, "it")


def test_an_error_about_a_store_path_cannot_steer_a_terminal() -> None:
    with pytest.raises(BadInput) as caught:
        split_store_path("/nix/store/\x1b[2J", "it")
    assert "\x1b" not in str(caught.value)


def item(name: str, *references: str) -> dict[str, object]:
    # Newer versions of Nix write more than is needed.
    more = {"registrationTime": 1, "ultimate": True, "closureSize": 5}
    return {
        "path": path(name),
        "narHash": "sha256:x",
        "narSize": 5,
        "references": [path(r) for r in references],
        **more,
    }


def graph(*items: dict[str, object]) -> dict[str, PathInfo]:
    return parse_graph(json.loads(json.dumps(items)), "attrs.json")


def test_reachable_is_everything_at_any_distance_and_nothing_else() -> None:
    found = graph(item("a", "b", "a"), item("b", "c"), item("c", "a"), item("d", "a"))
    assert [info.name for info in reachable(found, [path("a")], "it")] == sorted("abc", key=path)
    assert len(reachable(found, [path("d")], "it")) == 4
    assert reachable(found, [], "it") == []


def test_a_reference_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(BadInput, match=f"it: the closure graph does not contain {path('gone')}; the graph is damaged"):
        reachable(graph(item("a", "gone")), [path("a")], "it")


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"path": 5}, "path is 5, not a string"),
        ({"path": "relative"}, "'relative' is no store path"),
        ({"narHash": None}, "narHash is missing, not a string"),
        ({"narSize": "5"}, "narSize is '5', not a whole number"),
        ({"narSize": True}, "narSize is True, not a whole number"),
        ({"references": "x"}, "references is 'x', not an array"),
        ({"references": [1]}, "an item of references is 1, not a string"),
    ],
)
def test_a_graph_of_other_types_is_refused(changes: dict[str, object], what: str) -> None:
    with pytest.raises(BadInput, match=f"attrs.json: {re.escape(what)}"):
        graph(item("a") | changes)


@pytest.mark.parametrize("value", [None, {}, "x", [1], [[]]])
def test_what_is_no_graph_is_refused(value: object) -> None:
    with pytest.raises(BadInput, match="closure graph"):
        parse_graph(value, "attrs.json")
