"""What an image says about running it: the `config` object, checked, and inherited from a base.

Fields: OCI image spec, config.md, and those that Docker adds (docker image spec v1.2: Healthcheck, OnBuild, Shell).
"""

from __future__ import annotations

from lamina.errors import BadInput
from lamina.oci.strict_json import Json, expect

_STRINGS = ("User", "WorkingDir", "StopSignal", "Hostname", "Domainname", "Image", "MacAddress")
_LISTS = ("Env", "Cmd", "Entrypoint", "OnBuild", "Shell")
_MERGED = ("Labels", "ExposedPorts", "Volumes")
_OBJECTS = (*_MERGED, "Healthcheck")

INHERIT = ("docker", "env")
"""`docker`: every field, as `FROM` does; `env`: only Env, as nixpkgs' dockerTools does."""


def check_config(config: Json, where: object) -> Json:
    """The config that a user wrote, without its nulls, when consumers can read it. Raises BadInput."""
    result = check_types(config, where)
    for item in result.get("Env", []):
        if "=" not in item:
            raise BadInput(where, f"config.Env has {item!r:.60}", "write NAME=VALUE")
    return result


def check_types(config: Json, where: object) -> Json:
    """The config without its nulls, when every field that is known has the type it should have.

    containerd and podman refuse an image whose `Cmd` is a string, where Docker takes it. Raises BadInput.
    """
    result = {key: value for key, value in config.items() if value is not None}
    for key, value in result.items():
        if key in _STRINGS:
            expect(value, str, f"config.{key}", where)
        elif key in _LISTS:
            for item in expect(value, list, f"config.{key}", where):
                expect(item, str, f"an item of config.{key}", where)
        elif key in _OBJECTS:
            expect(value, dict, f"config.{key}", where)
    for name, value in result.get("Labels", {}).items():
        expect(value, str, f"config.Labels.{name}", where)
    for number in result.get("User", "").split(":"):
        if number.isdecimal() and int(number[:20]) >= 1 << 31:
            raise BadInput(where, f"config.User has the number {number:.40}", "runtimes would take it for root")
    for name in result.get("Volumes", {}):
        if ".." in name.split("/"):
            raise BadInput(where, f"config.Volumes has {name!r:.80}", "a volume's path must not climb")
    return result


def inherit(base: Json, own: Json, rule: str) -> Json:
    """The config of an image with its `own` fields on a `base`; `rule` is one of INHERIT.

    The rules of `FROM` (BuildKit, dockerfile2llb/convert.go, and docker's builder/dockerfile/dispatchers.go): Env
    merges by name, Labels, ExposedPorts and Volumes by key; a new Entrypoint drops an inherited Cmd; triggers of
    OnBuild are not handed on; everything else is taken over when the image does not say otherwise.
    """
    result = _from(base, own) if rule == "docker" else dict(own)
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
    """Both lists as one: each variable once, where it first stood, with the value it got last."""
    merged: dict[str, str] = {}
    for item in [*base, *own]:
        merged[item.partition("=")[0]] = item
    return list(merged.values())
