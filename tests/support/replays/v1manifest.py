"""The v1 manifest (`<id>/json`) as Mesos reads it.

Replays docker::spec::v1::parse of src/docker/spec.cpp: JSON to a protobuf message by field name, with
the type rules of 3rdparty/stout/include/stout/protobuf.hpp. Unknown keys are passed over, null is
unset, and a wrong type refuses the image.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from attrs import frozen

from tests.support.replays.errors import MesosError

JSON_TYPES = {str: "string", bool: "boolean", int: "number", float: "number", list: "array", dict: "object"}
UINT32 = 2**32
FAILED = "Failed to parse docker v1 manifest"


@frozen
class Config:
    """`config` and `container_config`; an absent list is the same as an empty one."""

    hostname: str | None
    user: str | None
    working_dir: str | None
    image: str | None
    entrypoint: tuple[str, ...]
    env: tuple[str, ...]
    cmd: tuple[str, ...]
    labels: dict[str, str]


@frozen
class Manifest:
    id: str | None
    parent: str | None
    comment: str | None
    created: str | None
    container: str | None
    docker_version: str | None
    author: str | None
    architecture: str | None
    os: str | None
    size: int | None
    config: Config | None
    container_config: Config | None


def parse(data: bytes) -> Manifest:
    try:
        fields = strict_json(data)
    except ValueError as error:
        raise MesosError(f"{FAILED}: JSON parse failed: {error}") from None
    return Manifest(
        id=text(fields, "id"),
        parent=text(fields, "parent"),
        comment=text(fields, "comment"),
        created=text(fields, "created"),
        container=text(fields, "container"),
        docker_version=text(fields, "docker_version"),
        author=text(fields, "author"),
        architecture=text(fields, "architecture"),
        os=text(fields, "os"),
        size=number(fields, "Size"),
        config=config(fields, "config"),
        container_config=config(fields, "container_config"),
    )


def config(fields: dict[str, Any], name: str) -> Config | None:
    """A message field: `{}` is set, null is not."""
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, dict):
        refuse(value, name)
    return Config(
        hostname=text(value, "Hostname"),
        user=text(value, "User"),
        working_dir=text(value, "WorkingDir"),
        image=text(value, "Image"),
        entrypoint=texts(value, "Entrypoint"),
        env=texts(value, "Env"),
        cmd=texts(value, "Cmd"),
        labels=labels(value),
    )


def text(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        refuse(value, name)
    return value


def number(fields: dict[str, Any], name: str) -> int | None:
    """The field is a uint32 and the number a double or an int64, so what does not fit wraps around."""
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        refuse(value, name)
    return int(value) % UINT32


def texts(fields: dict[str, Any], name: str) -> tuple[str, ...]:
    """A repeated string: a bare string counts as a list of one, null elements are dropped."""
    value = fields.get(name)
    if isinstance(value, dict | int | float):
        refuse(value, name)
    elements = value if isinstance(value, list) else [value]
    for element in elements:
        if element is not None and not isinstance(element, str):
            refuse(element, name)
    return tuple(element for element in elements if element is not None)


def labels(fields: dict[str, Any]) -> dict[str, str]:
    value = fields.get("Labels")
    if value is None:
        return {}
    if not isinstance(value, dict):
        refuse(value, "Labels")
    return {key: text(value, key) or "" for key in value}


def refuse(value: object, name: str) -> NoReturn:
    kind = JSON_TYPES[type(value)]
    raise MesosError(f"{FAILED}: Protobuf parse failed: Not expecting a JSON {kind} for field '{name}'")


def strict_json(data: bytes) -> dict[str, Any]:
    """A JSON object under picojson's rules, stricter than Python's own. ValueError says what is wrong."""
    document = json.loads(data.decode(), parse_constant=refuse_constant)
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")
    # An unpaired surrogate, from a \u escape, is the one thing that cannot be encoded again.
    json.dumps(document, ensure_ascii=False).encode()
    return document


def refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
