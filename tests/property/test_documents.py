"""JSON, recipes and configs: what is written reads back, and nothing breaks the one-line rule."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lamina.errors import BadInput
from lamina.oci.config import INHERIT, check_config, inherit, merge_env
from lamina.oci.reference import make_reference
from lamina.oci.strict_json import canonical, parse_json
from lamina.recipe.recipe import Base, OciOptions, Recipe, RootLayer, StoreLayer, TarLayer, parse_recipe, recipe_json
from lamina.store.closure import PathInfo
from lamina.store.ownership import Rule, Stamp
from tests.property.strategies import json_values

_text = st.text(max_size=20)
_file_names = _text.filter(lambda text: text and "\0" not in text)
_variable = st.builds(
    "{}={}".format, st.text(st.characters(codec="utf-8", exclude_characters="="), min_size=1, max_size=4), _text
)
_volumes = _text.filter(lambda text: ".." not in text and text.strip("/.")).map("/{}".format)
configs = st.fixed_dictionaries(
    {},
    optional={
        "User": _text.filter(lambda text: not any(map(str.isdecimal, text))),
        "Env": st.lists(_variable, max_size=5),
        "Cmd": st.lists(_text, max_size=3),
        "Entrypoint": st.lists(_text, max_size=3),
        "Labels": st.dictionaries(_text, _text, max_size=3),
        "Volumes": st.dictionaries(_volumes, st.just({}), max_size=3),
        "OnBuild": st.lists(_text, max_size=2),
        "Unknown": json_values.filter(lambda value: value is not None),
    },
)
_number = st.integers(0, 2**32 - 1)
_stamps = st.builds(Stamp, _number, _number, _number)
_paths = st.builds(
    lambda digits, name, size: PathInfo(f"/nix/store/{digits}-{name}", "sha256:x", size),
    st.text("0123456789abcdfghijklmnpqrsvwxyz", min_size=32, max_size=32),
    st.from_regex(r"[0-9a-zA-Z+._?=-]{1,20}", fullmatch=True),
    st.integers(0, 2**63 - 1),
)
_some_paths = st.lists(_paths, max_size=3).map(tuple)
_maybe = st.none() | _number
_rules = st.builds(
    Rule, st.sampled_from(["/etc/.*", "/home/[a-z]+"]), _maybe, _maybe, st.none() | st.integers(0, 0o7777)
)
_either = st.booleans()
_layers = (
    st.builds(StoreLayer, _some_paths, _stamps, _text)
    | st.builds(RootLayer, _some_paths, _stamps, _either, _either, st.lists(_rules, max_size=2).map(tuple), _either)
    | st.builds(TarLayer, _paths)
)
_names = st.builds(
    lambda registry, name, tag: make_reference(registry + name, tag, "it"),
    st.sampled_from(["", "docker.io/", "docker.io/foo.bar/", "localhost:5000/", "quay.io/a/"]),
    st.from_regex(r"[a-z0-9]{1,9}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,9}", fullmatch=True),
)
_times = st.datetimes().map(lambda time: time.replace(microsecond=0).isoformat() + "Z")
_oci = st.builds(
    OciOptions,
    st.sampled_from([None, "gz", "zstd", "none"]),
    st.none() | st.integers(1, 9),
    st.dictionaries(st.from_regex(r"[a-z]{1,9}", fullmatch=True), st.from_regex(r"[a-z]{1,9}", fullmatch=True)),
)
recipes = st.builds(
    Recipe,
    names=st.lists(_names, max_size=3, unique=True).map(tuple),
    architecture=st.sampled_from(["amd64", "arm64"]),
    created=_times,
    config=configs,
    layers=st.lists(_layers, max_size=4).map(tuple),
    base=st.none() | st.builds(Base, _file_names, st.none() | _text, st.none() | _text),
    inherit=st.sampled_from(INHERIT),
    oci=_oci,
)


@given(recipes)
def test_a_recipe_reads_back(recipe: Recipe) -> None:
    text = canonical(recipe_json(recipe))
    assert parse_recipe(parse_json(text, "it"), "it") == recipe


@given(json_values)
def test_json_reads_back(value: Any) -> None:
    assert parse_json(canonical(value), "it") == value
    assert canonical(parse_json(json.dumps(value).encode(), "it")) == canonical(value)


@given(
    st.binary(max_size=200)
    | st.text(st.sampled_from('{}[]",:0123456789truefalsn\\ud8-+.eE '), max_size=80).map(str.encode)
)
def test_whatever_the_bytes_json_is_read_or_refused(data: bytes) -> None:
    try:
        value = parse_json(data, "it")
    except BadInput as error:
        assert str(error).startswith("it: ") and "\n" not in str(error)
    else:
        assert value == json.loads(data)
        canonical(value)


@given(json_values)
def test_whatever_the_value_it_is_a_recipe_or_refused(value: Any) -> None:
    for changed in (value, {"version": 1, "names": value, "architecture": "x", "created": value, "config": value}):
        try:
            parse_recipe(changed, "it")
        except BadInput as error:
            assert str(error).startswith("it: ") and "\n" not in str(error)
        else:
            raise AssertionError(f"{changed!r} was taken for a recipe")


@given(configs, configs, st.sampled_from(INHERIT))
def test_inheriting_makes_a_config_that_consumers_read(base: dict[str, Any], own: dict[str, Any], rule: str) -> None:
    result = inherit(base, own, rule)
    assert check_config(result, "it") == result
    names = [item.partition("=")[0] for item in result.get("Env", [])]
    assert len(set(names)) == len(names)
    assert set(own.get("Labels", {}).items()) <= set(result.get("Labels", {}).items())
    assert result.get("Entrypoint") == own.get("Entrypoint", base.get("Entrypoint") if rule == "docker" else None)


@given(configs)
def test_inheriting_twice_is_inheriting_once(config: dict[str, Any]) -> None:
    once = inherit(config, {}, "docker")
    assert inherit(once, {}, "docker") == once


@given(st.lists(_variable), st.lists(_variable))
def test_of_each_variable_the_last_value_counts(base: list[str], own: list[str]) -> None:
    values = {item.partition("=")[0]: item for item in base + own}
    merged = merge_env(base, own)
    assert sorted(merged) == sorted(values.values())
    first = [
        (base + own).index(next(i for i in base + own if i.partition("=")[0] == item.partition("=")[0]))
        for item in merged
    ]
    assert first == sorted(first)


@given(configs | json_values)
def test_whatever_the_config_it_is_checked_or_refused(config: Any) -> None:
    if isinstance(config, dict):
        try:
            assert None not in check_config(config, "it").values()
        except BadInput as error:
            assert "\n" not in str(error)
