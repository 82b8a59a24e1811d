"""`docs/design/recipe.schema.json` and the reader of recipes: what the schema does not allow, the reader refuses."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.errors import BadInput
from lamina.recipe.recipe import parse_recipe, recipe_json

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/design/recipe.schema.json").read_text())
PATH = {"path": "/nix/store/" + "0" * 32 + "-hello", "narHash": "sha256:" + "0" * 52, "narSize": 120}
WHOLE: dict[str, Any] = {
    "version": 1,
    "names": [{"name": "registry.example/app", "tag": "1.0"}],
    "architecture": "amd64",
    "created": "1970-01-01T00:00:01Z",
    "config": {"Cmd": ["/bin/app"]},
    "inherit": "env",
    "base": {"path": "/base.tar", "name": "base", "tag": None},
    "layers": [
        {"kind": "store", "paths": [PATH], "uid": 1, "gid": 2, "mtime": 3, "why": "all"},
        {
            "kind": "root",
            "trees": [PATH],
            "keepDirlinks": True,
            "top": True,
            "links": False,
            "rules": [
                {"pattern": "/bin/.*", "uid": 0, "gid": None, "mode": "4755"},
                {"pattern": "/tmp", "mode": 1023},
            ],
            "uid": 0,
            "gid": 0,
            "mtime": 1,
        },
        {"kind": "tar", **PATH},
    ],
    "oci": {"layerCompressor": "zstd", "layerLevel": 3, "annotations": {"org.example": "x", "descriptor:a": "b"}},
}


@functools.cache
def validator() -> Draft202012Validator:
    """Importing jsonschema takes 2 s of a processor, and all processes of pytest-xdist import this module."""
    from jsonschema import Draft202012Validator

    return Draft202012Validator(SCHEMA)


def test_the_schema_is_valid() -> None:
    validator().check_schema(SCHEMA)


def test_what_lamina_writes_is_in_the_schema() -> None:
    """Everything that a recipe can have, and as little as it can."""
    least = {key: WHOLE[key] for key in SCHEMA["required"]} | {"layers": [], "names": []}
    for recipe in (WHOLE, least, recipe_json(parse_recipe(WHOLE, "r")), recipe_json(parse_recipe(least, "r"))):
        validator().validate(recipe)
        parse_recipe(recipe, "r")


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of each value in a document. The schema does not describe the content of `config`."""
    yield above
    if above != ("config",):
        inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, child in inside:
            yield from places(child, (*above, key))


def changed(place: tuple[Any, ...], change: str, value: Any) -> Any:
    document = copy.deepcopy(WHOLE)
    *above, last = place
    holder: Any = document
    for key in above:
        holder = holder[key]
    if change == "remove":
        del holder[last]
    elif change == "add" and isinstance(holder[last], dict):
        holder[last]["unknown"] = value
    else:
        holder[last] = value
    return document


SIMPLE_VALUES: list[Any] = [None, True, -1, 0, "", "x", [], {}, [None]]
PLACES = [place for place in places(WHOLE) if place]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 1 << 33),
    st.floats(allow_nan=False),
    st.sampled_from(["", "x", "0755", "999999", "docker", "store", "tar"]),
    st.sampled_from([[], {}, [None], [{}], [[]]]),
)


@given(st.sampled_from(PLACES), st.sampled_from(["remove", "add", "replace"]), VALUES)
def test_what_the_schema_refuses_the_reader_refuses(place: tuple[Any, ...], change: str, value: Any) -> None:
    document = changed(place, change, value)
    if not validator().is_valid(document):
        with pytest.raises(BadInput):
            parse_recipe(document, "r")


@pytest.mark.parametrize("place", [place for place in PLACES if not isinstance(place[-1], int)])
def test_schema_and_reader_refuse_a_wrong_value_of_every_field(place: tuple[Any, ...]) -> None:
    """0.5 is no valid value of any field."""
    document = changed(place, "replace", 0.5)
    assert not validator().is_valid(document)
    with pytest.raises(BadInput):
        parse_recipe(document, "r")


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_simple_values_at_each_place(place: tuple[Any, ...]) -> None:
    for change in ("remove", "add", "replace"):
        for value in SIMPLE_VALUES:
            document = changed(place, change, value)
            if not validator().is_valid(document):
                with pytest.raises(BadInput):
                    parse_recipe(document, "r")
                    pytest.fail(f"{change} {value!r}")
