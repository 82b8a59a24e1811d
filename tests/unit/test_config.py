"""The config of an image on a base, as `FROM` would make it; and which configs no consumer could read."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lamina.errors import BadInput
from lamina.oci.config import check_config, inherit, merge_env

BASE: dict[str, Any] = {
    "User": "me",
    "WorkingDir": "/base",
    "Env": ["PATH=/bin", "LANG=C"],
    "Entrypoint": ["/base-entry"],
    "Cmd": ["base", "args"],
    "Labels": {"from": "base", "both": "base"},
    "ExposedPorts": {"80/tcp": {}},
    "Volumes": {"/data": {}},
    "StopSignal": "SIGTERM",
    "Healthcheck": {"Test": ["NONE"]},
    "Shell": ["/bin/sh", "-c"],
    "OnBuild": ["RUN x"],
    "Unheard": 1,
}


def test_without_a_word_of_its_own_everything_is_inherited_but_triggers() -> None:
    assert inherit(BASE, {}, "docker") == {key: value for key, value in BASE.items() if key != "OnBuild"}


def test_its_own_words_come_before_those_of_the_base() -> None:
    own: dict[str, Any] = {
        "User": "you",
        "WorkingDir": "/own",
        "Cmd": ["own"],
        "StopSignal": "SIGINT",
        "Shell": ["/bin/own"],
    }
    own["Healthcheck"] = {"Test": ["CMD", "own"]}
    assert inherit(BASE, own, "docker") == {**inherit(BASE, {}, "docker"), **own}


def test_env_keeps_the_place_of_the_first_and_the_value_of_the_last() -> None:
    own = ["NEW=1", "PATH=/own", "NEW=2", "EMPTY=", "EQUALS=a=b"]
    merged = ["PATH=/own", "LANG=C", "NEW=2", "EMPTY=", "EQUALS=a=b"]
    assert inherit(BASE, {"Env": own}, "docker")["Env"] == merged
    assert merge_env(["A=1", "A=2", "B=1"], []) == ["A=2", "B=1"]
    assert merge_env([], []) == []


@pytest.mark.parametrize("key", ["Labels", "ExposedPorts", "Volumes"])
def test_objects_merge_by_key(key: str) -> None:
    merged = inherit({key: {"a": "1", "b": "1"}}, {key: {"b": "2", "c": "2"}}, "docker")
    assert merged == {key: {"a": "1", "b": "2", "c": "2"}}
    assert inherit({key: None}, {key: {"c": "2"}}, "docker") == {key: {"c": "2"}}
    assert inherit({}, {key: {"c": "2"}}, "docker") == {key: {"c": "2"}}


def test_an_entrypoint_drops_the_inherited_cmd() -> None:
    assert "Cmd" not in inherit(BASE, {"Entrypoint": ["/own"]}, "docker")
    assert inherit(BASE, {"Entrypoint": ["/own"], "Cmd": ["x"]}, "docker")["Cmd"] == ["x"]
    assert inherit(BASE, {"Cmd": ["x"]}, "docker")["Entrypoint"] == ["/base-entry"]


def test_an_empty_list_of_its_own_takes_an_inherited_one_away() -> None:
    result = inherit(BASE, {"Entrypoint": [], "Cmd": []}, "docker")
    assert (result["Entrypoint"], result["Cmd"]) == ([], [])


def test_its_own_triggers_stay() -> None:
    assert inherit(BASE, {"OnBuild": ["RUN y"]}, "docker")["OnBuild"] == ["RUN y"]


def test_nulls_in_a_base_say_nothing() -> None:
    """docker save writes them for everything that is not set."""
    nothing = dict.fromkeys(("Env", "Cmd", "Entrypoint", "Labels", "Volumes", "OnBuild", "Healthcheck"))
    assert inherit(nothing, {}, "docker") == {}
    assert inherit(nothing, {}, "env") == {}


def test_the_rule_env_takes_env_and_nothing_else() -> None:
    assert inherit(BASE, {"Cmd": ["x"]}, "env") == {"Cmd": ["x"], "Env": ["PATH=/bin", "LANG=C"]}
    assert inherit(BASE, {"Env": ["LANG=de", "A=1"]}, "env") == {"Env": ["PATH=/bin", "LANG=de", "A=1"]}


@pytest.mark.parametrize("rule", ["docker", "env"])
def test_neither_config_is_changed(rule: str) -> None:
    base, own = {"Labels": {"a": "1"}, "Env": ["A=1"]}, {"Labels": {"b": "2"}, "Env": ["A=2"]}
    inherit(base, own, rule)
    assert (base, own) == ({"Labels": {"a": "1"}, "Env": ["A=1"]}, {"Labels": {"b": "2"}, "Env": ["A=2"]})


def test_a_good_config_is_taken_without_its_nulls() -> None:
    assert check_config({**BASE, "Hostname": None}, "it") == BASE


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"Cmd": "/bin/sh"}, "config.Cmd is '/bin/sh', not an array"),
        ({"Cmd": [1]}, "an item of config.Cmd is 1, not a string"),
        ({"Entrypoint": {}}, "config.Entrypoint is {}, not an array"),
        ({"Env": {"A": "1"}}, "config.Env is {'A': '1'}, not an array"),
        ({"Env": ["A"]}, "config.Env has 'A'; write NAME=VALUE"),
        ({"User": 1000}, "config.User is 1000, not a string"),
        ({"WorkingDir": []}, "config.WorkingDir is [], not a string"),
        ({"Labels": ["a"]}, "config.Labels is ['a'], not an object"),
        ({"Labels": {"a": 1}}, "config.Labels.a is 1, not a string"),
        ({"ExposedPorts": ["80"]}, "config.ExposedPorts is ['80'], not an object"),
        ({"Volumes": "/data"}, "config.Volumes is '/data', not an object"),
        ({"Healthcheck": "true"}, "config.Healthcheck is 'true', not an object"),
        ({"StopSignal": 15}, "config.StopSignal is 15, not a string"),
        ({"Shell": "/bin/sh"}, "config.Shell is '/bin/sh', not an array"),
        ({"OnBuild": "RUN"}, "config.OnBuild is 'RUN', not an array"),
    ],
)
def test_a_config_that_some_consumer_refuses_is_refused(config: dict[str, object], why: str) -> None:
    with pytest.raises(BadInput, match=f"recipe.json: {re.escape(why)}"):
        check_config(config, "recipe.json")
