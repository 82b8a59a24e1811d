"""The `config` object of an image, which says how to run it: checks, and inheritance from a base.

Fields: OCI image spec, config.md, and those of Docker's container.Config, as which `docker load` decodes the object.
The same rules for configs written in Nix are in `nix/lib/config.nix`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from lamina.errors import BadInput
from lamina.oci.spelling import fold
from lamina.oci.strict_json import Json
from lamina.oci.timestamps import is_timestamp

_TEXTS = ("User", "WorkingDir", "StopSignal", "Hostname", "Domainname", "Image", "MacAddress")
_LISTS = ("Env", "Cmd", "Entrypoint", "OnBuild", "Shell")
_FLAGS = (
    "ArgsEscaped",
    "AttachStderr",
    "AttachStdin",
    "AttachStdout",
    "NetworkDisabled",
    "OpenStdin",
    "StdinOnce",
    "Tty",
)
_NUMBERS = ("CpuShares", "Memory", "MemorySwap", "StopTimeout")
_MARKS = ("ExposedPorts", "Volumes")
"""Sets of strings, which Go writes as objects whose values are empty objects."""
_MERGED = ("Labels", *_MARKS)
_DURATIONS = ("Interval", "Timeout", "StartPeriod", "StartInterval")
_DOCUMENT_TEXTS = (
    *("id", "parent", "comment", "author", "architecture", "os", "os.version", "variant", "container"),
    "docker_version",
)
_HEALTHCHECK = ("Test", "Retries", *_DURATIONS)
_KNOWN = (*_TEXTS, *_LISTS, *_FLAGS, *_NUMBERS, *_MERGED, "Healthcheck")

_FOLDED = {fold(key): key for key in _KNOWN}

# Expressions as text: `re` compiles them (up to 0.5 ms each) when a config first needs them, not at each start.
_PORT = r"(?ai)(\d{1,5})(?:-(\d{1,5}))?(?:/(?:tcp|udp|sctp))?"
_SIGNAL = r"(?a)\d{1,2}|(?:SIG)?RT(?:MIN|MAX)(?:[+-]\d{1,2})?|(?:SIG)?(?P<name>[A-Z0-9]+)"
_SIGNALS = frozenset(
    (
        *(
            "ABRT",
            "ALRM",
            "BUS",
            "CHLD",
            "CLD",
            "CONT",
            "FPE",
            "HUP",
            "ILL",
            "INT",
            "IO",
            "IOT",
            "KILL",
            "PIPE",
            "POLL",
        ),
        *("PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "UNUSED"),
        *("URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ"),
    )
)
_SHOWN = 80
"""Characters of a value that an error shows."""

INHERIT = ("docker", "env")
"""`docker`: every field, as `FROM` does; `env`: only Env, as nixpkgs' dockerTools does."""


class Fault(NamedTuple):
    """What is wrong with a field, and what to write: `config.Cmd`, `is "/bin/sh"`, `it takes a list of strings`."""

    field: str
    what: str
    remedy: str


def check_config(config: Json, where: object) -> Json:
    """A user's config without fields that are null. Raises BadInput: consumers would refuse or misread a field."""
    result = check_types(config, where)
    for fault in _meaning_faults(result):
        raise BadInput(where, f"{fault.field} {fault.what}", fault.remedy)
    return result


def check_types(config: Json, where: object) -> Json:
    """The config of a user or of a base, without its nulls.

    Raises BadInput: a known field has the wrong type, or a value that is known from attacks on runtimes.
    """
    for fault in type_faults(config):
        raise BadInput(where, f"{fault.field} {fault.what}", fault.remedy)
    for fault in _dangers(config):
        raise BadInput(where, f"{fault.field} {fault.what}", fault.remedy)
    return {key: _without_nulls(key, value) for key, value in config.items() if value is not None}


def _without_nulls(key: str, value: object) -> object:
    if key in _MARKS and isinstance(value, dict):
        return {name: {} if inner is None else inner for name, inner in value.items()}
    if key == "Healthcheck" and isinstance(value, dict):
        return {name: inner for name, inner in value.items() if inner is not None}
    return value


_GO_NAME = "[a-z0-9]+"
"""Go's name of an operating system or a processor. Docker 20.10 crashes if one that it knows is in upper case."""


def document_faults(document: Json) -> Iterator[Fault]:
    """Fields of a config document, without `rootfs`, that Go does not decode, or that runtimes refuse."""
    for key in _DOCUMENT_TEXTS:
        yield from _expect(key, document.get(key), _is_optional(str), "a string")
    for key, example in (("os", "linux"), ("architecture", "amd64")):
        if isinstance(value := document.get(key), str) and value and not re.fullmatch(_GO_NAME, value):
            yield Fault(key, f"is {shown(value)}", f"it takes one of Go's names, such as {example} (config.md)")
    yield from _time_faults("created", document.get("created"))
    if document.get("os.features") is not None:
        yield from _list_faults("os.features", document["os.features"])
    config = document.get("config")
    yield from _expect("config", config, _is_optional(dict), "an object")
    if isinstance(config, dict):
        faults = list(type_faults(config))
        yield from faults
        if not faults and document.get("os") in (None, "", "linux"):
            yield from _meaning_faults(
                {key: _without_nulls(key, value) for key, value in config.items() if value is not None}
            )
    for entry in document.get("history") or []:
        for key in ("created_by", "author", "comment"):
            yield from _expect(f"history.{key}", entry.get(key), _is_optional(str), "a string")
        yield from _time_faults("history.created", entry.get("created"))
        yield from _expect("history.empty_layer", entry.get("empty_layer"), _is_optional(bool), "true or false")


def _time_faults(field: str, value: object) -> Iterator[Fault]:
    yield from _expect(field, value, lambda it: it is None or is_timestamp(it), "a time like 1970-01-01T00:00:01Z")


def _is_optional(kind: type) -> Callable[[object], bool]:
    return lambda value: value is None or isinstance(value, kind)


def type_faults(config: Json) -> Iterator[Fault]:
    """Fields that Go does not decode, whatever case their keys have: Docker, podman or containerd refuse the image."""
    for key, value in config.items():
        if value is not None:
            yield from _type_faults(f"config.{key}", _FOLDED.get(fold(key), key), value)


def _type_faults(field: str, key: str, value: object) -> Iterator[Fault]:
    if key in _TEXTS:
        yield from _expect(field, value, _is_text, "a string")
    elif key in _LISTS:
        yield from _list_faults(field, value)
    elif key in _FLAGS:
        yield from _expect(field, value, lambda it: isinstance(it, bool), "true or false")
    elif key in _NUMBERS:
        yield from _expect(field, value, _is_whole, "a whole number")
    elif key in _MARKS:
        yield from _object_faults(field, value, lambda it: it in ({}, None), "{}")
    elif key == "Labels":
        yield from _object_faults(field, value, _is_text, "a string")
    elif key == "Healthcheck":
        yield from _healthcheck_faults(field, value)


def _list_faults(field: str, value: object) -> Iterator[Fault]:
    if not isinstance(value, list):
        example = f": [{shown(value)}]" if isinstance(value, str) else ""
        yield Fault(field, f"is {shown(value)}", f"it takes a list of strings{example}")
    elif wrong := [item for item in value if not isinstance(item, str)]:
        yield Fault(field, f"has the item {shown(wrong[0])}", "each item is a string")


def _object_faults(field: str, value: object, is_right: Callable[[object], bool], kind: str) -> Iterator[Fault]:
    if not isinstance(value, dict):
        yield Fault(field, f"is {shown(value)}", f"it takes an object whose values are {kind}")
        return
    for name, inner in value.items():
        yield from _expect(f"{field}.{name}", inner, is_right, kind)


def _healthcheck_faults(field: str, value: object) -> Iterator[Fault]:
    if not isinstance(value, dict):
        yield Fault(field, f"is {shown(value)}", 'it takes an object, like {"Test": ["CMD", "/bin/true"]}')
        return
    for name, inner in value.items():
        if inner is None:
            continue
        if name == "Test":
            yield from _list_faults(f"{field}.Test", inner)
        elif name == "Retries":
            yield from _expect(f"{field}.Retries", inner, _is_whole, "a whole number")
        elif name in _DURATIONS:
            yield from _expect(
                f"{field}.{name}", inner, _is_whole, "nanoseconds, as a whole number: 2000000000 are 2 s"
            )


def _expect(field: str, value: object, is_right: Callable[[object], bool], kind: str) -> Iterator[Fault]:
    if not is_right(value):
        yield Fault(field, f"is {shown(value)}", f"it takes {kind}")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -(1 << 63) <= value < 1 << 63


def shown(value: object) -> str:
    """The value as JSON; cut, with a mark that says so, when it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"


def _meaning_faults(config: Json) -> Iterator[Fault]:
    """Fields of the right type that a runtime refuses, or that readers read in two ways."""
    yield from _key_faults("config", config, _KNOWN)
    yield from _key_faults("config.Healthcheck", config.get("Healthcheck", {}), _HEALTHCHECK)
    for item in config.get("Env", []):
        if item.find("=") < 1:
            yield Fault("config.Env", f"has {shown(item)}", "write NAME=VALUE")
    if not config.get("WorkingDir", "").startswith("/") and config.get("WorkingDir"):
        yield Fault("config.WorkingDir", f"is {shown(config['WorkingDir'])}", "it takes an absolute path")
    for name in config.get("Volumes", {}):
        if not name.startswith("/") or ".." in name.split("/") or not name.strip("/."):
            yield Fault("config.Volumes", f"has {shown(name)}", "a volume is an absolute path below /, without ..")
    for name in config.get("ExposedPorts", {}):
        if not _is_port(name):
            yield Fault("config.ExposedPorts", f"has {shown(name)}", "write a port like 8080, 8080/tcp or 53/udp")
    if config.get("StopSignal") and not _is_signal(config["StopSignal"]):
        yield Fault("config.StopSignal", f"is {shown(config['StopSignal'])}", "it takes a signal, like SIGTERM")
    yield from _test_faults(config.get("Healthcheck", {}))


def _dangers(config: Json) -> Iterator[Fault]:
    """Values that would harm the machine or the user of the image, whether the user or a base wrote them."""
    for number in (config.get("User") or "").split(":"):
        if number.isdecimal() and int(number[:20]) >= 1 << 31:
            yield Fault("config.User", f"has the number {number:.40}", "runtimes would take it for root")
    for name in config.get("Volumes") or {}:
        if ".." in name.split("/"):
            yield Fault("config.Volumes", f"has {shown(name)}", "a volume is an absolute path below /, without ..")


def _key_faults(field: str, value: Json, known: tuple[str, ...]) -> Iterator[Fault]:
    """Keys that differ from a known key only in case: Go reads them as that key, and case-sensitive readers do not."""
    folded = {fold(key): key for key in known}
    for key in value:
        if key not in known and fold(key) in folded:
            yield Fault(f"{field}.{key}", "is not known", f"did you mean {folded[fold(key)]}?")


def _is_port(name: str) -> bool:
    match = re.fullmatch(_PORT, name)
    return bool(match) and all(int(port) < 1 << 16 for port in match.groups() if port)  # type: ignore[union-attr]


def _is_signal(name: str) -> bool:
    match = re.fullmatch(_SIGNAL, name)
    return bool(match) and match["name"] in (None, *_SIGNALS)  # type: ignore[index]


def _test_faults(healthcheck: Json) -> Iterator[Fault]:
    test = healthcheck.get("Test")
    if test and test[0] not in ("NONE", "CMD", "CMD-SHELL"):
        remedy = "its first item says what the others are: CMD, CMD-SHELL or NONE"
        yield Fault("config.Healthcheck.Test", f"is {shown(test)}", remedy)
    for name in _DURATIONS:
        if healthcheck.get(name, 0) < 0 or 0 < healthcheck.get(name, 0) < 1_000_000:
            remedy = "it takes nanoseconds, 0 or at least 1000000 (a millisecond): 1000000000 is a second"
            yield Fault(f"config.Healthcheck.{name}", f"is {healthcheck[name]}", remedy)


def inherit(base: Json, own: Json, mode: str) -> Json:
    """The config of an image with its `own` fields on a `base`; `mode` is one of INHERIT.

    The rules of `FROM` (BuildKit, dockerfile2llb/convert.go, and docker's builder/dockerfile/dispatchers.go): Env
    merges by name, Labels, ExposedPorts and Volumes by key; a new Entrypoint removes an inherited Cmd; OnBuild is not
    inherited; every other field is inherited unless the image has it.
    """
    result = _from(base, own) if mode == "docker" else dict(own)
    env = merge_env(base.get("Env") or [], own.get("Env") or [])
    if env:
        result["Env"] = env
    return result


def _from(base: Json, own: Json) -> Json:
    result = {key: value for key, value in base.items() if key != "OnBuild" and value is not None}
    if "Entrypoint" in own:
        result.pop("Cmd", None)
    for key, value in own.items():
        merges = key in _MERGED and result.get(key)
        result[key] = {**result[key], **value} if merges else value
    return result


def merge_env(base: list[str], own: list[str]) -> list[str]:
    """Both lists as one: each variable once, at the position of its first value, with its last value."""
    merged: dict[str, str] = {}
    for item in [*base, *own]:
        merged[item.partition("=")[0]] = item
    return list(merged.values())
