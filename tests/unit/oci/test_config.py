"""The config of an image on a base, as `FROM` would make it; and which configs no consumer could read."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lamina.errors import BadInput
from lamina.oci.config import check_config, inherit, merge_env, type_faults

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
        ({"Cmd": "/bin/sh"}, 'config.Cmd is "/bin/sh"; it takes a list of strings: ["/bin/sh"]'),
        ({"Cmd": [1]}, "config.Cmd has the item 1; each item is a string"),
        ({"Entrypoint": {}}, "config.Entrypoint is {}; it takes a list of strings"),
        ({"Env": {"A": "1"}}, 'config.Env is {"A": "1"}; it takes a list of strings'),
        ({"Env": ["A"]}, 'config.Env has "A"; write NAME=VALUE'),
        ({"Env": ["=x"]}, 'config.Env has "=x"; write NAME=VALUE'),
        ({"User": 1000}, "config.User is 1000; it takes a string"),
        ({"User": "2147483648"}, "config.User has the number 2147483648; runtimes would take it for root"),
        ({"WorkingDir": []}, "config.WorkingDir is []; it takes a string"),
        ({"WorkingDir": "srv"}, 'config.WorkingDir is "srv"; it takes an absolute path'),
        ({"Labels": ["a"]}, 'config.Labels is ["a"]; it takes an object whose values are a string'),
        ({"Labels": {"a": 1}}, "config.Labels.a is 1; it takes a string"),
        ({"ExposedPorts": ["80"]}, 'config.ExposedPorts is ["80"]; it takes an object whose values are {}'),
        ({"ExposedPorts": {"80": True}}, "config.ExposedPorts.80 is true; it takes {}"),
        ({"ExposedPorts": {"http": {}}}, 'config.ExposedPorts has "http"; write a port'),
        ({"ExposedPorts": {"80-70000/tcp": {}}}, 'config.ExposedPorts has "80-70000/tcp"; write a port'),
        ({"Volumes": "/data"}, 'config.Volumes is "/data"; it takes an object whose values are {}'),
        ({"Volumes": {"/data": "x"}}, 'config.Volumes./data is "x"; it takes {}'),
        ({"Volumes": {"data": {}}}, 'config.Volumes has "data"; a volume is an absolute path'),
        ({"Healthcheck": "true"}, 'config.Healthcheck is "true"; it takes an object'),
        ({"Healthcheck": {"Interval": "2s"}}, 'config.Healthcheck.Interval is "2s"; it takes nanoseconds'),
        ({"Healthcheck": {"Interval": 30}}, "config.Healthcheck.Interval is 30; it takes nanoseconds"),
        ({"Healthcheck": {"Test": "x"}}, 'config.Healthcheck.Test is "x"; it takes a list of strings: ["x"]'),
        ({"Healthcheck": {"Test": ["x"]}}, 'config.Healthcheck.Test is ["x"]; its first item says'),
        ({"Healthcheck": {"test": ["NONE"]}}, "config.Healthcheck.test is not known; did you mean Test?"),
        ({"StopSignal": 15}, "config.StopSignal is 15; it takes a string"),
        ({"StopSignal": "SIGTREM"}, 'config.StopSignal is "SIGTREM"; it takes a signal'),
        ({"StopTimeout": "10"}, 'config.StopTimeout is "10"; it takes a whole number'),
        ({"StopTimeout": True}, "config.StopTimeout is true; it takes a whole number"),
        ({"ArgsEscaped": "x"}, 'config.ArgsEscaped is "x"; it takes true or false'),
        ({"Shell": "/bin/sh"}, 'config.Shell is "/bin/sh"; it takes a list of strings'),
        ({"OnBuild": "RUN"}, 'config.OnBuild is "RUN"; it takes a list of strings'),
        ({"cmd": ["x"]}, "config.cmd is not known; did you mean Cmd?"),
        ({"cmd": "x"}, 'config.cmd is "x"; it takes a list of strings'),
        ({"Cmd": "x" * 200}, f'config.Cmd is "{"x" * 79}... (202 characters); it takes'),
    ],
)
def test_a_config_that_some_consumer_refuses_is_refused(config: dict[str, object], why: str) -> None:
    with pytest.raises(BadInput, match=f"recipe.json: {re.escape(why)}"):
        check_config(config, "recipe.json")


def test_what_is_right_is_taken() -> None:
    config: dict[str, object] = {
        "User": "1:users", "WorkingDir": "", "StopSignal": "SIGRTMIN+3", "Env": ["A=", "B=\n="], "Tty": False,
        "ExposedPorts": {"80": None, "53/udp": {}, "8000-8010/TCP": {}}, "Volumes": {"/data": {}}, "StopTimeout": 0,
        "Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 1_000_000, "Timeout": 0, "Retries": None},
    }  # fmt: skip
    taken = check_config(config, "it")
    assert taken["ExposedPorts"] == {"80": {}, "53/udp": {}, "8000-8010/TCP": {}}
    assert "Retries" not in taken["Healthcheck"]


@pytest.mark.parametrize(
    "key", ["ports", "volumes", "interval", "test", "stopTimeout", "tty", "argsEscaped", "lowerCase"]
)
def test_verify_finds_what_docker_podman_or_containerd_refuse(key: str) -> None:
    """The types alone, which `verify` looks at: of an image of any tool."""
    wrong: dict[str, Any] = {
        "ports": {"ExposedPorts": {"80/tcp": True}},
        "volumes": {"Volumes": {"/data": True}},
        "interval": {"Healthcheck": {"Interval": "30s"}},
        "test": {"Healthcheck": {"Test": "curl localhost"}},
        "stopTimeout": {"StopTimeout": "10"},
        "tty": {"Tty": "true"},
        "argsEscaped": {"ArgsEscaped": "x"},
        "lowerCase": {"cmd": "sh"},
    }
    assert len(list(type_faults(wrong[key]))) == 1
